"""A call inside the company: to an employee, to a department, or by a feature code."""

from __future__ import annotations

from vpbx.calls.addresses import party_of
from vpbx.calls.call import Call
from vpbx.calls.outcome import Over
from vpbx.calls.walk import owner_of, walk
from vpbx.directory import Employee
from vpbx.directory.goals import Goal
from vpbx.events import Destination, Party

__all__ = ["Internal", "Service", "Visit", "begin_inner"]


class Internal:
    """The route of a call from `employee` to somebody of their company."""

    def __init__(self, employee: Employee, goal: Goal) -> None:
        self._employee = employee
        self._goal = goal

    async def __call__(self, call: Call) -> Over:
        call.engage(self._employee.login)
        begin_inner(call, self._goal, self._employee)
        await call.open_media()
        return await walk(call, self._goal)


class Visit:
    """The route of a call from `caller` of a connected PBX to somebody of this company."""

    def __init__(self, caller: Party, goal: Goal) -> None:
        self._caller = caller
        self._goal = goal

    async def __call__(self, call: Call) -> Over:
        user, group = owner_of(call.domain, self._goal)
        call.engage(self._caller.login)
        call.journal.start(user, group=group, caller=self._caller)
        await call.open_media()
        return await walk(call, self._goal)


class Service:
    """The route of a call by which `employee` has something done: a feature code."""

    def __init__(self, employee: Employee, code: str, goal: Goal) -> None:
        self._employee = employee
        self._code = code
        self._goal = goal

    async def __call__(self, call: Call) -> Over:
        call.engage(self._employee.login)
        call.journal.start(None, caller=party_of(self._employee), account=self._code)
        await call.open_media()
        await call.pick_up()
        call.journal.take(Destination.NONE, account=self._code)
        return await walk(call, self._goal)


def begin_inner(call: Call, goal: Goal, caller: Employee) -> None:
    """Journal an inner call; a department stands for its first employee."""
    user, group = owner_of(call.domain, goal)
    call.journal.start(user, group=group, caller=party_of(caller))
