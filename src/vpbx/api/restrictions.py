"""Call restrictions (crm-api §13)."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field
from starlette.responses import Response

from vpbx.api.answer import answer
from vpbx.api.fields import Name, Request, Text, as_list, as_text
from vpbx.api.models import Id, LoginName, Model
from vpbx.api.operation import Call, Section
from vpbx.api.plain import done
from vpbx.directory import DomainConfig, ordered

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
    """Directions to forbid. Without any 400: a rule that went as a whole would widen rights."""

    allowed: Allowed = Field(min_length=1, description="A direction; repeat it for several.")


class UserRuleSetting(Request):
    """Directions an employee may call."""

    login: Name = Field(description="Login or internal number.")
    allowed: Allowed


class GroupRuleSetting(Request):
    """Directions the employees of a department may call."""

    id: Text = Field("", description="A department's id.")
    login: Text = Field("", description="The same, as some clients call it.")
    allowed: Allowed


UserRules: TypeAlias = list[UserRuleSetting]
GroupRules: TypeAlias = list[GroupRuleSetting]


LOCAL = ["LOCAL"]
_ALLOWED = attrgetter("allowed")
_AS_NOW = "Answers the rules of those named, as they are now."
_LEFT_EMPTY = "A rule left empty forbids everything outside."
USER_RULES = [{"login": "admin", "name": "Administrator", "allowed": ["CIS"]}]
GROUP_RULES = [{"id": "sales", "name": "Sales department", "allowed": LOCAL}]


def _users(domain: DomainConfig, rules: Mapping[str, frozenset[str]]) -> list[dict[str, Any]]:
    return [
        {
            "login": login,
            "name": domain.employees[login].name,
            "allowed": ordered(allowed),
        }
        for login, allowed in rules.items()
        if login in domain.employees
    ]


def _groups(domain: DomainConfig, rules: Mapping[str, frozenset[str]]) -> list[dict[str, Any]]:
    return [
        {"id": gid, "name": domain.departments[gid].name, "allowed": ordered(allowed)}
        for gid, allowed in rules.items()
        if gid in domain.departments
    ]


@section.get(
    "/calls-restrictions",
    answer=Restrictions,
    right=VIEW,
    shows={"main": LOCAL, "users": USER_RULES, "groups": GROUP_RULES},
    summary="Call restriction settings",
)
async def get_restrictions(call: Call) -> Response:
    """Rules for all employees, for single ones and for departments."""
    domain = await call.services.directory.current(call.domain)
    rules = domain.settings.restrictions
    return answer(
        {
            "main": ordered(rules.main),
            "users": _users(domain, rules.users),
            "groups": _groups(domain, rules.groups),
        }
    )


@section.post(
    "/calls-restrictions/main",
    body=AllowedSetting,
    answer=AllowedView,
    right=EDITING,
    example={"allowed": ["CIS"]},
    shows={"allowed": ["CIS", "LOCAL"]},
    summary="Add allowed direction for everyone",
)
async def allow_everyone(call: Call, params: AllowedSetting) -> Response:
    """Answers all directions that are now allowed."""
    rules = call.services.directory.restrictions
    return answer({"allowed": await rules.add_main(call.domain, params.allowed)})


section.delete(
    "/calls-restrictions/main",
    query=AllowedQuery,
    right=DELETING,
    summary="Remove allowed direction for everyone",
)(
    done(
        lambda directory: directory.restrictions.delete_main,
        "Take directions from everyone.",
        take=_ALLOWED,
    )
)


async def _answer_users(call: Call, rules: Mapping[str, frozenset[str]]) -> Response:
    return answer(_users(await call.services.directory.current(call.domain), rules))


async def _answer_groups(call: Call, rules: Mapping[str, frozenset[str]]) -> Response:
    return answer(_groups(await call.services.directory.current(call.domain), rules))


section.post(
    "/calls-restrictions/users",
    body=UserRules,
    answer=list[UserRule],
    right=EDITING,
    example=[{"login": "admin", "allowed": ["CIS"]}, {"login": "director", "allowed": ["RU"]}],
    shows=USER_RULES,
    summary="Add an allowed direction for employees",
)(done(lambda directory: directory.restrictions.add_users, _AS_NOW, show=_answer_users))
section.delete(
    "/calls-restrictions/users/{login}",
    query=AllowedQuery,
    right=DELETING,
    summary="Remove an allowed direction for the employee",
)(
    done(
        lambda directory: directory.restrictions.delete_user,
        _LEFT_EMPTY,
        path=("login",),
        take=_ALLOWED,
    )
)
section.post(
    "/calls-restrictions/groups",
    body=GroupRules,
    answer=list[GroupRule],
    right=EDITING,
    example=[{"id": "sales", "allowed": ["LOCAL"]}],
    shows=GROUP_RULES,
    summary="Add an allowed direction for the department",
)(done(lambda directory: directory.restrictions.add_groups, _AS_NOW, show=_answer_groups))
section.delete(
    "/calls-restrictions/groups/{id}",
    query=AllowedQuery,
    right=DELETING,
    summary="Remove an allowed direction for the department",
)(
    done(
        lambda directory: directory.restrictions.delete_group,
        _LEFT_EMPTY,
        path=("id",),
        take=_ALLOWED,
    )
)
