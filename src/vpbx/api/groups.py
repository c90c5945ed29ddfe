"""Departments (crm-api §8)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from starlette.responses import Response

from vpbx.api.answer import answer, no_content
from vpbx.api.fields import Flag, Name, Number, Request, Text, Texts, one_or_more
from vpbx.api.models import Model, only_if
from vpbx.api.operation import Call, Section
from vpbx.api.paging import Info, ListQuery, envelope
from vpbx.directory import Department, DomainConfig, Member, TimeoutTarget

__all__ = ["section"]

section = Section("Departments", "Departments: who is rung for a call, in which order.")

CallOrder = Literal["ALL", "EVENLY", "BYORDER", "WATERFALL"]
Advanced = Literal["off", "msg_busy", "callback"]
Target = Literal["voicemail", "user", "group", "telnum", "msg_busy"]
ADDITION = {
    "name": "Supply department",
    "call_order": "EVENLY",
    "call_duration": 10,
    "advanced": "callback",
    "timeout": {"time": 30, "target": "user", "user": "admin"},
    "users": [
        {"login": "admin", "calls_enable": True},
        {"login": "ivan", "calls_enable": False},
    ],
}
GROUP = {
    "id": "g_0a922987-97ac-4f45-9e47-59a27d23c2cb",
    "name": "Supply department",
    "ext": "704",
    "call_order": "EVENLY",
    "call_duration": 10,
    "users": [
        {
            "login": "admin",
            "name": "Administrator",
            "calls_enable": True,
            "group_head": False,
            "is_absence_active": False,
            "is_forwarding_disabled": False,
        }
    ],
    "timeout": {"time": 30, "target": "user", "user": "admin"},
    "advanced": "callback",
    "queue_position": False,
}
PAGE = {"items": [GROUP], "info": {"search": "", "total": 1, "start": 0, "limit": 1}}
ORDER = (
    "ALL rings everybody at once; BYORDER one by one from the top; EVENLY one by one, starting "
    "with who has gone longest without a call; WATERFALL one by one, each joins those ringing."
)
DURATION = "How long an employee is rung: 5, 10, 15, 20, 25 or 30 s."
ADVANCED = "What a waiting caller is offered when all are busy."


class GroupUser(Model):
    """An employee of a department."""

    login: str
    name: str
    calls_enable: bool = Field(description="Receives the department's calls.")
    group_head: bool
    other_pbx_type: str = only_if("Only for an employee of a connected PBX.")
    branch_domain: str = only_if("Only for an employee of a connected PBX: its domain.")
    is_absence_active: bool = Field(description="Do not disturb.")
    is_forwarding_disabled: bool = Field(description="No device and no mobile redirect.")


class GroupTimeout(Model):
    """Where the call goes that nobody took in time."""

    time: int = Field(description="Seconds.")
    target: Target
    user: str = only_if("Only with target user.")
    group: str = only_if("Only with target group.")
    telnum: str = only_if("Only with target telnum.")


class Group(Model):
    """A department."""

    id: str
    name: str
    ext: str
    call_order: CallOrder = Field(description=ORDER)
    call_duration: int = Field(description=DURATION + " 0 for ALL.")
    users: list[GroupUser]
    timeout: GroupTimeout
    advanced: Advanced = Field(description=ADVANCED)
    queue_position: bool = Field(description="The waiting caller is told their place.")


class GroupPage(Model):
    """Departments."""

    items: list[Group]
    info: Info


class GroupListQuery(ListQuery):
    """Search in id, name, ext."""


class MemberSetting(Request):
    """An employee of the department."""

    login: Name = Field(description="Login or internal number.")
    branch_domain: Text = Field("", description="The connected PBX the employee belongs to.")
    calls_enable: Flag = Field(description="Receives the department's calls.")


class TimeoutSetting(Request):
    """Where the call goes that nobody took in time."""

    time: Number = Field(120, description="15, 30, 60, 120, 300 or 600 seconds.")
    target: Target = "voicemail"
    user: Text = Field("", description="Login or internal number, with target user.")
    group: Text = Field("", description="A department's id, with target group.")
    telnum: Text = Field("", description="An outside number, with target telnum.")


class GroupChange(Request):
    """Only what is sent changes; `users` replaces the list, in this order."""

    name: Name = ""
    ext: Text = ""
    call_order: CallOrder = Field("ALL", description=ORDER)
    call_duration: Number = Field(15, description=DURATION)
    timeout: TimeoutSetting | None = None
    advanced: Advanced = Field("off", description=ADVANCED)
    queue_position: Flag = False
    users: Annotated[list[MemberSetting], BeforeValidator(one_or_more)] = Field([])


class GroupAddition(GroupChange):
    """A new department."""

    name: Name
    ext: Text = Field("", description="Default: the lowest free one.")


class GroupUsersChange(Request):
    """First add (receiving on), then calls_disable, then remove; logins or internal numbers."""

    add: Texts = Field([])
    calls_disable: Texts = Field([])
    remove: Texts = Field([])
    position: Number = Field(-1, ge=-1, description="Where to add: 0 first, -1 last, or n.")


def show_group(call: Call, domain: DomainConfig, group: Department) -> dict[str, Any]:
    """Return a department as Group."""
    timeout = group.timeout
    shown_timeout: dict[str, Any] = {"time": timeout.time, "target": timeout.target.value}
    if timeout.target in (TimeoutTarget.USER, TimeoutTarget.GROUP, TimeoutTarget.TELNUM):
        name = timeout.target.value
        shown_timeout[name] = getattr(timeout, name)
    return {
        "id": group.id,
        "name": group.name,
        "ext": group.ext,
        "call_order": group.call_order.value,
        "call_duration": group.call_duration,
        "users": [_show_member(call, domain, member) for member in group.members],
        "timeout": shown_timeout,
        "advanced": group.advanced.value,
        "queue_position": group.queue_position,
    }


def _show_member(call: Call, domain: DomainConfig, member: Member) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "login": member.login,
        "name": member.name,
        "calls_enable": member.calls_enable,
        "group_head": member.group_head,
        "is_absence_active": False,
        "is_forwarding_disabled": False,
    }
    if member.branch_domain:
        shown["other_pbx_type"] = member.other_pbx_type
        shown["branch_domain"] = member.branch_domain
        return shown
    employee = domain.employees.get(member.login)
    if employee is None:  # deleted since the department was read
        return shown
    shown["is_absence_active"] = not employee.receives_calls
    shown["is_forwarding_disabled"] = not (
        employee.mobile_redirect.enabled
        or call.services.directory.users.is_online(domain, employee.login)
    )
    return shown


async def _answer(call: Call, group: Department) -> Response:
    domain = await call.services.directory.current(call.domain)
    return answer(show_group(call, domain, group))


@section.get(
    "/groups", query=GroupListQuery, answer=GroupPage, shows=PAGE, summary="List of departments"
)
async def list_groups(call: Call, params: GroupListQuery) -> Response:
    """Search in id, name, ext."""
    directory = call.services.directory
    page = await directory.groups.list(
        call.domain, search=params.search, start=params.start, limit=params.limit
    )
    domain = await directory.current(call.domain)
    return answer(envelope(page, lambda group: show_group(call, domain, group)))


@section.get("/groups/{id}", answer=Group, shows=GROUP, summary="Getting a department")
async def get_group(call: Call) -> Response:
    """One department."""
    groups = call.services.directory.groups
    return await _answer(call, await groups.get(call.domain, call.path["id"]))


@section.post(
    "/groups",
    body=GroupAddition,
    answer=Group,
    right=("Departments", "Creating"),
    example=ADDITION,
    shows=GROUP,
    summary="Adding a department",
)
async def add_group(call: Call, params: GroupAddition) -> Response:
    """A new department."""
    groups = call.services.directory.groups
    return await _answer(call, await groups.add(call.domain, params.sent()))


@section.put(
    "/groups/{id}",
    body=GroupChange,
    answer=Group,
    right=("Departments", "Editing"),
    example=ADDITION,
    shows=GROUP,
    summary="Department editing",
)
async def edit_group(call: Call, params: GroupChange) -> Response:
    """Only what is sent changes; `users` replaces the list, in this order."""
    groups = call.services.directory.groups
    return await _answer(call, await groups.edit(call.domain, call.path["id"], params.sent()))


@section.delete("/groups/{id}", right=("Departments", "Deleting"), summary="Deleting a department")
async def delete_group(call: Call) -> Response:
    """Whatever named it is cleaned."""
    await call.services.directory.groups.delete(call.domain, call.path["id"])
    return no_content()


@section.post(
    "/groups/{id}/users",
    body=GroupUsersChange,
    right=("Departments", "Editing"),
    example={
        "add": ["anton", "u707"],
        "position": 2,
        "calls_disable": ["ivan"],
        "remove": ["admin"],
    },
    summary="Changing employees in a department",
)
async def change_group_users(call: Call, params: GroupUsersChange) -> Response:
    """First add (receiving on), then calls_disable, then remove; logins or internal numbers."""
    groups = call.services.directory.groups
    await groups.change_users(call.domain, call.path["id"], params.sent())
    return no_content()
