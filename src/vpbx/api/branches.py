"""Connecting other PBXs (crm-api §16)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from starlette.responses import Response

from vpbx.api.answer import answer, no_content
from vpbx.api.fields import Name, Request
from vpbx.api.models import Model
from vpbx.api.operation import Call, Section
from vpbx.api.paging import Info, ListQuery, envelope
from vpbx.directory import Branch

__all__ = ["section"]

section = Section(
    "Connecting other PBXs",
    "Two domains connect when each has added the other with the same key.",
)

VIEW = ("Connecting other PBXs", "View")
CREATING = ("Connecting other PBXs", "Creating")
EDITING = ("Connecting other PBXs", "Editing")
DELETING = ("Connecting other PBXs", "Deleting")
SHOWN = {
    "name": "Subsidiary company",
    "domain": "example1.com",
    "status": "waiting",
    "users_count": 0,
    "groups_count": 0,
    "exts_count": 0,
    "collisions_count": 0,
}
ADDITION = {
    "domain": "example1.com",
    "name": "Subsidiary company",
    "key": "16faeb17-be58-43e8-be9f-5eceabfe2e5c",
}
CHANGE = {"name": "Subsidiary company"}
PAGE = {"items": [SHOWN], "info": {"search": "", "total": 1, "start": 0, "limit": 1}}


class BranchView(Model):
    """A connection."""

    name: str
    domain: str
    status: Literal["waiting", "success", "error"]
    users_count: int
    groups_count: int
    exts_count: int
    collisions_count: int = Field(description="Internal numbers used on both sides.")


class BranchPage(Model):
    """Connections."""

    items: list[BranchView]
    info: Info


class BranchListQuery(ListQuery):
    """Search in name, domain."""


class BranchAddition(Request):
    """A new connection."""

    domain: Name
    name: Name
    key: Name = Field(description="The same on both sides.")


class BranchChange(Request):
    """Only what is sent changes."""

    name: Name = ""


def show(item: Branch) -> dict[str, Any]:
    """Return a connection as BranchView."""
    return {
        "name": item.name,
        "domain": item.domain,
        "status": item.status.value,
        "users_count": item.users_count,
        "groups_count": item.groups_count,
        "exts_count": item.exts_count,
        "collisions_count": item.collisions_count,
    }


@section.get(
    "/branches",
    query=BranchListQuery,
    answer=BranchPage,
    right=VIEW,
    shows=PAGE,
    summary="List of connections",
)
async def list_branches(call: Call, params: BranchListQuery) -> Response:
    """Search in name, domain."""
    page = await call.services.directory.branches.list(
        call.domain, search=params.search, start=params.start, limit=params.limit
    )
    return answer(envelope(page, show))


@section.get(
    "/branches/{domain}",
    answer=BranchView,
    right=VIEW,
    shows=SHOWN,
    summary="Connection parameters",
)
async def get_branch(call: Call) -> Response:
    """One of them."""
    branches = call.services.directory.branches
    return answer(show(await branches.get(call.domain, call.path["domain"])))


@section.post(
    "/branches",
    body=BranchAddition,
    answer=BranchView,
    right=CREATING,
    example=ADDITION,
    shows=SHOWN,
    summary="Adding a connection",
)
async def add_branch(call: Call, params: BranchAddition) -> Response:
    """It waits until the other side has added this one with the same key."""
    branches = call.services.directory.branches
    return answer(show(await branches.add(call.domain, params.sent())))


@section.put(
    "/branches/{domain}",
    body=BranchChange,
    answer=BranchView,
    right=EDITING,
    example=CHANGE,
    shows=SHOWN,
    summary="Editing a connection",
)
async def edit_branch(call: Call, params: BranchChange) -> Response:
    """Only what is sent changes."""
    branches = call.services.directory.branches
    return answer(show(await branches.edit(call.domain, call.path["domain"], params.sent())))


@section.delete("/branches/{domain}", right=DELETING, summary="Deleting a connection")
async def delete_branch(call: Call) -> Response:
    """Its employees leave the departments they were members of."""
    await call.services.directory.branches.delete(call.domain, call.path["domain"])
    return no_content()


@section.post(
    "/branches/{domain}/sync",
    answer=BranchView,
    right=EDITING,
    shows=SHOWN,
    summary="Connection synchronization",
)
async def sync_branch(call: Call) -> Response:
    """Exchange directories now."""
    peer = call.path["domain"]
    if call.services.branches is not None:
        return answer(show(await call.services.branches.sync(call.domain, peer)))
    return answer(show(await call.services.directory.branches.sync(call.domain, peer)))
