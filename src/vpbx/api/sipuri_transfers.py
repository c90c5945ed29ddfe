"""Forwarding a number to a SIP address of ours (crm-api §15)."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from starlette.responses import Response

from vpbx.api.answer import answer, no_content
from vpbx.api.fields import Flag, Name, Request
from vpbx.api.models import Model
from vpbx.api.operation import Call, Section
from vpbx.api.paging import Info, ListQuery, envelope
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
SHOWN = {"telnum": "79001112233", "uri": "pbx-A7Um8NKUhJOT@acme.vpbx.example", "active": True}
ADDITION = {"telnum": "79001112233", "active": True}
CHANGE = {"active": False}
PAGE = {"items": [SHOWN], "info": {"search": "", "total": 1, "start": 0, "limit": 1}}


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

    telnum: Name
    active: Flag = True


def show(item: SipuriTransfer) -> dict[str, Any]:
    """Return a forwarding as SipuriTransferView."""
    return {"telnum": item.telnum, "uri": item.uri, "active": item.active}


@section.get(
    "/sipuri-transfers",
    query=SipuriTransferListQuery,
    answer=SipuriTransferPage,
    right=VIEW,
    shows=PAGE,
    summary="List of SIP call forwardings",
)
async def list_transfers(call: Call, params: SipuriTransferListQuery) -> Response:
    """Search in telnum, uri."""
    page = await call.services.directory.sipuri_transfers.list(
        call.domain, search=params.search, start=params.start, limit=params.limit
    )
    return answer(envelope(page, show))


@section.get(
    "/sipuri-transfers/{telnum}",
    answer=SipuriTransferView,
    right=VIEW,
    shows=SHOWN,
    summary="SIP call forwarding parameters",
)
async def get_transfer(call: Call) -> Response:
    """One of them."""
    transfers = call.services.directory.sipuri_transfers
    return answer(show(await transfers.get(call.domain, call.path["telnum"])))


@section.post(
    "/sipuri-transfers",
    body=SipuriTransferAddition,
    answer=SipuriTransferView,
    right=CREATING,
    example=ADDITION,
    shows=SHOWN,
    summary="Adding a SIP call forwarding",
)
async def add_transfer(call: Call, params: SipuriTransferAddition) -> Response:
    """The address is made up by the VPBX."""
    transfers = call.services.directory.sipuri_transfers
    return answer(show(await transfers.add(call.domain, params.sent())))


@section.put(
    "/sipuri-transfers/{telnum}",
    body=SipuriTransferChange,
    answer=SipuriTransferView,
    right=EDITING,
    example=CHANGE,
    shows=SHOWN,
    summary="Editing a SIP call forwarding",
)
async def edit_transfer(call: Call, params: SipuriTransferChange) -> Response:
    """Only what is sent changes."""
    transfers = call.services.directory.sipuri_transfers
    return answer(show(await transfers.edit(call.domain, call.path["telnum"], params.sent())))


@section.delete(
    "/sipuri-transfers/{telnum}", right=DELETING, summary="Deleting a SIP call forwarding"
)
async def delete_transfer(call: Call) -> Response:
    """Calls to the address are no longer taken."""
    await call.services.directory.sipuri_transfers.delete(call.domain, call.path["telnum"])
    return no_content()
