"""Time, as a parameter.

State machines take a `Clock`, so that their tests turn the hands themselves instead of
sleeping. `LoopClock` is the real one, on the running asyncio loop.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import OrderedDict
from collections.abc import Callable
from contextvars import Context, copy_context
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


_LONG_S = 1.0
_STEP_S = 0.5
_MOST_LINES = 256
_EARLY_S = 0.001
"""The loop counts in milliseconds."""


class LoopClock:
    """The clock of an asyncio loop (the running one unless given).

    Calls that are long to come wait in line with those of the same delay, and the loop has a
    timer for the first of each line only: most are cancelled, and to make and cancel a timer of
    the loop costs twice as much as a place in line. Delays of whole steps are those that are
    set somewhere and come again, others are what is left of one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self._lines: dict[float, _Line] = {}

    def now(self) -> float:
        return self._loop.time()

    def time(self) -> float:
        return time.time()

    def steady(self) -> float:
        return self._loop.time() + _BEHIND_S

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        line = self._lines.get(delay_s)
        if line is None:
            if delay_s < _LONG_S or delay_s % _STEP_S or len(self._lines) >= _MOST_LINES:
                return self._loop.call_later(delay_s, callback)
            line = self._lines[delay_s] = _Line(self._loop, self._lines, delay_s)
        return line.append(callback)


class _InLine:
    """A call that waits in a line; it happens in the context of who asked for it."""

    __slots__ = ("_callback", "_waiting", "context", "due")

    def __init__(
        self, waiting: OrderedDict[_InLine, None], due: float, callback: Callable[[], None]
    ) -> None:
        self._waiting = waiting
        self._callback: Callable[[], None] | None = callback
        self.context = copy_context()
        self.due = due

    def cancel(self) -> None:
        self._callback = None
        self._waiting.pop(self, None)

    def happen(self) -> None:
        """Make the call, unless it was cancelled since it was due."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class _Line:
    """Calls that happen one delay after they were asked for; there is one as long as any wait."""

    __slots__ = ("_delay_s", "_lines", "_loop", "_waiting")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, lines: dict[float, _Line], delay_s: float
    ) -> None:
        self._loop = loop
        self._lines = lines
        self._delay_s = delay_s
        self._waiting: OrderedDict[_InLine, None] = OrderedDict()
        self._arm(delay_s)

    def append(self, callback: Callable[[], None]) -> _InLine:
        """Have `callback` happen after the delay."""
        last = _InLine(self._waiting, self._loop.time() + self._delay_s, callback)
        self._waiting[last] = None
        return last

    def _arm(self, delay_s: float) -> None:
        self._loop.call_later(delay_s, self._fire, context=Context())

    def _fire(self) -> None:
        waiting, now = self._waiting, self._loop.time()
        while waiting and (first := next(iter(waiting))).due <= now + _EARLY_S:
            del waiting[first]
            self._loop.call_soon(first.happen, context=first.context)
        if waiting:
            self._arm(next(iter(waiting)).due - now)
        else:
            del self._lines[self._delay_s]


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
