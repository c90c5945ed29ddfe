"""Forwarding a number to a SIP address of ours (crm-api §15)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from vpbx.api.fields import Flag, Request, Text
from vpbx.api.models import Model
from vpbx.api.operation import Section
from vpbx.api.paging import Info, ListQuery
from vpbx.directory import SipuriTransfer

__all__ = ["section"]

section = Section(
    "Forwarding a number to a SIP address",
    "Another operator sends a number's calls to an address of this VPBX.",
)

VIEW = ("Numbers of other operators", "View")
CREATING = ("Numbers of other operators", "Creating")
EDITING = ("Numbers of other operators", "Editing")
DELETING = ("Numbers of other operators", "Deleting")


class SipuriTransferView(Model):
    """A forwarding."""

    telnum: str
    uri: str = Field(description="Where the other operator sends the calls.")
    active: bool


class SipuriTransferPage(Model):
    """Forwardings."""

    items: list[SipuriTransferView]
    info: Info


class SipuriTransferListQuery(ListQuery):
    """Search in telnum, uri."""


class SipuriTransferChange(Request):
    """Only what is sent changes."""

    active: Flag = True


class SipuriTransferAddition(Request):
    """A new forwarding."""

    telnum: Text
    active: Flag = True


def show(item: SipuriTransfer) -> dict[str, Any]:
    """Return a forwarding as SipuriTransferView."""
    return {"telnum": item.telnum, "uri": item.uri, "active": item.active}
