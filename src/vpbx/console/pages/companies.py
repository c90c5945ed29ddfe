"""For operators: the companies on this server, what each may have, and the way into it."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from starlette.responses import Response

from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Door, Page
from vpbx.console.texts import LANGUAGES
from vpbx.console.visit import Visit
from vpbx.directory import DomainConfig

OPERATOR = "/operator"
_TEXTS = ("timezone", "country", "language", "ring_timeout_s")
_LIMITS = ("limit_users", "limit_groups", "limit_local_gw")
_FLAGS = ("enabled", "service_record", "service_local_gw", "service_branch")


async def show(visit: Visit) -> Response:
    domain = await visit.services.directory.companies.get(visit.path("name"))
    return await show_company(visit, domain)


async def show_company(
    visit: Visit,
    domain: DomainConfig,
    sent: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
) -> Response:
    """Return the page of a company, with what was `sent` and is wrong with it."""
    trunks = await visit.services.directory.trunk_rules.list(domain)
    return visit.page(
        "operator/company.html",
        status=400 if errors else 200,
        errors=errors,
        company=domain,
        values=sent or _values(domain),
        zones=[(zone, zone) for zone in sorted(available_timezones())],
        tongues=list(LANGUAGES.items()),
        trunks=[("", visit.texts("default trunk")), *((each.name, each.name) for each in trunks)],
        given={name: visit.value(name) for name in ("telnum", "trunk", "label")},
    )


def _values(domain: DomainConfig) -> dict[str, Any]:
    limits, services = domain.limits, domain.services
    return {
        "timezone": domain.timezone,
        "country": domain.country,
        "language": domain.language,
        "ring_timeout_s": domain.ring_timeout_s,
        "limit_users": limits.users,
        "limit_groups": limits.groups,
        "limit_local_gw": limits.local_gw,
        "enabled": domain.enabled,
        "service_record": services.record,
        "service_local_gw": services.local_gw,
        "service_branch": services.branch,
    }


async def save(visit: Visit) -> Response:
    companies = visit.services.directory.companies
    domain = await companies.get(visit.path("name"))
    values: dict[str, Any] = {name: visit.value(name) for name in (*_TEXTS, *_LIMITS)}
    values |= {name: name in visit.form for name in _FLAGS}
    try:
        await companies.edit(domain, values)
    except Wrong as error:
        return await show_company(visit, domain, values, errors_of(error, visit.texts))
    return visit.go(OPERATOR, visit.texts("{name} is saved.", name=domain.name))


async def new(visit: Visit) -> Response:
    return _new(visit)


def _new(visit: Visit, errors: dict[str, str] | None = None) -> Response:
    return visit.page(
        "operator/new.html",
        status=400 if errors else 200,
        errors=errors,
        name=visit.value("domain"),
        timezone=visit.value("timezone", "Europe/Moscow"),
        zones=[(zone, zone) for zone in sorted(available_timezones())],
    )


async def add(visit: Visit) -> Response:
    """Add a company; its first administrator's password is shown this once."""
    directory = visit.services.directory
    try:
        made = await directory.companies.add(visit.value("domain"), visit.value("timezone"))
    except Wrong as error:
        return _new(visit, errors_of(error, visit.texts))
    await visit.services.audit.note(made.domain.id, "domain", "", made.domain.name)
    return visit.page("operator/made.html", made=made)


pages = (
    Page(f"{OPERATOR}/new", None, get=new, post=add, door=Door.OPERATOR, weighty=True),
    Page(
        f"{OPERATOR}/company/{{name}}", None, get=show, post=save, door=Door.OPERATOR, weighty=True
    ),
)
