"""SIP registrations: numbers of other operators (crm-api §14)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from vpbx.api.fields import Flag, Number, Request, Text
from vpbx.api.models import Model
from vpbx.api.operation import Section
from vpbx.api.paging import Info, ListQuery
from vpbx.directory import SipRegistration

__all__ = ["section"]

section = Section(
    "SIP registrations", "Numbers of other operators at which the VPBX registers itself."
)

VIEW = ("Numbers of other operators", "View")
CREATING = ("Numbers of other operators", "Creating")
EDITING = ("Numbers of other operators", "Editing")
DELETING = ("Numbers of other operators", "Deleting")


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

    name: Text = ""
    domain: Text = Field("", description="Host to register at.")
    login: Text = ""
    password: Text = ""
    active: Flag = True
    auth_name: Text = Field("", description="Name to authenticate with, if not login.")
    expires: Number = Field(600, description="Seconds between registrations.")
    proxy: Text = ""
    outgoing: Flag = True


class SipRegistrationAddition(SipRegistrationChange):
    """A new registration."""

    telnum: Text
    name: Text
    domain: Text = Field(description="Host to register at.")
    login: Text
    password: Text


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
