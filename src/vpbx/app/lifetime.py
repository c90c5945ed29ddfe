"""How long the parts of a server live: begun in order, ended in reverse, each within a time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import structlog

from vpbx.clock import Clock
from vpbx.tasks import watched

__all__ = ["Lifetime"]

log = structlog.get_logger("vpbx.app")

_LEAST_S = 0.1


class Lifetime:
    """What is to be ended, and what is done beside."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = AsyncExitStack()
        self._background: set[asyncio.Task[None]] = set()
        self._stop_by = math.inf

    def on_end(self, done: Callable[[], object]) -> None:
        """Have `done` called when its turn comes."""
        self._started.callback(done)

    async def end(self, within_s: float = math.inf) -> None:
        """End all parts; after `within_s` each that is left gets the least there is."""
        self._stop_by = self._clock.now() + within_s
        await self._started.aclose()

    def later(self, stop: Callable[[], Awaitable[None]], at_most_s: float) -> None:
        """Stop a part that has just been started, when its turn comes."""

        name = getattr(stop, "__qualname__", repr(stop))

        async def guarded() -> None:
            left_s = max(_LEAST_S, self._stop_by - self._clock.now())
            try:
                async with asyncio.timeout(min(at_most_s, left_s)):
                    await stop()
            except TimeoutError:
                log.warning("a part of the server did not stop in time", part=name)
            except Exception:
                log.exception("a part of the server did not stop cleanly", part=name)

        self._started.push_async_callback(guarded)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside all parts."""
        task = watched(asyncio.create_task(work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def drop_background(self) -> None:
        """End what is done beside."""
        for task in self._background:
            task.cancel()
