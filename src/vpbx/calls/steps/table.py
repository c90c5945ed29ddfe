"""Which step serves which goal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from vpbx.calls.call import Call
from vpbx.calls.outcome import Outcome
from vpbx.calls.steps.branch import branch
from vpbx.calls.steps.department import department
from vpbx.calls.steps.dnd import dnd
from vpbx.calls.steps.echo import echo
from vpbx.calls.steps.employee import employee
from vpbx.calls.steps.fax import fax
from vpbx.calls.steps.hours import hours
from vpbx.calls.steps.mailbox import mailbox
from vpbx.calls.steps.menu import menu
from vpbx.calls.steps.message import message
from vpbx.calls.steps.notice import notice
from vpbx.calls.steps.outside import outside
from vpbx.calls.steps.park import park
from vpbx.calls.steps.voicemail import voicemail
from vpbx.directory.goals import (
    ByHours,
    Goal,
    SetDnd,
    ToBranch,
    ToDepartment,
    ToEcho,
    ToEmployee,
    ToFax,
    ToMailbox,
    ToMenu,
    ToMessage,
    ToNotice,
    ToOutside,
    ToPark,
    ToVoicemail,
)

__all__ = ["STEPS", "Step"]

Step: TypeAlias = Callable[[Call, Any], Awaitable[Outcome]]

STEPS: dict[type[Goal], Step] = {
    ToEmployee: employee,
    ToDepartment: department,
    ToMenu: menu,
    ToBranch: branch,
    ByHours: hours,
    ToOutside: outside,
    ToMessage: message,
    ToNotice: notice,
    ToPark: park,
    ToEcho: echo,
    ToVoicemail: voicemail,
    ToFax: fax,
    ToMailbox: mailbox,
    SetDnd: dnd,
}
