"""Call restrictions (crm-api §13)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from vpbx.api.fields import Request, Text, as_list, as_text
from vpbx.api.models import Id, LoginName, Model
from vpbx.api.operation import Section

__all__ = ["section"]

section = Section(
    "Call restrictions",
    "Directions that may be called: RU Russia, 179 mobile, CIS, BALT, EURO, AUS, ASIA, AFR, NA, "
    "SA, OTH satellite and others, LOCAL home region, ALL. An employee's own rule counts; else a "
    "rule of one of their departments; else main.",
)

VIEW = ("Call restrictions", "View")
EDITING = ("Call restrictions", "Editing")
DELETING = ("Call restrictions", "Deleting")

Direction = Literal[
    "RU", "179", "CIS", "BALT", "EURO", "AUS", "ASIA", "AFR", "NA", "SA", "OTH", "LOCAL", "ALL"
]
Allowed = Annotated[
    # 179 may come as a number.
    list[Annotated[Direction, BeforeValidator(as_text)]],
    BeforeValidator(as_list),
    Field(max_length=13),
]


class UserRule(LoginName):
    """Directions an employee may call."""

    allowed: list[Direction]


class GroupRule(Id):
    """Directions the employees of a department may call."""

    allowed: list[Direction]


class Restrictions(Model):
    """Allowed directions."""

    main: list[Direction]
    users: list[UserRule]
    groups: list[GroupRule]


class AllowedView(Model):
    """All directions that are now allowed."""

    allowed: list[Direction]


class AllowedSetting(Request):
    """Directions to allow."""

    allowed: Allowed


class AllowedQuery(Request):
    """Directions to forbid."""

    allowed: Allowed = Field(description="A direction; repeat it for several.")


class UserRuleSetting(Request):
    """Directions an employee may call."""

    login: Text = Field(description="Login or internal number.")
    allowed: Allowed


class GroupRuleSetting(Request):
    """Directions the employees of a department may call."""

    id: Text = Field("", description="A department's id.")
    login: Text = Field("", description="The same, as some clients call it.")
    allowed: Allowed


UserRules = Annotated[list[UserRuleSetting], Field(max_length=1000)]
GroupRules = Annotated[list[GroupRuleSetting], Field(max_length=1000)]
