"""The inbox of a call: what happens to it, in order, for the one task that runs it.

What can happen is a value of one type each: `Tick` and `SettingsChanged` here, what a leg hears
in `leg`, what was played to its end in `bridge`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from vpbx.clock import Clock
from vpbx.frozen import dataclass

__all__ = ["Event", "Inbox", "Reminder", "SettingsChanged", "Tick"]


class Event:
    """Something a call is to know."""

    __slots__ = ()

    def drop(self) -> None:
        """Do what is due when nobody will look at it."""


class SettingsChanged(Event):
    """The company is set otherwise than before."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Tick(Event):
    """A reminder's time has come."""

    reminder: Reminder


class Inbox:
    """A queue with one reader.

    `watch` sees every event when it comes, before the reader does, and says whether it was
    dealt with.
    """

    __slots__ = ("_events", "_waiter", "_watch")

    def __init__(self, watch: Callable[[Event], bool]) -> None:
        self._events: deque[Event] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._watch: Callable[[Event], bool] | None = watch

    def put(self, event: Event) -> None:
        """Add an event and wake the reader; once closed, drop it."""
        if self._watch is None:
            event.drop()
            return
        if self._watch(event):
            return
        self._events.append(event)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def get(self) -> Event:
        """Wait for the next event."""
        while not self._events:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._events.popleft()

    def take_out(self, wanted: Callable[[Event], bool]) -> list[Event]:
        """Return those that wait and are `wanted` elsewhere; the reader does not see them."""
        taken = [event for event in self._events if wanted(event)]
        if taken:
            self._events = deque(event for event in self._events if not wanted(event))
        return taken

    def close(self) -> None:
        """Take nothing any more, and forget who watched."""
        self._watch = None
        while self._events:
            self._events.popleft().drop()


class Reminder:
    """A timer that ends as a `Tick` in an inbox."""

    __slots__ = ("_timer", "active")

    def __init__(self, clock: Clock, inbox: Inbox, delay_s: float) -> None:
        self.active = True
        """Whether anybody waits for it still; the tick of one that is not is stale."""
        self._timer = clock.call_later(delay_s, lambda: inbox.put(Tick(self)))

    def means(self, event: Event) -> bool:
        """Say whether `event` is this reminder's."""
        return type(event) is Tick and event.reminder is self

    def cancel(self) -> None:
        """Forget it."""
        self.active = False
        self._timer.cancel()
