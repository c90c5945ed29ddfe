"""Connections: trunks, numbers of other operators and how their registrations stand, addresses
to which others send calls, connected PBXs."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.responses import Response

from vpbx.causes import explain, of_reason
from vpbx.console.areas import Area
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Page
from vpbx.console.visit import Visit

CONNECTIONS = "/connections"
STATUS_WORDS = {
    "success": "registered",
    "waiting": "is trying",
    "error": "fails",
    "off": "switched off",
    "ok": "works",
    "unresolved": "its name is not found",
    "resting": "does not answer",
    "unregistered": "is not registered",
}
_FIELDS = ("telnum", "name", "domain", "login", "password", "auth_name", "proxy")


async def show(visit: Visit) -> Response:
    return _show(visit)


def _show(visit: Visit, errors: dict[str, str] | None = None) -> Response:
    domain = visit.company
    own = {trunk.name for trunk in visit.services.directory.trunks_of(domain)}
    return visit.page(
        "connections/page.html",
        status=400 if errors else 200,
        errors=errors,
        trunks=[
            trunk
            for trunk in visit.services.calls.connections.carriers.states()
            if trunk.name in own
        ],
        advice=partial(_advice, visit),
        registrations=domain.settings.sip_registrations.values(),
        addresses=domain.settings.sipuri_transfers.values(),
        branches=domain.settings.branches.values(),
        values={name: visit.value(name) for name in _FIELDS},
        status_words=STATUS_WORDS,
    )


def _advice(visit: Visit, who: str, reason: str) -> str:
    """Return what to do about a reason; "" where nothing is known to help."""
    cause = of_reason(who, reason)
    return "" if cause is None else explain(cause, visit.texts)[1]


async def add(visit: Visit) -> Response:
    values: dict[str, Any] = {name: visit.value(name) for name in _FIELDS if visit.value(name)}
    values |= {"active": True, "outgoing": "outgoing" in visit.form}
    try:
        await visit.services.directory.sip_registrations.add(visit.company, values)
    except Wrong as error:
        return _show(visit, errors_of(error, visit.texts))
    return visit.go(CONNECTIONS, visit.texts("Saved."))


async def switch(visit: Visit) -> Response:
    active = visit.value("active") == "1"
    await visit.services.directory.sip_registrations.edit(
        visit.company, visit.value("telnum"), {"active": active}
    )
    return visit.go(CONNECTIONS, visit.texts("Saved."))


async def delete(visit: Visit) -> Response:
    registrations = visit.services.directory.sip_registrations
    await registrations.delete(visit.company, visit.value("telnum"))
    return visit.go(CONNECTIONS, visit.texts("Removed."))


async def add_address(visit: Visit) -> Response:
    values = {"telnum": visit.value("telnum"), "active": True}
    try:
        await visit.services.directory.sipuri_transfers.add(visit.company, values)
    except Wrong as error:
        wrong = {f"address.{n}": t for n, t in errors_of(error, visit.texts).items()}
        return _show(visit, wrong)
    return visit.go(CONNECTIONS, visit.texts("Saved."))


async def delete_address(visit: Visit) -> Response:
    transfers = visit.services.directory.sipuri_transfers
    await transfers.delete(visit.company, visit.value("telnum"))
    return visit.go(CONNECTIONS, visit.texts("Removed."))


pages = (
    Page(CONNECTIONS, Area.COMPANY, get=show, post=add, label="Connections", icon="link"),
    Page(f"{CONNECTIONS}/switch", Area.COMPANY, post=switch),
    Page(f"{CONNECTIONS}/delete", Area.COMPANY, post=delete),
    Page(f"{CONNECTIONS}/address", Area.COMPANY, post=add_address),
    Page(f"{CONNECTIONS}/address/delete", Area.COMPANY, post=delete_address),
)
