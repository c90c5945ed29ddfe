"""The process of a server: its loop, its signals, and what its garbage collector looks through."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal

import structlog
import uvloop

from vpbx.app import logs
from vpbx.app.datadir import keep_private
from vpbx.app.server import App
from vpbx.config import ServeConfig

__all__ = ["run", "settle"]

log = structlog.get_logger("vpbx.app")

_GC_THRESHOLDS = (1_000, -1, 300)
"""-1: a second look at what is new, before it counts as old, is never taken."""


def run(config: ServeConfig) -> None:
    """Serve until SIGTERM or SIGINT; `StartError` when it cannot begin."""
    keep_private()
    with (
        logs.serving(config.log_level),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_serve(config))


def settle() -> None:
    """Leave what is loaded by now out of garbage collections for good.

    It stays until the end anyway, and to look through all of it (numbering plans, models)
    would hold up every call for a tenth of a second now and then. The rest is looked through
    less often than Python would, which took 9 % of a loaded server's time, and no more seldom
    than measured: 20,000 calls leave memory flat, ten times these thresholds save nothing more.
    How often all is looked through is the product of the first and the last; the first says how
    long calls wait for one look at what is new. 50 calls a second with 15 NOTIFYs each left 50,000
    objects to be looked at (5,000, 10) and 36 to 64 ms of waiting; so 1,000, and 1 ms. What is new
    in a call lives as long as the call, so a second look at it found nothing and cost as much as
    the first; what a call leaves in circles waits for the look at all.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


async def _serve(config: ServeConfig) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app = App(config)
    await app.start()
    settle()
    app.watchdog.forget()
    with contextlib.suppress(OSError):  # a log on a full disk; whoever waits for it is served
        os.write(1, f"ready {app.addresses}\n".encode())
    await stop.wait()
    log.info("stopping", calls=len(app.calls.active()))
    await app.stop()
    log.info("stopped")
