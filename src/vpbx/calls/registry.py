"""Calls in progress and how many fit: in memory, behind a few questions.

A switch of several nodes would answer the same questions from shared state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Protocol, TypeVar

from vpbx.calls.addresses import Shown
from vpbx.calls.config import CallsConfig
from vpbx.calls.inbox import Inbox
from vpbx.calls.leg import Leg
from vpbx.calls.outcome import Ender
from vpbx.directory.goals import Goal
from vpbx.events import CallInfo, Group, Party
from vpbx.frozen import dataclass

__all__ = ["ActiveCall", "CallRegistry", "LiveCall", "State"]

_Key = TypeVar("_Key")


class State(StrEnum):
    """How far a call in progress has come."""

    WAITING = "waiting"
    """Nobody is rung: in a greeting, a menu, a queue, a voicemail."""
    RINGING = "ringing"
    """At an employee."""
    DIALING = "dialing"
    """The customer is called."""
    TALKING = "talking"


@dataclass(frozen=True, slots=True)
class ActiveCall:
    """A call in progress, for whoever shows or counts them."""

    info: CallInfo
    user: Party | None
    """Who has it, or is meant to."""
    answered_at: float | None
    state: State = State.WAITING
    group: Group | None = None
    caller: Party | None = None
    """Inner calls: who calls."""
    on_hold: bool = False
    recording: bool = False
    parked: str = ""
    """The parking place it waits at."""
    supervises: str = ""
    """The callid of the call that a supervisor, `caller`, listens to by this one."""
    mode: str = ""
    """By whom they are heard there: `listen`, `whisper`, `barge`."""
    rung: tuple[Party, ...] = ()
    """Whose phones ring."""


class LiveCall(Protocol):
    """A call, as far as the registry is concerned."""

    @property
    def info(self) -> CallInfo:
        """What holds for it from first to last."""

    @property
    def inbox(self) -> Inbox:
        """Where its legs tell what happens."""

    @property
    def goal(self) -> Goal | None:
        """Where it is on its way to."""

    @property
    def shown(self) -> Shown:
        """Who calls, as the called side is to see them."""

    def legs(self) -> tuple[Leg, ...]:
        """Return who is in it."""

    def give_up(self, leg: Leg) -> None:
        """Let another call have a leg."""

    def picture(self) -> ActiveCall:
        """Return how it stands now."""

    def hang_up(self, by: Ender, code: int = 0) -> None:
        """End it."""

    def settings_changed(self) -> None:
        """Go on by what is set now."""


class CallRegistry:
    """All calls of this node."""

    def __init__(self, config: CallsConfig) -> None:
        self._max_calls = config.max_calls
        self._max_domain = config.max_calls_per_domain
        self._max_trunk = config.max_calls_per_trunk
        self._calls: dict[LiveCall, None] = {}
        self._domains: Counter[int] = Counter()
        self._trunks: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[LiveCall]:
        return iter(tuple(self._calls))

    def find(self, callid: str) -> LiveCall | None:
        """Return the call that goes on under this callid."""
        return next((call for call in self._calls if call.info.callid == callid), None)

    def settings_changed(self, domain_id: int) -> None:
        """Tell the calls of a company that it is set otherwise than before."""
        if domain_id in self._domains:
            for call in self._calls:
                if call.info.domain_id == domain_id:
                    call.settings_changed()

    def has_room(self, domain_id: int, *, urgent: bool = False) -> bool:
        """Say whether one more call of this domain may begin; an `urgent` one (to an emergency
        number) is kept out by the limit of the server only."""
        own = urgent or self._domains[domain_id] < self._max_domain
        return own and len(self._calls) < self._max_calls

    def trunk_has_room(self, key: str, limit: int = 0) -> bool:
        """Say whether one more call may go over this trunk, which takes `limit` (0: any)."""
        most = min(limit, self._max_trunk) if limit else self._max_trunk
        return self._trunks[key] < most

    def on_trunk(self, key: str) -> int:
        """Return how many calls go over this trunk."""
        return self._trunks[key]

    def add(self, call: LiveCall) -> None:
        """Count a call that begins."""
        self._calls[call] = None
        self._domains[call.info.domain_id] += 1

    def remove(self, call: LiveCall) -> None:
        """Forget a call that is over; harmless twice."""
        if call in self._calls:
            del self._calls[call]
            _take(self._domains, call.info.domain_id)

    def seize(self, key: str) -> None:
        """Count a call on a trunk."""
        self._trunks[key] += 1

    def free(self, key: str) -> None:
        """A call on a trunk is over."""
        _take(self._trunks, key)

    def active(self, domain_id: int | None = None) -> list[ActiveCall]:
        """Return a picture of the calls in progress, of all companies or of one."""
        return [
            call.picture()
            for call in self._calls
            if domain_id is None or call.info.domain_id == domain_id
        ]


def _take(counter: Counter[_Key], key: _Key) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
