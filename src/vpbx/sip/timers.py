"""Timers of the transactions, cheap enough for thousands of calls (RFC 3261 §17, table 4).

A transaction sets a few timers, and nearly all are cancelled, or fire unnoticed long after.
All have one of a few delays, so each delay has one queue that is in order by itself, and only
the head of a queue costs a timer of the clock. One that is cancelled leaves its queue at once:
tens of thousands would wait there, for the collector of garbage to look through. What falls due
within a hundredth of its delay after the head happens with it, that much early, so that a busy
server does not wake up for each: nobody waits for these to the millisecond.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

import structlog

from vpbx.clock import Clock, Timer
from vpbx.frozen import dataclass
from vpbx.sip.machines import Event

log = structlog.get_logger("vpbx.sip")

_EARLY = 0.01
"""By which part of its delay something may happen early."""


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


class Fed(Protocol):
    """Who takes events."""

    def feed(self, event: Event) -> None:
        """Let an event happen."""


class Delayed:
    """An event to come; `feed_later` fills it in, since a call makes a dozen."""

    __slots__ = ("beside", "due", "event", "waiting", "who")

    beside: Delayed | None
    """Another one of the same transaction, if that has more."""
    due: float
    event: Event
    who: Fed | None
    waiting: OrderedDict[Delayed, None]
    """Where it waits."""

    def cancel(self) -> None:
        """Forget it, and who it was for."""
        self.who = None
        self.waiting.pop(self, None)


class _Queue:
    __slots__ = ("_clock", "_delay_s", "armed", "waiting")

    def __init__(self, clock: Clock, delay_s: float) -> None:
        self._clock = clock
        self._delay_s = delay_s
        self.waiting: OrderedDict[Delayed, None] = OrderedDict()
        self.armed: Timer | None = None

    def arm(self) -> None:
        """Have the first that waits happen in time."""
        self.armed = self._clock.call_later(self._delay_s, self._fire)

    def _fire(self) -> None:
        # Armed stays set meanwhile: what happens may add to this very queue.
        now = self._clock.now()
        due = now + self._delay_s * _EARLY
        waiting = self.waiting
        while waiting and next(iter(waiting)).due <= due:
            delayed, _ = waiting.popitem(last=False)
            if (who := delayed.who) is not None:
                delayed.who = None
                try:
                    who.feed(delayed.event)
                except Exception:
                    log.exception("A SIP timer's work failed")
        self.armed = None
        if waiting:
            self.armed = self._clock.call_later(next(iter(waiting)).due - now, self._fire)

    def clear(self) -> None:
        if self.armed is not None:
            self.armed.cancel()
            self.armed = None
        self.waiting.clear()


class Timers:
    """Timers of the few delays that transactions use, over and over."""

    def __init__(self, clock: Clock, values: TimerValues | None = None) -> None:
        self._clock = clock
        self._queues: dict[float, _Queue] = {}
        self.values = values or TimerValues()
        self.patience_s = self.values.patience_s

    def feed_later(self, delay_s: float, who: Fed, event: Event) -> Delayed:
        """Feed `event` to `who`, once, `delay_s` from now; errors that raises are logged."""
        queue = self._queues.get(delay_s)
        if queue is None:
            queue = self._queues[delay_s] = _Queue(self._clock, delay_s)
        delayed = Delayed()
        delayed.due, delayed.who, delayed.event = self._clock.now() + delay_s, who, event
        delayed.beside = None
        delayed.waiting = waiting = queue.waiting
        waiting[delayed] = None
        if queue.armed is None:
            queue.arm()
        return delayed

    def clear(self) -> None:
        """Forget all events."""
        for queue in self._queues.values():
            queue.clear()
