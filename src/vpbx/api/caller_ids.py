"""Outgoing numbers (crm-api §12)."""

from __future__ import annotations

from pydantic import Field

from vpbx.api.fields import Request, Text
from vpbx.api.models import Id, Model
from vpbx.api.operation import Section

__all__ = ["section"]

section = Section(
    "Outgoing numbers",
    "The number shown for an outgoing call is the first of: clid of makecall, the employee's, "
    "their department's, that of the called number's region, main.",
)

VIEW = ("Outgoing numbers", "View")
EDITING = ("Outgoing numbers", "Editing")
DELETING = ("Outgoing numbers", "Deleting")


class UserNumber(Model):
    """An employee's outgoing number."""

    login: str
    name: str
    telnum: str


class IdNumber(Id):
    """A department's or region's outgoing number."""

    telnum: str


class CallerIds(Model):
    """Outgoing numbers."""

    main: str
    users: list[UserNumber]
    groups: list[IdNumber]
    regions: list[IdNumber]


class OutgoingTelnum(Model):
    """A number of the domain."""

    telnum: str
    enabled: bool = Field(description="May be shown for outgoing calls.")


class MainNumber(Request):
    """The company's outgoing number."""

    telnum: Text


class UserNumberSetting(Request):
    """An employee's outgoing number."""

    telnum: Text
    login: Text = Field(description="Login or internal number.")


class GroupNumberSetting(Request):
    """A department's outgoing number."""

    telnum: Text
    id: Text = Field(description="A department's id.")


class RegionNumberSetting(Request):
    """A region's outgoing number."""

    telnum: Text
    id: Text = Field(description="A region's id, from GET /caller-ids/regions.")
