"""SIP registrations: numbers of other operators (crm-api §14)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from starlette.responses import Response

from vpbx.api.answer import answer, no_content
from vpbx.api.fields import Flag, Name, Number, Request, Text
from vpbx.api.models import Model
from vpbx.api.operation import Call, Section
from vpbx.api.paging import Info, ListQuery, envelope
from vpbx.directory import SipRegistration

__all__ = ["section"]

section = Section(
    "SIP registrations", "Numbers of other operators at which the VPBX registers itself."
)

VIEW = ("Numbers of other operators", "View")
CREATING = ("Numbers of other operators", "Creating")
EDITING = ("Numbers of other operators", "Editing")
DELETING = ("Numbers of other operators", "Deleting")
SHOWN = {
    "telnum": "79001112233",
    "active": True,
    "name": "Test",
    "domain": "regtest.com",
    "auth_name": "",
    "expires": 600,
    "proxy": "",
    "status": "success",
    "outgoing": True,
}
ADDITION = {
    "telnum": "79001112233",
    "name": "Test",
    "domain": "regtest.com",
    "login": "79001112233",
    "password": "secret-of-the-operator",
}
CHANGE = {"name": "Test", "active": False}
PAGE = {"items": [SHOWN], "info": {"search": "", "total": 1, "start": 0, "limit": 1}}


class SipRegistrationView(Model):
    """A registration; login and password are never shown."""

    telnum: str
    active: bool
    name: str
    domain: str
    auth_name: str
    expires: int = Field(description="Seconds between registrations.")
    proxy: str
    status: Literal["success", "waiting", "error", "off"]
    outgoing: bool = Field(description="Calls may leave through it.")


class SipRegistrationPage(Model):
    """Registrations."""

    items: list[SipRegistrationView]
    info: Info


class SipRegistrationListQuery(ListQuery):
    """Search in telnum, name, domain."""


class SipRegistrationChange(Request):
    """Only what is sent changes."""

    name: Name = ""
    domain: Name = Field("", description="Host to register at.")
    login: Name = ""
    password: Name = ""
    active: Flag = True
    auth_name: Text = Field("", description="Name to authenticate with, if not login.")
    expires: Number = Field(600, description="Seconds between registrations.")
    proxy: Text = ""
    outgoing: Flag = True


class SipRegistrationAddition(SipRegistrationChange):
    """A new registration."""

    telnum: Name
    name: Name
    domain: Name = Field(description="Host to register at.")
    login: Name
    password: Name


def show(item: SipRegistration) -> dict[str, Any]:
    """Return a registration as SipRegistrationView."""
    return {
        "telnum": item.telnum,
        "active": item.active,
        "name": item.name,
        "domain": item.domain,
        "auth_name": item.auth_name,
        "expires": item.expires,
        "proxy": item.proxy,
        "status": item.status.value,
        "outgoing": item.outgoing,
    }


@section.get(
    "/sip-registrations",
    query=SipRegistrationListQuery,
    answer=SipRegistrationPage,
    right=VIEW,
    shows=PAGE,
    summary="List of SIP registrations",
)
async def list_registrations(call: Call, params: SipRegistrationListQuery) -> Response:
    """Search in telnum, name, domain."""
    page = await call.services.directory.sip_registrations.list(
        call.domain, search=params.search, start=params.start, limit=params.limit
    )
    return answer(envelope(page, show))


@section.get(
    "/sip-registrations/{telnum}",
    answer=SipRegistrationView,
    right=VIEW,
    shows=SHOWN,
    summary="SIP registration parameters",
)
async def get_registration(call: Call) -> Response:
    """One of them."""
    registrations = call.services.directory.sip_registrations
    return answer(show(await registrations.get(call.domain, call.path["telnum"])))


@section.post(
    "/sip-registrations",
    body=SipRegistrationAddition,
    answer=SipRegistrationView,
    right=CREATING,
    example=ADDITION,
    shows=SHOWN,
    summary="Adding a SIP registration",
)
async def add_registration(call: Call, params: SipRegistrationAddition) -> Response:
    """The VPBX registers there, and takes calls for the number."""
    registrations = call.services.directory.sip_registrations
    return answer(show(await registrations.add(call.domain, params.sent())))


@section.put(
    "/sip-registrations/{telnum}",
    body=SipRegistrationChange,
    answer=SipRegistrationView,
    right=EDITING,
    example=CHANGE,
    shows=SHOWN,
    summary="Editing a SIP registration",
)
async def edit_registration(call: Call, params: SipRegistrationChange) -> Response:
    """Only what is sent changes."""
    registrations = call.services.directory.sip_registrations
    return answer(show(await registrations.edit(call.domain, call.path["telnum"], params.sent())))


@section.delete(
    "/sip-registrations/{telnum}", right=DELETING, summary="Deleting a SIP registration"
)
async def delete_registration(call: Call) -> Response:
    """The VPBX unregisters there."""
    await call.services.directory.sip_registrations.delete(call.domain, call.path["telnum"])
    return no_content()
