"""Parameters of the domain, and the section they begin (crm-api §11)."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import Field
from starlette.responses import Response

from vpbx.api.answer import answer
from vpbx.api.models import Model
from vpbx.api.operation import Call, Section

__all__ = ["DELETING", "EDITING", "VIEW", "section"]

section = Section("Domain settings", "Settings of the whole company.")

VIEW = ("Main settings", "View")
EDITING = ("Main settings", "Editing")
DELETING = ("Main settings", "Deleting")
DOMAIN = {
    "timezone": {"name": "Europe/Moscow", "offset": 180},
    "limits": {
        "users": {"used": 1, "total": 15},
        "groups": {"used": 5, "total": 7},
        "local_gw": {"used": 0, "total": -1},
    },
    "services": {"record": True, "local_gw": True, "branch": False},
}


class Timezone(Model):
    """The domain's time zone."""

    name: str
    offset: int = Field(description="Minutes east of UTC, now.")


class Limit(Model):
    """How many there are and may be."""

    used: int
    total: int = Field(description="-1: any number.")


class DomainLimits(Model):
    """Limits of the domain."""

    users: Limit
    groups: Limit
    local_gw: Limit = Field(description="Numbers of other operators.")


class DomainServices(Model):
    """What is switched on for the domain."""

    record: bool
    local_gw: bool
    branch: bool


class DomainView(Model):
    """Parameters of the domain."""

    timezone: Timezone
    limits: DomainLimits
    services: DomainServices


@section.get("/domain", right=VIEW, answer=DomainView, shows=DOMAIN, summary="Domain parameters")
async def get_domain(call: Call) -> Response:
    """Time zone, limits and services of the domain."""
    domain = await call.services.directory.current(call.domain)
    now = datetime.fromtimestamp(call.services.clock.time(), UTC).astimezone(domain.zone)
    offset = now.utcoffset()
    assert offset is not None
    settings, limits, services = domain.settings, domain.limits, domain.services
    local_gw = len(settings.sip_registrations) + len(settings.sipuri_transfers)
    return answer(
        {
            "timezone": {"name": domain.timezone, "offset": int(offset.total_seconds()) // 60},
            "limits": {
                "users": {"used": len(domain.employees), "total": limits.users},
                "groups": {"used": len(domain.departments), "total": limits.groups},
                "local_gw": {"used": local_gw, "total": limits.local_gw},
            },
            "services": {
                "record": services.record,
                "local_gw": services.local_gw,
                "branch": services.branch,
            },
        }
    )
