"""Who is rung for a call: one employee, with all the legs that ring at them."""

from __future__ import annotations

from vpbx.calls.addresses import party_of
from vpbx.calls.inbox import Reminder
from vpbx.calls.leg import Leg
from vpbx.calls.outcome import Result
from vpbx.causes import Cause
from vpbx.directory import Employee
from vpbx.events import Group, Party

__all__ = ["Person"]


_KINDS = {
    Result.BUSY: "busy",
    Result.DECLINED: "declined",
    Result.NO_ANSWER: "no_answer",
    Result.NOT_RECEIVING: "dnd",
}


class Person:
    """One employee being rung."""

    __slots__ = ("causes", "employee", "group", "legs", "mobile_due", "party", "result")

    def __init__(self, employee: Employee, group: Group | None) -> None:
        self.employee = employee
        self.party: Party = party_of(employee)
        self.group = group
        self.legs: list[Leg] = []
        self.mobile_due: Reminder | None = None
        self.result = Result.UNREACHABLE
        self.causes: list[Cause] = []
        """What has failed of theirs."""

    @property
    def name(self) -> str:
        """As people are told it."""
        return self.party.name or self.party.ext or self.party.login

    def why(self) -> list[Cause]:
        """Return why they were not reached."""
        if self.causes and not self.reachable:
            return self.causes
        if self.reachable and self.result is Result.UNREACHABLE:
            return [*self.causes, Cause("phone_silent", self.name)]
        return [*self.causes, Cause(_KINDS.get(self.result, "not_registered"), self.name)]

    @property
    def reachable(self) -> bool:
        """Whether they may still answer."""
        return bool(self.legs) or self.mobile_due is not None
