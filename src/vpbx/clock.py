"""Time, as a parameter.

State machines take a `Clock`, so that their tests turn the hands themselves instead of
sleeping. `LoopClock` is the real one, on the running asyncio loop.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A pending call of `Clock.call_later`."""

    def cancel(self) -> None:
        """Forget the call; harmless when it has already happened."""


class Clock(Protocol):
    """What a state machine may ask of time."""

    def now(self) -> float:
        """Return monotonic seconds, for measuring and for timers."""

    def time(self) -> float:
        """Return seconds since 1970-01-01 UTC, for what is shown and stored."""

    def steady(self) -> float:
        """Return what `time` would, had nobody set the clock since this process began.

        For ages of what outlives a restart (a nonce, a row): differences are right as long as
        the process lives, and after it as right as the clock of the machine is.
        """

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, `delay_s` seconds from now."""


_BEHIND_S = time.time() - time.monotonic()
"""How far the monotonic clock was behind the other one when the process began."""


class LoopClock:
    """The clock of an asyncio loop (the running one unless given)."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop or asyncio.get_running_loop()

    def now(self) -> float:
        return self._loop.time()

    def time(self) -> float:
        return time.time()

    def steady(self) -> float:
        return self._loop.time() + _BEHIND_S

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        return self._loop.call_later(delay_s, callback)


class _ManualTimer:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class ManualClock:
    """A clock that stands still until `advance` is called: for tests and simulations.

    `set_wall` does what an administrator or NTP does: time is another one, nothing has passed.
    """

    def __init__(self, start_s: float = 1_700_000_000.0) -> None:
        self._now = start_s
        self._set_by_s = 0.0
        self._order = 0
        self._heap: list[tuple[float, int, _ManualTimer]] = []

    def now(self) -> float:
        return self._now

    def time(self) -> float:
        return self._now + self._set_by_s

    def steady(self) -> float:
        return self._now

    def set_wall(self, by_s: float) -> None:
        """Set the clock on the wall forward (or back) by so many seconds."""
        self._set_by_s += by_s

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        timer = _ManualTimer(callback)
        self._order += 1
        heapq.heappush(self._heap, (self._now + max(0.0, delay_s), self._order, timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`, making every call that falls due, each at its own moment."""
        end = self._now + seconds
        while self._heap and self._heap[0][0] <= end:
            due, _, timer = heapq.heappop(self._heap)
            self._now = max(self._now, due)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()
        self._now = end
