"""Connecting other PBXs (crm-api §16)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from vpbx.api.fields import Request, Text
from vpbx.api.models import Model
from vpbx.api.operation import Section
from vpbx.api.paging import Info, ListQuery
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

    domain: Text
    name: Text
    key: Text = Field(description="The same on both sides.")


class BranchChange(Request):
    """Only what is sent changes."""

    name: Text = ""


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
