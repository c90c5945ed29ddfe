"""Who is rung for a call: one employee, with all the legs that ring at them."""

from __future__ import annotations

from vpbx.calls.addresses import party_of
from vpbx.calls.inbox import Reminder
from vpbx.calls.leg import Leg
from vpbx.calls.outcome import Result
from vpbx.directory import Employee
from vpbx.events import Group, Party

__all__ = ["Person"]


class Person:
    """One employee being rung."""

    __slots__ = ("employee", "group", "legs", "mobile_due", "party", "result")

    def __init__(self, employee: Employee, group: Group | None) -> None:
        self.employee = employee
        self.party: Party = party_of(employee)
        self.group = group
        self.legs: list[Leg] = []
        self.mobile_due: Reminder | None = None
        self.result = Result.UNREACHABLE

    @property
    def reachable(self) -> bool:
        """Whether they may still answer."""
        return bool(self.legs) or self.mobile_due is not None
