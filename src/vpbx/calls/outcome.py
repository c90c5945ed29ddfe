"""What a step came to, and who ended a call."""

from __future__ import annotations

from enum import Enum, auto
from typing import TypeAlias

from vpbx.calls.leg import Leg
from vpbx.directory.goals import Goal
from vpbx.events import Destination, Group, Party
from vpbx.frozen import dataclass

__all__ = ["Ender", "Joined", "Onward", "Outcome", "Over", "Passed", "Result"]


class Result(Enum):
    """Why nobody was found."""

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
    """Nobody was looked for: a message, or the talk, is over."""


class Ender(Enum):
    """Who ended a call."""

    CALLER = auto()
    CALLEE = auto()
    SYSTEM = auto()
    """We did: no media any more, or the server stops."""


@dataclass(frozen=True, slots=True)
class Joined:
    """Somebody was found: `leg` has answered and its sound is agreed."""

    leg: Leg
    party: Party | None = None
    """The employee of ours who took the call."""
    group: Group | None = None
    """The department they took it for."""


@dataclass(frozen=True, slots=True)
class Onward:
    """The call goes on to another goal.

    `place`: what history is to say of a call that ends there unanswered, where that is not what
    the goal itself says.
    """

    goal: Goal
    place: Destination = Destination.NONE


@dataclass(frozen=True, slots=True)
class Passed:
    """The employee `by` passes the guest on to another goal and leaves, by `leg`.

    `waits`: their phone asked for it and hears by NOTIFY how it goes.
    """

    goal: Goal
    by: Party
    leg: Leg
    waits: bool = True
    say: str = ""
    """The prompt that who is passed on hears before the music."""
    referred_by: str = ""
    """What its REFER says of that (RFC 3892), to be passed on."""


@dataclass(frozen=True, slots=True)
class Over:
    """The call is over, or nobody was found."""

    result: Result = Result.DONE
    code: int = 0
    """The SIP status of the other side that decided, where one did."""


Outcome: TypeAlias = Joined | Onward | Passed | Over
