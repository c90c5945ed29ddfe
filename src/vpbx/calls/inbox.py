"""What the legs of a call tell it, in order, for the one task that runs the call."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from vpbx.calls.leg import Leg

__all__ = ["Inbox", "LegEvent", "LegNews"]


class LegNews(Enum):
    """What can happen to a leg, and what else may wake a call."""

    PROGRESS = auto()
    """It rings, or sends early media (`sdp`)."""
    ANSWERED = auto()
    FAILED = auto()
    """It will never answer (`code`)."""
    ENDED = auto()
    OFFERED = auto()
    """The peer wants other media (`sdp`), or our offer (None)."""
    REANSWERED = auto()
    """Our own re-INVITE finished (`code`, `sdp`), or an ACK brought an answer."""
    TIME = auto()
    """A timer of the step in progress; `code` says which."""
    HANGUP = auto()
    """The call is to end."""


class LegEvent(NamedTuple):
    """News of `leg`; None where it concerns no leg."""

    news: LegNews
    leg: Leg | None = None
    code: int = 0
    sdp: str | None = None


class Inbox:
    """A queue with one reader."""

    __slots__ = ("_events", "_waiter")

    def __init__(self) -> None:
        self._events: deque[LegEvent] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def put(self, event: LegEvent) -> None:
        """Add an event and wake the reader."""
        self._events.append(event)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def get(self) -> LegEvent:
        """Wait for the next event."""
        while not self._events:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._events.popleft()
