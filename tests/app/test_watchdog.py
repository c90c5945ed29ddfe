"""The watchdog of the event loop."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from vpbx.app.watchdog import Watchdog
from vpbx.clock import ManualClock


class LateClock(ManualClock):
    """A clock whose hands jump while somebody blocks the loop."""

    def block(self, seconds: float) -> None:
        self._now += seconds


def test_loop_that_is_on_time_is_not_reported() -> None:
    clock = ManualClock()
    watchdog = Watchdog(clock, CollectorRegistry())
    watchdog.start()
    with capture_logs() as logs:
        clock.advance(10)
    assert logs == []


def test_blocked_loop_is_reported_once_a_second_and_always_counted() -> None:
    clock = LateClock()
    registry = CollectorRegistry()
    watchdog = Watchdog(clock, registry)
    watchdog.start()
    with capture_logs() as logs:
        for _ in range(3):
            clock.block(0.2)
            clock.advance(0.05)
    assert [entry["event"] for entry in logs] == ["the event loop was blocked"]
    assert logs[0]["milliseconds"] >= 150
    assert registry.get_sample_value("vpbx_loop_blocked_total") == 3


def test_stopped_watchdog_watches_no_more() -> None:
    clock = LateClock()
    watchdog = Watchdog(clock, CollectorRegistry())
    watchdog.start()
    watchdog.stop()
    with capture_logs() as logs:
        clock.block(1)
        clock.advance(1)
    assert logs == []
