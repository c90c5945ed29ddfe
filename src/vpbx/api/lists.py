"""Call recording, BLF and voicemail: lists of employees and departments (crm-api §11)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from pydantic import Field
from starlette.responses import Response

from vpbx.api.answer import answer, no_content
from vpbx.api.domain import DELETING, EDITING, VIEW, section
from vpbx.api.fields import Request, Text, Texts
from vpbx.api.models import Id, LoginName, Model
from vpbx.api.operation import Call
from vpbx.directory import Department, Employee

__all__ = ["section"]

Names: TypeAlias = list[Text]
LOGINS = [{"login": "admin", "name": "Administrator"}]
GROUPS = [{"id": "sales", "name": "Sales department"}]


class RecordView(Model):
    """What is recorded."""

    external: bool
    inner: bool
    users_exception: list[LoginName] = Field(description="Never recorded.")


class VoicemailView(Model):
    """Who gets voicemail by e-mail."""

    all: bool
    users: list[LoginName]
    groups: list[Id]
    email: str


class UsersQuery(Request):
    """Whom to take from the list."""

    user: Texts = Field(description="Login or internal number; repeat it for several.")


class GroupsQuery(Request):
    """Which to take from the list."""

    group: Texts = Field(description="A department's id; repeat it for several.")


def _people(employees: Iterable[Employee]) -> list[dict[str, str]]:
    return [{"login": each.login, "name": each.name} for each in employees]


def _departments(departments: Iterable[Department]) -> list[dict[str, str]]:
    return [{"id": each.id, "name": each.name} for each in departments]


@section.get(
    "/record",
    answer=RecordView,
    right=VIEW,
    shows={"external": True, "inner": True, "users_exception": LOGINS},
    summary="Getting call recording settings",
)
async def get_record(call: Call) -> Response:
    """What is recorded, and who never is."""
    directory = call.services.directory
    domain = await directory.current(call.domain)
    exceptions = await directory.record_exceptions.list(domain)
    return answer(
        {
            "external": domain.record_external,
            "inner": domain.record_inner,
            "users_exception": _people(exceptions),
        }
    )


@section.post(
    "/record/users-exception",
    body=Names,
    item="user",
    right=EDITING,
    example=["admin", "702"],
    summary="Adding employees to the exclusion list",
)
async def add_record_exceptions(call: Call, params: list[str]) -> Response:
    """These are never recorded; logins or internal numbers."""
    await call.services.directory.record_exceptions.add(call.domain, params)
    return no_content()


@section.delete(
    "/record/users-exception",
    query=UsersQuery,
    right=DELETING,
    summary="Removing employees from the exclusion list",
)
async def delete_record_exceptions(call: Call, params: UsersQuery) -> Response:
    """Nothing changes when one of them is not in the list."""
    await call.services.directory.record_exceptions.delete(call.domain, params.user)
    return no_content()


@section.get(
    "/blf/users", answer=list[LoginName], right=VIEW, shows=LOGINS, summary="Employee list (BLF)"
)
async def list_blf(call: Call) -> Response:
    """Employees whose phones may watch colleagues' lines (SUBSCRIBE `dialog`, RFC 4235)."""
    return answer(_people(await call.services.directory.blf.list(call.domain)))


@section.post(
    "/blf/users",
    body=Names,
    item="user",
    right=EDITING,
    example=["admin", "702"],
    summary="Adding employees (BLF)",
)
async def add_blf(call: Call, params: list[str]) -> Response:
    """Logins or internal numbers."""
    await call.services.directory.blf.add(call.domain, params)
    return no_content()


@section.delete("/blf/users", query=UsersQuery, right=DELETING, summary="Deleting employees (BLF)")
async def delete_blf(call: Call, params: UsersQuery) -> Response:
    """Nothing changes when one of them is not in the list."""
    await call.services.directory.blf.delete(call.domain, params.user)
    return no_content()


@section.get(
    "/am",
    answer=VoicemailView,
    right=VIEW,
    shows={"all": False, "users": LOGINS, "groups": GROUPS, "email": ""},
    summary="Voicemail settings",
)
async def get_voicemail(call: Call) -> Response:
    """Who gets voicemail messages by e-mail."""
    directory = call.services.directory
    domain = await directory.current(call.domain)
    return answer(
        {
            "all": domain.settings.voicemail.all,
            "users": _people(await directory.am_users.list(domain)),
            "groups": _departments(await directory.am_groups.list(domain)),
            "email": domain.settings.voicemail.email,
        }
    )


@section.post(
    "/am/users",
    body=Names,
    item="user",
    right=EDITING,
    example=["admin", "702"],
    summary="Add employees for forwarding voicemail messages",
)
async def add_voicemail_users(call: Call, params: list[str]) -> Response:
    """Logins or internal numbers."""
    await call.services.directory.am_users.add(call.domain, params)
    return no_content()


@section.delete(
    "/am/users",
    query=UsersQuery,
    right=DELETING,
    summary="Deleting employees from voicemail message forwarding",
)
async def delete_voicemail_users(call: Call, params: UsersQuery) -> Response:
    """Nothing changes when one of them is not in the list."""
    await call.services.directory.am_users.delete(call.domain, params.user)
    return no_content()


@section.post(
    "/am/groups",
    body=Names,
    item="group",
    right=EDITING,
    example=["sales"],
    summary="Add departments for forwarding voicemail messages",
)
async def add_voicemail_groups(call: Call, params: list[str]) -> Response:
    """Ids of departments."""
    await call.services.directory.am_groups.add(call.domain, params)
    return no_content()


@section.delete(
    "/am/groups",
    query=GroupsQuery,
    right=DELETING,
    summary="Deleting departments from voicemail message forwarding",
)
async def delete_voicemail_groups(call: Call, params: GroupsQuery) -> Response:
    """Nothing changes when one of them is not in the list."""
    await call.services.directory.am_groups.delete(call.domain, params.group)
    return no_content()
