"""The watchdog of the event loop."""

from __future__ import annotations

import asyncio
import os
import time

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from vpbx.app.watchdog import Watchdog
from vpbx.clock import LoopClock, ManualClock


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


def busy_here(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


async def test_the_report_names_what_blocked_the_loop() -> None:
    watchdog = Watchdog(LoopClock(), CollectorRegistry())
    watchdog.start()
    await asyncio.sleep(0.1)
    with capture_logs() as logs:
        busy_here(0.6)
        await asyncio.sleep(0.1)
    watchdog.stop()
    assert "busy_here" in logs[0]["by"]
    assert "test_watchdog.py" in logs[0]["by"]


async def test_a_process_that_had_no_turn_is_counted_and_not_reported() -> None:
    """As on a machine that is too busy: nothing of ours held the loop up."""
    registry = CollectorRegistry()
    watchdog = Watchdog(LoopClock(), registry)
    watchdog.start()
    await asyncio.sleep(0.1)
    wake = await asyncio.create_subprocess_shell(
        f"sleep 0.1; kill -STOP {os.getpid()}; sleep 0.6; kill -CONT {os.getpid()}"
    )
    with capture_logs() as logs:
        await wake.wait()
        await asyncio.sleep(0.2)
    watchdog.stop()
    assert registry.get_sample_value("vpbx_loop_blocked_total") >= 1
    assert logs == []
