"""Turns of connections: what they bring is taken one after the other, a few milliseconds at a time.

Budgets count messages, and come back with time: on a machine that is slow just now they would let
two hundred connections at once bring all they have in one turn of the loop, which keeps everybody
else waiting. So a turn is bounded by the time it takes, too.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

__all__ = ["Turns"]

_TURN_S = 0.003


class Turns:
    """A queue of steps, each of them short; in each turn of the loop as many as there is time."""

    def __init__(self, timer: Callable[[], float] = time.perf_counter) -> None:
        self._timer = timer
        self._queue: deque[Callable[[], None]] = deque()
        self._is_due = False

    def enter(self, step: Callable[[], None]) -> None:
        """Have `step` called once, when it is its turn; it must not raise."""
        self._queue.append(step)
        self._call()

    async def take(self, step: Callable[[], None]) -> None:
        """Wait until it is the turn of `step`, which is done by then."""
        done = asyncio.get_running_loop().create_future()

        def work() -> None:
            if not done.cancelled():
                step()
                done.set_result(None)

        self.enter(work)
        await done

    def _call(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._go)

    def _go(self) -> None:
        self._is_due = False
        queue = self._queue
        end = self._timer() + _TURN_S
        for _ in range(len(queue)):  # who enters again comes after the others
            queue.popleft()()
            if self._timer() >= end:
                break
        if queue:
            self._call()
