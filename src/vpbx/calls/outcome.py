"""What a step of a route came to, and who ended a call."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from vpbx.calls.leg import Leg
from vpbx.events import Group, Party

__all__ = ["Ender", "Outcome", "Result"]


class Result(Enum):
    """How a step ended."""

    ANSWERED = auto()
    BUSY = auto()
    DECLINED = auto()
    """Whoever was rung refused."""
    NO_ANSWER = auto()
    UNREACHABLE = auto()
    """No device registered, or none that can be reached."""
    NOT_RECEIVING = auto()
    """The employee does not receive calls now (DND)."""
    REFUSED = auto()
    """Our rules do not let this call be made."""
    NOT_FOUND = auto()
    NO_MEDIA = auto()
    """The media engine does not serve."""
    NOT_ACCEPTABLE = auto()
    """The two sides have no codec in common."""
    FAILED = auto()
    DONE = auto()
    """A step that reaches nobody (a prompt) is over."""


class Ender(Enum):
    """Who ended a call."""

    CALLER = auto()
    CALLEE = auto()
    SYSTEM = auto()
    """We did: no media any more, or the server stops."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a step; an answered one hands over the `leg` that answered."""

    result: Result
    code: int = 0
    """The SIP status of the other side that decided, where one did."""
    leg: Leg | None = None
    party: Party | None = None
    """Who answered: an employee of ours."""
    group: Group | None = None

    @property
    def answered(self) -> bool:
        return self.result is Result.ANSWERED
