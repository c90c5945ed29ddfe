"""Call recording, BLF and voicemail: lists of employees and departments (crm-api §11)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Protocol, TypeAlias

from pydantic import Field
from starlette.responses import Response

from vpbx.api.answer import answer
from vpbx.api.domain import DELETING, EDITING, VIEW, section
from vpbx.api.fields import Request, Text, Texts
from vpbx.api.models import Id, LoginName, Model
from vpbx.api.operation import Call
from vpbx.api.plain import done
from vpbx.directory import Department, Directory, DomainConfig, Employee

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


class _Members(Protocol):
    """A list of employees or departments that the directory keeps."""

    async def add(self, domain: DomainConfig, names: Iterable[str]) -> None: ...

    async def delete(self, domain: DomainConfig, names: Iterable[str]) -> None: ...


def _members(
    path: str,
    chosen: Callable[[Directory], _Members],
    *,
    adding: tuple[str, str],
    deleting: str,
    of_departments: bool = False,
) -> None:
    """Let a list be added to (`adding`: summary and description) and deleted from."""
    item, query, example = (
        ("group", GroupsQuery, ["sales"])
        if of_departments
        else ("user", UsersQuery, ["admin", "702"])
    )
    summary, doc = adding
    section.post(path, body=Names, item=item, right=EDITING, example=example, summary=summary)(
        done(lambda directory: chosen(directory).add, doc)
    )
    section.delete(path, query=query, right=DELETING, summary=deleting)(
        done(
            lambda directory: chosen(directory).delete,
            "Nothing changes when one of them is not in the list.",
            take=attrgetter(item),
        )
    )


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


_members(
    "/record/users-exception",
    lambda directory: directory.record_exceptions,
    adding=(
        "Adding employees to the exclusion list",
        "These are never recorded; logins or internal numbers.",
    ),
    deleting="Removing employees from the exclusion list",
)


@section.get(
    "/blf/users", answer=list[LoginName], right=VIEW, shows=LOGINS, summary="Employee list (BLF)"
)
async def list_blf(call: Call) -> Response:
    """Employees whose phones may watch colleagues' lines (SUBSCRIBE `dialog`, RFC 4235)."""
    return answer(_people(await call.services.directory.blf.list(call.domain)))


_members(
    "/blf/users",
    lambda directory: directory.blf,
    adding=("Adding employees (BLF)", "Logins or internal numbers."),
    deleting="Deleting employees (BLF)",
)


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


_members(
    "/am/users",
    lambda directory: directory.am_users,
    adding=("Add employees for forwarding voicemail messages", "Logins or internal numbers."),
    deleting="Deleting employees from voicemail message forwarding",
)
_members(
    "/am/groups",
    lambda directory: directory.am_groups,
    adding=("Add departments for forwarding voicemail messages", "Ids of departments."),
    deleting="Deleting departments from voicemail message forwarding",
    of_departments=True,
)
