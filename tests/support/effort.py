"""Bounds on work that hold on a busy machine: processor time of this thread, without the collector.

A wall clock counts what others do meanwhile, and a garbage collection goes through all that the
tests before have left, which takes some hundred ms in a long run.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncIterator, Iterator


class Effort:
    """Processor time of this thread: `total_s` at the end, `longest_s` between two turns."""

    def __init__(self) -> None:
        self._began = self._last = time.thread_time()
        self.total_s = 0.0
        self.longest_s = 0.0

    def lap(self) -> None:
        now = time.thread_time()
        self.longest_s = max(self.longest_s, now - self._last)
        self.total_s = now - self._began
        self._last = now


@contextlib.contextmanager
def effort() -> Iterator[Effort]:
    """Measure the block; it may be read once the block is over."""
    collects = gc.isenabled()
    gc.disable()
    made = Effort()
    try:
        yield made
    finally:
        made.lap()
        if collects:
            gc.enable()


@contextlib.asynccontextmanager
async def loop_effort() -> AsyncIterator[Effort]:
    """The same, looking at each turn of the loop: `longest_s` is how long it was held up."""
    with effort() as made:

        async def watch() -> None:
            while True:
                await asyncio.sleep(0.001)
                made.lap()

        watching = asyncio.create_task(watch())
        try:
            yield made
        finally:
            watching.cancel()
