"""Where a call can go: one union for all the ways a company says so (crm-api §8, §9).

A number's route, a menu's item, a department's timeout, the responsible employee, a dialled
internal number and a feature code are all goals. The functions below read each of them; whom a
goal names is looked up when the call gets there, in the snapshot of that moment.
"""

from __future__ import annotations

from typing import TypeAlias

from vpbx.directory.model import (
    Department,
    DomainConfig,
    Employee,
    Number,
    NumberType,
    TimeoutTarget,
)
from vpbx.directory.routes import Menu, MenuItem, Route, Subtype
from vpbx.frozen import dataclass

__all__ = [
    "CODES",
    "ByHours",
    "Goal",
    "SetDnd",
    "ToBranch",
    "ToDepartment",
    "ToEcho",
    "ToEmployee",
    "ToFax",
    "ToMailbox",
    "ToMenu",
    "ToMessage",
    "ToNotice",
    "ToOutside",
    "ToPark",
    "ToVoicemail",
    "goal_of",
    "of_code",
    "of_ext",
    "of_item",
    "of_name",
    "of_number",
    "of_route",
    "of_timeout",
]


@dataclass(frozen=True, slots=True)
class ToEmployee:
    """An employee's phones. `otherwise`: where to, if they do not take it; None: their
    voicemail where they have it, else the call is over. `insist`: they are rung though they talk
    or are not to be disturbed, for the call is theirs and comes back to them."""

    login: str
    otherwise: Goal | None = None
    insist: bool = False


@dataclass(frozen=True, slots=True)
class ToDepartment:
    """A department, by id."""

    id: str


@dataclass(frozen=True, slots=True)
class ToBranch:
    """An internal number of the connected PBX `domain` (crm-api §16)."""

    domain: str
    ext: str


@dataclass(frozen=True, slots=True)
class ToMenu:
    """A menu of a number."""

    menu: Menu


@dataclass(frozen=True, slots=True)
class ByHours:
    """What the schedule of a number says at this moment."""

    telnum: str


@dataclass(frozen=True, slots=True)
class ToOutside:
    """An outside number (digits, E.164). `by`: login of the employee who passes a call on to it,
    and whose number is shown; "": it is the company that sends the call there."""

    number: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class ToVoicemail:
    """A voice mailbox: of an employee, else of a department, else the company's."""

    user: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class ToFax:
    """The fax machine; the pages go to `user`."""

    user: str


@dataclass(frozen=True, slots=True)
class ToMessage:
    """A built-in message, after which the call is over. `closed`: that of closed hours; else it
    asks to call later."""

    closed: bool = False


@dataclass(frozen=True, slots=True)
class ToEcho:
    """One's own voice, to test a phone with."""


@dataclass(frozen=True, slots=True)
class ToMailbox:
    """The voice mailbox of who calls, to hear what is in it."""


@dataclass(frozen=True, slots=True)
class SetDnd:
    """Switch "do not disturb" of who calls on or off."""

    on: bool


@dataclass(frozen=True, slots=True)
class ToPark:
    """A parking place, where the guest waits until somebody dials it. `by`: login of who parks
    them, to whom they come back in the end; `place`: one that was told already."""

    by: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class ToNotice:
    """A built-in prompt, said to an employee after which the call is over."""

    prompt: str


Goal: TypeAlias = (
    ToEmployee
    | ToDepartment
    | ToBranch
    | ToMenu
    | ByHours
    | ToOutside
    | ToVoicemail
    | ToFax
    | ToMessage
    | ToEcho
    | ToMailbox
    | ToNotice
    | ToPark
    | SetDnd
)

MAILBOX = "*97"

CODES: dict[str, Goal] = {
    "*43": ToEcho(),
    "*5": ToPark(),
    "*78": SetDnd(on=True),
    "*79": SetDnd(on=False),
    MAILBOX: ToMailbox(),
}
"""What an employee dials to have something done: docs/phones.md tells them."""


def of_number(domain: DomainConfig, number: Number) -> Goal:
    """Return where a call to `number` goes; to the first administrator where nobody is set."""
    match number.type:
        case NumberType.FAX if number.user:
            return ToFax(number.user)
        case NumberType.IVR if number.ivr is not None:
            return ToMenu(number.ivr)
        case NumberType.SCHEDULER if number.work is not None and number.other is not None:
            return ByHours(number.telnum)
    employee = domain.find_employee(number.user) if number.user else None
    department = domain.find_department(number.group) if number.group else None
    if department is not None and (number.type is NumberType.GROUP or employee is None):
        return ToDepartment(department.id)
    return ToEmployee((employee or domain.first_admin()).login)


def of_route(route: Route) -> Goal:
    """Return where an attendant route leads."""
    match route.subtype:
        case Subtype.USER:
            return ToEmployee(route.user)
        case Subtype.GROUP:
            return ToDepartment(route.group)
        case Subtype.IVR if route.ivr is not None:
            return ToMenu(route.ivr)
        case Subtype.TELNUM:
            return ToOutside(route.telnum)
        case Subtype.VOICEMAIL:
            return ToVoicemail()
    return ToMessage(closed=True)


def of_item(item: MenuItem) -> Goal:
    """Return where a button of a menu leads."""
    if item.type == "ivr" and item.ivr is not None:
        return ToMenu(item.ivr)
    return ToDepartment(item.group) if item.type == "group" else ToEmployee(item.user)


def of_timeout(department: Department) -> Goal:
    """Return where a call goes that a department did not take in time."""
    timeout = department.timeout
    match timeout.target:
        case TimeoutTarget.VOICEMAIL:
            return ToVoicemail(group=department.id)
        case TimeoutTarget.USER:
            return ToEmployee(timeout.user)
        case TimeoutTarget.GROUP:
            return ToDepartment(timeout.group)
        case TimeoutTarget.TELNUM:
            return ToOutside(timeout.telnum)
    return ToMessage()


def goal_of(found: Employee | Department) -> ToEmployee | ToDepartment:
    """Return the goal that is this employee or department."""
    return ToDepartment(found.id) if isinstance(found, Department) else ToEmployee(found.login)


def of_ext(domain: DomainConfig, ext: str) -> Goal | None:
    """Return who answers an internal number or a login; of the same ext here and at a connected
    PBX the own one wins, of several connected ones the first by name. None: nobody."""
    found = domain.callee(ext)
    if found is not None:
        return goal_of(found)
    for name, branch in sorted(domain.settings.branches.items()):
        if ext and any(member.ext == ext for member in branch.members):
            return ToBranch(name, ext)
    return None


def of_code(domain: DomainConfig, dialled: str) -> Goal | None:
    """Return what a feature code stands for: one of `CODES`, or `*97` and the internal number of
    somebody who has voicemail, to leave a message there. None: it is no such code."""
    if dialled in CODES:
        return CODES[dialled]
    whose = domain.by_ext.get(dialled.removeprefix(MAILBOX)) if dialled[:3] == MAILBOX else None
    voicemail = domain.settings.voicemail
    if isinstance(whose, Employee):
        return ToVoicemail(user=whose.login) if voicemail.covers(domain, whose.login) else None
    if isinstance(whose, Department):
        return ToVoicemail(group=whose.id) if voicemail.boxes(domain, group=whose.id) else None
    return None


def of_name(domain: DomainConfig, name: str) -> Goal | None:
    """Return the employee (login, ext) or department (id, ext) of this name; None: nobody."""
    found = domain.find_employee(name) or domain.find_department(name)
    return goal_of(found) if found is not None else None
