"""A call that the CRM asks for: the employee's phones first, then the customer (crm-api §5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from vpbx.calls.addresses import Shown, party_of
from vpbx.calls.call import Call
from vpbx.calls.devices import devices_of
from vpbx.calls.internal import begin_inner
from vpbx.calls.outcome import Ender, Over
from vpbx.calls.outgoing import number_shown
from vpbx.calls.restrictions import may_call
from vpbx.calls.ringing import ring
from vpbx.calls.staff import members_of
from vpbx.calls.statuses import announcement, code_for_caller, sip_code
from vpbx.calls.switch import Switch
from vpbx.calls.walk import walk
from vpbx.directory import (
    Department,
    DomainConfig,
    Employee,
    FieldError,
    Invalid,
    Number,
    PhoneNumber,
    normalize,
    read_number,
)
from vpbx.directory.goals import Goal, ToBranch, ToOutside, goal_of, of_ext
from vpbx.events import Direction
from vpbx.frozen import dataclass
from vpbx.story import status_of

A = TypeVar("A")
B = TypeVar("B")

__all__ = [
    "MadeCall",
    "MakeCall",
    "Outside",
    "Plan",
    "TooManyCalls",
    "check_phone",
    "explain",
    "plan_call",
]


@dataclass(frozen=True, slots=True)
class MadeCall:
    """A call under way. `clid` is the number asked for, when it may be shown; else None."""

    callid: str
    clid: str | None


@dataclass(frozen=True, slots=True)
class Outside:
    """An outside number to be called, showing `number`."""

    called: str
    number: Number
    extension: str = ""
    """What is dialled after the answer."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A request to make a call, found to be possible."""

    employee: Employee
    callee: Outside | Goal
    clid: str | None
    shown: Shown
    """What the employee sees."""


class TooManyCalls(Exception):
    """As many calls are made for the employee as may be at once; `str()` says so."""


class MakeCall:
    """The route: ring the employee; when they answer, call the other side and join the two."""

    def __init__(self, plan: Plan) -> None:
        self._employee = plan.employee
        self._callee = plan.callee

    async def __call__(self, call: Call) -> Over:
        goal = self._begin(call)
        await call.open_media()
        limit_s = call.domain.ring_timeout_s
        rung = await ring(call, [(self._employee, None)], limit_s, insist=True)
        if isinstance(rung, Over):
            call.ended_by = Ender.CALLER  # who the call was for did not take it
            return rung
        await call.seat_guest(rung.leg)
        await call.progress()
        if not isinstance(self._callee, Outside):
            call.shown = Shown(self._employee.ext or self._employee.login, self._employee.name)
        outcome = await walk(call, goal)
        if call.journal.answered_at is None:
            await explain(call, outcome)
        return outcome

    def _begin(self, call: Call) -> Goal:
        if isinstance(self._callee, Outside):
            call.journal.start(party_of(self._employee))
            call.post_dial = self._callee.extension
            return ToOutside(self._callee.called)
        begin_inner(call, self._callee, self._employee)
        return self._callee


async def explain(call: Call, outcome: Over) -> None:
    """Say to the waiting employee why nobody answers; that is decided, whatever they do."""
    call.settled = outcome
    code = code_for_caller(outcome.code) if outcome.code else sip_code(outcome.result)
    status = status_of(Direction.OUT, answered=False, code=code)
    await call.hear_out(announcement(status))


def plan_call(
    switch: Switch,
    domain: DomainConfig,
    *,
    phone: str,
    user: str,
    group: str | None,
    clid: str | None,
    show_phone: bool,
) -> Plan:
    """Find out who is to call whom, showing what; raises Invalid naming every field at fault."""
    employee, callee = _gathered(
        lambda: _employee(domain, user) if user else _free(switch, domain, group or ""),
        lambda: _callee(domain, phone),
    )
    _gathered(
        lambda: check_phone(switch, domain, employee),
        lambda: _allowed(domain, employee, callee),
    )
    if isinstance(callee, ToBranch):
        return Plan(employee, callee, None, Shown(callee.ext))
    if not isinstance(callee, PhoneNumber):
        if isinstance(callee, Employee) and callee.login == employee.login:
            raise Invalid.one("phone", "this is the employee's own internal number")
        return Plan(employee, goal_of(callee), None, Shown(callee.ext, callee.name))
    called = callee.digits
    number = _asked_for(domain, clid)
    allowed = number.telnum if number is not None else None
    number = number or number_shown(domain, employee, called)
    if number is None:
        raise Invalid.one("phone", "the company has no number to call from")
    shown = Shown(called) if show_phone else Shown(number.telnum, number.name)
    return Plan(employee, Outside(called, number, callee.extension), allowed, shown)


def _gathered(first: Callable[[], A], second: Callable[[], B]) -> tuple[A, B]:
    """Return what both return; an Invalid says what either finds wrong."""
    wrong: list[FieldError] = []
    found: list[Any] = []
    for look in (first, second):
        try:
            found.append(look())
        except Invalid as error:
            wrong.extend(error.errors)
    if wrong:
        raise Invalid(wrong)
    return found[0], found[1]


def _employee(domain: DomainConfig, user: str) -> Employee:
    employee = domain.find_employee(user)
    if employee is None:
        raise Invalid.one("user", "there is no such employee")
    return employee


def _callee(domain: DomainConfig, phone: str) -> Employee | Department | ToBranch | PhoneNumber:
    """Return whom `phone` names: somebody inside by ext, a connected PBX's ext, or outside."""
    across = of_ext(domain, phone.strip())
    if isinstance(across, ToBranch):
        return across
    inside = domain.callee(phone.strip())
    if inside is None:
        dialled = read_number(phone, domain.country, "phone")
        return domain.callee(dialled.digits) or dialled
    return inside


def _allowed(domain: DomainConfig, employee: Employee, callee: object) -> None:
    if isinstance(callee, PhoneNumber) and not may_call(domain, employee, callee.digits):
        raise Invalid.one("phone", "the employee may not call this direction (call restrictions)")


def check_phone(switch: Switch, domain: DomainConfig, employee: Employee) -> None:
    """Raise `vpbx.directory.Invalid` naming `user` when nothing of theirs can be rung."""
    if not _has_phone(switch, domain, employee):
        raise Invalid.one(
            "user", "the employee has no registered device and no redirect to a mobile"
        )


def _has_phone(switch: Switch, domain: DomainConfig, employee: Employee) -> bool:
    """Say whether anything can be rung: a device, or the mobile they are redirected to."""
    if employee.mobile_redirect.enabled and employee.mobile:
        return True
    return bool(devices_of(switch, domain, employee))


def _free(switch: Switch, domain: DomainConfig, group: str) -> Employee:
    """Return the first employee of a department who can take a call now."""
    if not group:
        raise Invalid.one("user", "an employee's login or internal number is needed")
    department = domain.find_department(group)
    if department is None:
        raise Invalid.one("group", "there is no such department")
    for employee in members_of(domain, department.id):
        if employee.receives_calls and switch.staff.available(domain.id, employee.login):
            return employee
    raise Invalid.one("group", "nobody of the department is free and registered")


def _asked_for(domain: DomainConfig, clid: str | None) -> Number | None:
    """Return the number asked for, if it may be shown."""
    if not clid:
        return None
    try:
        telnum = normalize(clid, domain.country, "clid")
    except Invalid:
        return None
    return domain.numbers.get(telnum) if telnum in domain.numbers_allowed_as_clid else None
