"""Work that comes often and takes a moment, done by tasks that are used again.

To make a task, to see it end and to let go of it costs several times what it takes to wake one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from vpbx.tasks import watched

__all__ = ["Crew"]

Work: TypeAlias = Callable[[], Awaitable[None]]


class Crew:
    """Does work beside other work, all that is given at the same time. `end` it.

    idle: how many tasks may wait for more; those that would be one too many end.
    """

    def __init__(self, idle: int = 50) -> None:
        self._idle = idle
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: list[asyncio.Future[Work]] = []
        """The one that waits last is woken first."""
        self._working = 0
        self._resting = asyncio.Event()
        self._resting.set()

    def do(self, work: Work) -> None:
        """Begin `work` soon. The log tells what ends it with an exception."""
        self._working += 1
        self._resting.clear()
        if self._waiting:
            self._waiting.pop().set_result(work)
            return
        task = watched(asyncio.get_running_loop().create_task(self._run(work)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def rest(self) -> None:
        """Wait until all that was given is done."""
        await self._resting.wait()

    async def end(self) -> None:
        """Cancel whatever is not done, and wait for its end."""
        self._waiting.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._working = 0
        self._resting.set()

    async def _run(self, work: Work) -> None:
        while True:
            try:
                await work()
            finally:
                self._working -= 1
                if not self._working:
                    self._resting.set()
            if len(self._waiting) >= self._idle:
                return
            more: asyncio.Future[Work] = asyncio.get_running_loop().create_future()
            self._waiting.append(more)
            work = await more
