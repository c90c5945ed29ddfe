"""Integration: the CRM's address and what it is sent, API keys, the log of commands."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Page
from vpbx.console.visit import Visit
from vpbx.directory import RIGHTS, NotFound

INTEGRATION = "/integration"
COMMANDS = ("history", "event", "contact", "rating")
STATE_WORDS = {
    "waiting": "waits",
    "taken": "taken",
    "failed": "failed",
    "left out": "left out",
    "kept": "kept to be fetched",
}
FORMAT_WORDS = {
    "auto": "Found out by itself",
    "form": "Form fields",
    "json": "JSON",
}
_LOG = 100


async def show(visit: Visit) -> Response:
    return await _show(visit)


async def _show(
    visit: Visit, errors: dict[str, str] | None = None, *, at_phone: bool = False, **more: Any
) -> Response:
    crm = visit.company.integration
    values: dict[str, Any] = {
        "url": crm.shown_url if crm is not None else "",
        "token": "",
        "format": str(crm.format) if crm is not None else "auto",
        "enabled": crm.enabled if crm is not None else True,
        "networks": " ".join(str(n) for n in crm.networks) if crm is not None else "",
        "origins": " ".join(crm.origins) if crm is not None else "",
        "late_events": crm is not None and crm.late_events,
    }
    for command in COMMANDS:
        values[command] = crm is None or getattr(crm.commands, command)
    values["crm_card_url"] = visit.company.crm_card_url
    values["widget_origins"] = " ".join(visit.company.widget_origins)
    if errors and at_phone:
        values |= {name: visit.value(name) for name in ("crm_card_url", "widget_origins")}
    elif errors:
        values |= {name: visit.value(name) for name in ("url", "format", "networks", "origins")}
    return visit.page(
        "integration/page.html",
        status=400 if errors else 200,
        errors=errors,
        crm=crm,
        values=values,
        keys=await visit.services.directory.keys.list(visit.company),
        rights=RIGHTS,
        commands=COMMANDS,
        format_words=FORMAT_WORDS,
        api=f"{visit.services.link_base(visit.company.name)}/crmapi/v1",
        log=await _log(visit),
        state_words=STATE_WORDS,
        state=visit.asked("state"),
        **{"new_key": "", **more},
    )


async def _log(visit: Visit) -> list[dict[str, Any]]:
    if visit.services.commands is None:
        return []
    state = visit.asked("state")
    found = await visit.services.commands.events(
        visit.company.id,
        after=None,
        limit=_LOG,
        callid="",
        cmd="",
        state=state if state in STATE_WORDS else "",
        address="all",
    )
    return found[::-1]


async def save(visit: Visit) -> Response:
    crm = visit.company.integration
    values: dict[str, Any] = {
        "format": visit.value("format", "auto"),
        "enabled": "enabled" in visit.form,
        "networks": visit.value("networks").replace(",", " ").split(),
        "origins": visit.value("origins").replace(",", " ").split(),
        "late_events": "send" if "late_events" in visit.form else "drop",
    }
    values |= {command: command in visit.form for command in COMMANDS}
    if crm is None or visit.value("url") != crm.shown_url:
        values["url"] = visit.value("url")  # else it stays, with the password it may have
    if crm is None or visit.value("token"):
        values["token"] = visit.value("token")
    try:
        await visit.services.directory.integrations.set(visit.company, values)
    except Wrong as error:
        return await _show(visit, errors_of(error, visit.texts))
    return visit.go(INTEGRATION, visit.texts("Saved."))


async def save_phone(visit: Visit) -> Response:
    """Set where customers' cards are, and which sites may embed the phone."""
    values = {
        "crm_card_url": visit.value("crm_card_url"),
        "widget_origins": visit.value("widget_origins").replace(",", " ").split(),
    }
    try:
        await visit.services.directory.companies.edit(visit.company, values)
    except Wrong as error:
        return await _show(visit, errors_of(error, visit.texts), at_phone=True)
    return visit.go(INTEGRATION, visit.texts("Saved."))


async def add_key(visit: Visit) -> Response:
    """Make a key and show it, this once."""
    rights = None if visit.value("all") else visit.values("rights")
    made = await visit.services.directory.keys.add(visit.company, rights, visit.value("note")[:255])
    visit.domain = await visit.services.directory.current(visit.company)
    return await _show(visit, new_key=made.key)


async def revoke_key(visit: Visit) -> Response:
    number = visit.value("key")
    if not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise NotFound("no such key")
    await visit.services.directory.keys.revoke(visit.company, int(number))
    return visit.go(INTEGRATION, visit.texts("The key opens nothing any more."))


async def replay(visit: Visit) -> Response:
    number, commands = visit.value("event"), visit.services.commands
    is_number = number.isascii() and number.isdecimal() and len(number) < 20
    if commands is None or not is_number or int(number) >= 1 << 63:
        raise NotFound("no such command")
    if not await commands.replay(visit.company.id, int(number)):
        raise NotFound("no such command")
    await visit.services.audit.note(visit.company.id, "integration.commands", "", f"{number} again")
    return visit.go(INTEGRATION, visit.texts("It is sent once more."))


pages = (
    Page(
        INTEGRATION,
        Area.COMPANY,
        get=show,
        post=save,
        label="Integration",
        icon="plug",
        weighty=True,
    ),
    Page(f"{INTEGRATION}/phone", Area.COMPANY, post=save_phone, weighty=True),
    Page(f"{INTEGRATION}/keys", Area.COMPANY, post=add_key, weighty=True),
    Page(f"{INTEGRATION}/keys/revoke", Area.COMPANY, post=revoke_key),
    Page(f"{INTEGRATION}/replay", Area.COMPANY, post=replay),
)
