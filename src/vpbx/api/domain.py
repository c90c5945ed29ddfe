"""Domain settings (crm-api §11): the domain, music, media, recording, BLF, voicemail."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field
from starlette.responses import Response

from vpbx.api.answer import answer
from vpbx.api.fields import Request, Text, Texts
from vpbx.api.models import Id, LoginName, Model
from vpbx.api.operation import Call, Section
from vpbx.directory import DomainConfig

__all__ = ["section"]

section = Section("Domain settings", "Settings of the whole company.")

VIEW = ("Main settings", "View")
EDITING = ("Main settings", "Editing")
DELETING = ("Main settings", "Deleting")
Logins = Annotated[list[Text], Field(max_length=10_000)]


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


class Sound(Model):
    """A chosen sound."""

    file: str
    name: str
    uploaded: bool


class MusicView(Model):
    """What callers hear while they wait."""

    ringback: Sound
    holdmusic: Sound


class FileSetting(Request):
    """A sound."""

    file: Text = Field(description="Name of a built-in file, or id from the media catalogue.")


class RecordView(Model):
    """What is recorded."""

    external: bool
    inner: bool
    users_exception: list[LoginName]


class VoicemailView(Model):
    """Who gets voicemail by e-mail."""

    all: bool
    users: list[LoginName]
    groups: list[Id]
    email: str


class UsersQuery(Request):
    """Whom."""

    user: Texts = Field(description="Login or internal number; repeat it for several.")


class GroupsQuery(Request):
    """Which."""

    group: Texts = Field(description="A department's id; repeat it for several.")


@section.get("/domain", right=VIEW, answer=DomainView, summary="Domain parameters")
async def get_domain(call: Call) -> Response:
    """Time zone, limits and services of the domain."""
    domain = call.domain
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


def names_of(domain: DomainConfig, logins: object) -> list[dict[str, str]]:
    """Return employees as LoginName, in the order of the directory."""
    assert isinstance(logins, frozenset | tuple | set)
    return [
        {"login": e.login, "name": e.name} for e in domain.employees.values() if e.login in logins
    ]
