"""Notices when something blocked the loop: every call waits meanwhile."""

from __future__ import annotations

import structlog
from prometheus_client import CollectorRegistry, Counter

from vpbx.clock import Clock, Timer

__all__ = ["Watchdog"]

log = structlog.get_logger("vpbx.app")


class Watchdog:
    """Logs each time the loop came `threshold_s` late, at most once a second."""

    PERIOD_S = 0.05
    QUIET_S = 1.0

    def __init__(
        self, clock: Clock, registry: CollectorRegistry, *, threshold_s: float = 0.05
    ) -> None:
        self._clock = clock
        self._threshold_s = threshold_s
        self._due = 0.0
        self._told_at = float("-inf")
        self._timer: Timer | None = None
        self.blocked = Counter(
            "vpbx_loop_blocked", "Times the event loop was blocked", registry=registry
        )

    def start(self) -> None:
        self._due = self._clock.now() + self.PERIOD_S
        self._timer = self._clock.call_later(self.PERIOD_S, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        now = self._clock.now()
        late_s = now - self._due
        if late_s > self._threshold_s:
            self.blocked.inc()
            if now - self._told_at >= self.QUIET_S:
                self._told_at = now
                log.warning("the event loop was blocked", milliseconds=round(late_s * 1000))
        self.start()
