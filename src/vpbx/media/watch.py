"""What a session is watched for: digits, silence, and a side that speaks with another voice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from vpbx.clock import Clock

from .end import End
from .gate import Gate
from .model import Side
from .wire import Wire, packets_heard

__all__ = ["OnDigit", "OnTimeout", "Watch"]

OnDigit = Callable[[Side, str], None]
OnTimeout = Callable[[], None]
"""Both as `MediaEngine.open` tells."""

_DIGITS_PER_S = 50


class Watch:
    """Of one session; its engine tells it what RTPProxy tells, and when to look."""

    __slots__ = (
        "_alive_at",
        "_clock",
        "_digit_second",
        "_digits_in_second",
        "_ends",
        "_on_digit",
        "_on_timeout",
        "_packets",
        "_wire",
    )

    def __init__(
        self,
        wire: Wire,
        ends: Mapping[Side, End],
        clock: Clock,
        on_digit: OnDigit | None,
        on_timeout: OnTimeout | None,
    ) -> None:
        self._wire = wire
        self._ends = ends
        self._clock = clock
        self._on_digit = on_digit
        self._on_timeout = on_timeout
        self._digit_second = 0
        self._digits_in_second = 0
        self._packets = 0
        self._alive_at = clock.now()

    def alive(self) -> None:
        """Count silence from now on only."""
        self._alive_at = self._clock.now()

    def digit(self, side: Side, digit: str, now: float) -> None:
        """Pass a digit on; a flood of them is cut."""
        if int(now) != self._digit_second:
            self._digit_second, self._digits_in_second = int(now), 0
        self._digits_in_second += 1
        if self._on_digit is not None and self._digits_in_second <= _DIGITS_PER_S:
            self._on_digit(side, digit)

    def timed_out(self) -> None:
        """RTPProxy has ended the session (a remote one's time to live), or is another one now."""
        if self._on_timeout is not None and not self._wire.closed:
            self._on_timeout()

    def look_for_silence(self, now: float, timeout_s: float) -> None:
        """Ask for the packet counts and tell of a silence of `timeout_s`."""
        if self._on_timeout is None:
            return
        if any(end.quiet for end in self._ends.values()):
            self._alive_at = now
            return
        self._wire.count().add_done_callback(lambda done: self._silence_seen(done, timeout_s))

    def _silence_seen(self, done: asyncio.Future[str], timeout_s: float) -> None:
        stats = packets_heard(done)
        if self._wire.closed or stats is None:
            return
        now = self._clock.now()
        packets = sum(stats.values())
        if packets != self._packets:
            self._packets, self._alive_at = packets, now
        elif now - self._alive_at >= timeout_s and self._on_timeout is not None:
            self._alive_at = now
            self._on_timeout()

    def look_for_change(self) -> None:
        """Find out whether a side speaks with another SSRC than the known one."""
        for end in self._ends.values():
            if end.gate is None or not end.gate.crowded():
                end.crowd = None
            else:
                self._wire.count().add_done_callback(partial(self._crowd_seen, end, end.gate))

    def _crowd_seen(self, end: End, gate: Gate, done: asyncio.Future[str]) -> None:
        stats = packets_heard(done)
        if self._wire.closed or stats is None:
            return
        if end.crowd == stats[end.side]:
            gate.listen_again()
            end.crowd = None
        else:
            end.crowd = stats[end.side]
