"""Notices when something blocked the loop, and what: every call waits meanwhile."""

from __future__ import annotations

import sys
import threading
import time
from types import FrameType

import structlog
from prometheus_client import CollectorRegistry, Counter

from vpbx.clock import Clock, Timer

__all__ = ["Watchdog"]

log = structlog.get_logger("vpbx.app")

_FRAMES = 6
_WAITING = ("runners.py", "selectors.py")
"""Where the loop's thread is while nothing of ours runs in it."""


class Watchdog:
    """Counts each time the loop came `threshold_s` late, and says it where that mattered.

    It matters when callers can notice (`tell_s`) and it was our doing: a machine that had no
    time for us is only counted. Said once a second at most, with the place in the code where
    the loop was found while it was late.
    """

    PERIOD_S = 0.05
    QUIET_S = 1.0

    def __init__(
        self,
        clock: Clock,
        registry: CollectorRegistry,
        *,
        threshold_s: float = 0.05,
        tell_s: float = 0.1,
    ) -> None:
        self._clock = clock
        self._threshold_s = threshold_s
        self._tell_s = tell_s
        self._due = 0.0
        self._told_at = float("-inf")
        self._timer: Timer | None = None
        self._witness: _Witness | None = None
        self.blocked = Counter(
            "vpbx_loop_blocked", "Times the event loop was blocked", registry=registry
        )

    def start(self) -> None:
        """Watch the loop of the thread that calls this."""
        self._witness = _Witness(threading.get_ident(), self._tell_s / 2)
        self._witness.start()
        self._next()

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._witness is not None:
            self._witness.stop()

    def forget(self) -> None:
        """Begin anew: what held the loop up so far was the start."""
        self.stop()
        self.start()

    def _next(self) -> None:
        self._due = self._clock.now() + self.PERIOD_S
        self._timer = self._clock.call_later(self.PERIOD_S, self._tick)

    def _tick(self) -> None:
        assert self._witness is not None
        now = self._clock.now()
        late_s = now - self._due
        place = self._witness.beat()
        if late_s > self._threshold_s:
            self.blocked.inc()
            if late_s > self._tell_s and place != "" and now - self._told_at >= self.QUIET_S:
                self._told_at = now
                log.warning(
                    "the event loop was blocked", milliseconds=round(late_s * 1000), by=place
                )
        self._next()


class _Witness(threading.Thread):
    """Looks what the loop's thread is doing when it has not been heard of for `after_s`."""

    def __init__(self, loop_thread: int, after_s: float) -> None:
        super().__init__(name="vpbx-watchdog", daemon=True)
        self._loop_thread = loop_thread
        self._after_s = after_s
        self._heard_at = time.monotonic()
        self._used_s = time.process_time()
        self._place: str | None = None
        self._over = threading.Event()

    def beat(self) -> str | None:
        """Note that the loop runs; return where it was found in the meantime.

        None: nobody looked; empty: it was waiting for the machine.
        """
        place, self._place = self._place, None
        now, used_s = time.monotonic(), time.process_time()
        late_s = now - self._heard_at - Watchdog.PERIOD_S
        if place is None and late_s > self._after_s and used_s - self._used_s < late_s / 2:
            place = ""  # nobody had a turn, the witness no more than the loop
        self._heard_at, self._used_s = now, used_s
        return place

    def stop(self) -> None:
        self._over.set()

    def run(self) -> None:
        slept_at, used_s = time.monotonic(), time.process_time()
        while not self._over.wait(self._after_s):
            now, used = time.monotonic(), time.process_time()
            overslept_s, worked_s = now - slept_at - self._after_s, used - used_s
            slept_at, used_s = now, used
            if overslept_s > self._after_s and worked_s < overslept_s / 2:
                self._place = self._place or ""  # the whole process had no turn
            elif now - self._heard_at > self._after_s + Watchdog.PERIOD_S:
                self._place = _place(sys._current_frames().get(self._loop_thread)) or self._place


def _place(frame: FrameType | None) -> str:
    """Return the innermost calls, like `json/decoder.py:353 raw_decode < …`; empty: waiting."""
    if frame is None or frame.f_code.co_filename.endswith(_WAITING):
        return ""
    calls: list[str] = []
    while frame is not None and len(calls) < _FRAMES:
        code = frame.f_code
        file = "/".join(code.co_filename.rsplit("/", 2)[1:])
        calls.append(f"{file}:{frame.f_lineno} {code.co_name}")
        frame = frame.f_back
    return " < ".join(calls)
