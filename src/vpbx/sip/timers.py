"""Timers of the transactions, cheap enough for thousands of calls (RFC 3261 §17, table 4).

A transaction sets a few timers, and nearly all are cancelled, or fire unnoticed long after.
All have one of a few delays, so each delay has one queue that is in order by itself, and only
the head of a queue costs a timer of the clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from ..clock import Clock, Timer

log = structlog.get_logger("vpbx.sip")

_EARLY_S = 0.001
"""A loop's clock counts milliseconds: what is due within one is due."""


@dataclass(frozen=True, slots=True)
class TimerValues:
    """RFC 3261 §17.1.1.1 and table 4, in seconds; D is at least 32 s, the rest follows."""

    t1_s: float = 0.5
    t2_s: float = 4.0
    t4_s: float = 5.0

    @property
    def patience_s(self) -> float:
        """64*T1: timers B, F, H, J, L, M."""
        return 64 * self.t1_s

    @property
    def d_s(self) -> float:
        """Timer D over unreliable transports."""
        return max(32.0, self.patience_s)


class Delayed:
    """A call in a queue."""

    __slots__ = ("callback", "due")

    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Forget the call, and what it holds."""
        self.callback = None


class _Queue:
    __slots__ = ("_armed", "_calls", "_clock", "_delay_s")

    def __init__(self, clock: Clock, delay_s: float) -> None:
        self._clock = clock
        self._delay_s = delay_s
        self._calls: deque[Delayed] = deque()
        self._armed: Timer | None = None

    def add(self, callback: Callable[[], None]) -> Delayed:
        call = Delayed(self._clock.now() + self._delay_s, callback)
        self._calls.append(call)
        if self._armed is None:
            self._armed = self._clock.call_later(self._delay_s, self._fire)
        return call

    def _fire(self) -> None:
        # Armed stays set meanwhile: a callback may add to this very queue.
        now = self._clock.now()
        calls = self._calls
        while calls and (calls[0].callback is None or calls[0].due <= now + _EARLY_S):
            callback = calls.popleft().callback
            if callback is not None:
                try:
                    callback()
                except Exception:
                    log.exception("A SIP timer's work failed")
        self._armed = None
        if calls:
            self._armed = self._clock.call_later(calls[0].due - now, self._fire)

    def clear(self) -> None:
        if self._armed is not None:
            self._armed.cancel()
            self._armed = None
        self._calls.clear()


class Timers:
    """`Clock.call_later` for the few delays that transactions use, over and over."""

    def __init__(self, clock: Clock, values: TimerValues | None = None) -> None:
        self._clock = clock
        self._queues: dict[float, _Queue] = {}
        self.values = values or TimerValues()

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Delayed:
        """Call `callback` once, `delay_s` from now; errors it raises are logged."""
        queue = self._queues.get(delay_s)
        if queue is None:
            queue = self._queues[delay_s] = _Queue(self._clock, delay_s)
        return queue.add(callback)

    def clear(self) -> None:
        """Forget all calls."""
        for queue in self._queues.values():
            queue.clear()
