"""Further addresses of a CRM: each is sent the commands chosen for it."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Page
from vpbx.console.pages.integration import COMMANDS, FORMAT_WORDS, INTEGRATION
from vpbx.console.visit import Visit
from vpbx.directory import Integration, NotFound

ADDRESSES = f"{INTEGRATION}/addresses"


async def show(visit: Visit) -> Response:
    return _show(visit)


def _show(visit: Visit, errors: dict[str, str] | None = None) -> Response:
    crm = visit.company.integration
    if crm is None:
        return visit.go(INTEGRATION)
    return visit.page(
        "integration/addresses.html",
        status=400 if errors else 200,
        errors=errors,
        addresses=crm.others,
        name=visit.value("name"),
        url=visit.value("url"),
        format=visit.value("format", "auto"),
        chosen=[c for c in COMMANDS if c in visit.form]
        if errors
        else ["history", "event", "rating"],
        commands=COMMANDS,
        format_words=FORMAT_WORDS,
    )


def _sent(visit: Visit) -> dict[str, Any]:
    values: dict[str, Any] = {"format": visit.value("format", "auto")}
    return values | {command: command in visit.form for command in COMMANDS}


async def add(visit: Visit) -> Response:
    values = {**_sent(visit), "url": visit.value("url"), "token": visit.value("token")}
    integrations = visit.services.directory.integrations
    try:
        await integrations.add_address(visit.company, visit.value("name"), values)
    except Wrong as error:
        return _show(visit, errors_of(error, visit.texts))
    return visit.go(ADDRESSES, visit.texts("Saved."))


def _address(visit: Visit) -> Integration:
    crm, name = visit.company.integration, visit.path("name")
    found = next((each for each in crm.others if each.name == name), None) if crm else None
    if found is None:
        raise NotFound("there is no address of this name")
    return found


async def show_one(visit: Visit) -> Response:
    return _one(visit, _address(visit))


def _one(visit: Visit, address: Integration, errors: dict[str, str] | None = None) -> Response:
    chosen = [c for c in COMMANDS if getattr(address.commands, c)]
    return visit.page(
        "integration/address.html",
        status=400 if errors else 200,
        errors=errors,
        address=address,
        url=visit.value("url", address.shown_url),
        format=visit.value("format", str(address.format)),
        enabled="enabled" in visit.form if errors else address.enabled,
        chosen=[c for c in COMMANDS if c in visit.form] if errors else chosen,
        commands=COMMANDS,
        format_words=FORMAT_WORDS,
    )


async def save(visit: Visit) -> Response:
    address = _address(visit)
    values = {**_sent(visit), "enabled": "enabled" in visit.form}
    if visit.value("url") != address.shown_url:
        values["url"] = visit.value("url")  # else it stays, with the password it may have
    if visit.value("token"):
        values["token"] = visit.value("token")
    integrations = visit.services.directory.integrations
    try:
        await integrations.set_address(visit.company, address.name, values)
    except Wrong as error:
        return _one(visit, address, errors_of(error, visit.texts))
    return visit.go(ADDRESSES, visit.texts("Saved."))


async def delete(visit: Visit) -> Response:
    await visit.services.directory.integrations.delete_address(visit.company, _address(visit).name)
    return visit.go(ADDRESSES, visit.texts("Removed."))


pages = (
    Page(ADDRESSES, Area.COMPANY, get=show, post=add, weighty=True),
    Page(f"{ADDRESSES}/{{name}}", Area.COMPANY, get=show_one, post=save, weighty=True),
    Page(f"{ADDRESSES}/{{name}}/delete", Area.COMPANY, post=delete),
)
