"""For operators: the trunks of this server, and how each stands."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Door, Page
from vpbx.console.pages.companies import OPERATOR
from vpbx.console.pages.connections import STATUS_WORDS
from vpbx.console.visit import Visit
from vpbx.directory import TrunkMode

TRUNKS = f"{OPERATOR}/trunks"
_FIELDS = ("name", "address", "username", "password")


async def show(visit: Visit) -> Response:
    return await _show(visit)


async def _show(visit: Visit, errors: dict[str, str] | None = None) -> Response:
    rules = visit.services.directory.trunk_rules
    owners = {
        domain.id: domain.name
        for name in visit.services.directory.domain_names()
        if (domain := visit.services.directory.cached(name)) is not None
    }
    return visit.page(
        "operator/trunks.html",
        status=400 if errors else 200,
        errors=errors,
        trunks=await rules.list(),
        states={state.name: state for state in visit.services.calls.connections.carriers.states()},
        owners=owners,
        companies=[("", visit.texts("All companies")), *((n, n) for n in sorted(owners.values()))],
        values={name: visit.value(name) for name in (*_FIELDS, "company")},
        registers="register" in visit.form or not errors,
        status_words=STATUS_WORDS,
    )


async def add(visit: Visit) -> Response:
    directory, company = visit.services.directory, visit.value("company")
    sent: dict[str, Any] = {name: visit.value(name) for name in _FIELDS if visit.value(name)}
    password = visit.form.get("password")
    if isinstance(password, str) and password:
        sent["password"] = password  # as it is: a space may be part of it
    if "register" in visit.form and sent.get("username"):
        sent["mode"] = TrunkMode.REGISTER
    name, address = sent.pop("name", ""), sent.pop("address", None)
    try:
        domain = await directory.companies.get(company) if company else None
        made = await directory.trunk_rules.add(name, address, domain=domain, **sent)
    except Wrong as error:
        return await _show(visit, errors_of(error, visit.texts))
    told = " ".join(filter(None, (address, made.username, made.mode.value, company)))
    await visit.services.audit.note(0, f"trunks.{made.name}", "", told)
    return visit.go(TRUNKS, visit.texts("{name} is saved.", name=made.name))


async def switch(visit: Visit) -> Response:
    name, enabled = visit.value("name"), visit.value("enabled") == "1"
    await visit.services.directory.trunk_rules.edit(name, {"enabled": enabled})
    words = ("off", "on") if enabled else ("on", "off")
    await visit.services.audit.note(0, f"trunks.{name}", *words)
    return visit.go(TRUNKS, visit.texts("Saved."))


async def delete(visit: Visit) -> Response:
    name = visit.value("name")
    await visit.services.directory.trunk_rules.delete(name)
    await visit.services.audit.note(0, f"trunks.{name}", name)
    return visit.go(TRUNKS, visit.texts("Removed."))


pages = (
    Page(TRUNKS, None, get=show, post=add, door=Door.OPERATOR, weighty=True),
    Page(f"{TRUNKS}/switch", None, post=switch, door=Door.OPERATOR, weighty=True),
    Page(f"{TRUNKS}/delete", None, post=delete, door=Door.OPERATOR, weighty=True),
)
