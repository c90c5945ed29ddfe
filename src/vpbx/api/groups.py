"""Departments (crm-api §8)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vpbx.api.fields import Flag, Number, Request, Text, Texts
from vpbx.api.models import Model, only_if
from vpbx.api.operation import Section
from vpbx.api.paging import Info, ListQuery

__all__ = ["section"]

section = Section("Departments", "Departments: who is rung for a call, in which order.")

CallOrder = Literal["ALL", "EVENLY", "BYORDER", "WATERFALL"]
Advanced = Literal["off", "msg_busy", "callback"]
Target = Literal["voicemail", "user", "group", "telnum", "msg_busy"]
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

    login: Text = Field(description="Login or internal number.")
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

    name: Text = ""
    ext: Text = ""
    call_order: CallOrder = Field("ALL", description=ORDER)
    call_duration: Number = Field(15, description=DURATION)
    timeout: TimeoutSetting | None = None
    advanced: Advanced = Field("off", description=ADVANCED)
    queue_position: Flag = False
    users: list[MemberSetting] = Field([], max_length=1000)


class GroupAddition(GroupChange):
    """A new department."""

    name: Text
    ext: Text = Field("", description="Default: the lowest free one.")


class GroupUsersChange(Request):
    """First add (receiving on), then calls_disable, then remove; logins or internal numbers."""

    add: Texts = Field([])
    calls_disable: Texts = Field([])
    remove: Texts = Field([])
    position: Number = Field(-1, ge=-1, description="Where to add: 0 first, -1 last, or n.")
