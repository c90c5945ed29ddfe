"""Commands that wait for the database, written many in one transaction.

A transaction costs a database much the same whether it writes one row or fifty, so what has come
meanwhile goes together. Whoever told a command is answered when its transaction is committed.
One that the database refuses is found by writing each of them alone; the others lose nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Away", "Gatherer", "Job", "Write"]

_MOST = 32
"""Commands in one transaction."""
_PLENTY, _LATE_S = 24, 0.05
"""So many that wait, or one that has waited so long, open another transaction beside."""
_WAITING = 5000
"""Commands that may wait; beyond, the PBX is to come again."""
_CAREFUL_S = 30.0
"""For so long after a transaction that took too long, each command has one of its own."""


class Away(Exception):
    """The database cannot be asked now, or refuses; the PBX shall send the command again."""


@dataclass(slots=True, eq=False)
class Job:
    """A command that waits."""

    cmd: str
    fields: Mapping[str, str]
    done: asyncio.Future[bool] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


Write = Callable[[Sequence[Job]], Awaitable[list[bool]]]
"""Writes commands in one transaction; whether each was new. Raises `Away`, or what the database
has against them; then nothing is written."""


class Gatherer:
    """Writes commands by `write`, `writers` transactions at a time."""

    def __init__(self, write: Write, *, writers: int, timeout_s: float) -> None:
        self._write = write
        self._writers = writers
        self._timeout_s = timeout_s
        self._waiting: deque[Job] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._careful_until = 0.0

    @property
    def waiting(self) -> int:
        """How many commands wait."""
        return len(self._waiting)

    async def put(self, cmd: str, fields: Mapping[str, str]) -> bool:
        """Have a command written; whether it was new. Raises `Away`."""
        if len(self._waiting) >= _WAITING:
            raise Away("too many commands wait for the database")
        job = Job(cmd, fields)
        self._waiting.append(job)
        if not self._running or len(self._waiting) >= _PLENTY:
            self._begin()
        else:
            asyncio.get_running_loop().call_later(_LATE_S, self._begin_late, job)
        try:
            async with asyncio.timeout(2 * self._timeout_s):
                return await job.done
        except TimeoutError:
            raise Away("the database takes too long") from None

    async def stop(self) -> None:
        """Let what is being written come to its end."""
        await asyncio.gather(*self._running, return_exceptions=True)

    def _begin_late(self, job: Job) -> None:
        """Open another transaction when those that run keep a command waiting."""
        if job in self._waiting:
            self._begin()

    def _begin(self) -> None:
        if self._waiting and len(self._running) < self._writers:
            task = asyncio.create_task(self._work())
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _work(self) -> None:
        while self._waiting:
            now = asyncio.get_running_loop().time()
            most = 1 if now < self._careful_until else _MOST
            jobs = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            await self._carry_out([job for job in jobs if not job.done.done()])

    async def _carry_out(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                written = await self._write(jobs)
        except TimeoutError:
            self._careful_until = asyncio.get_running_loop().time() + _CAREFUL_S
            _refuse(jobs, Away("the database takes too long"))
        except Away as away:
            _refuse(jobs, away)
        except Exception as error:
            if len(jobs) == 1:
                _refuse(jobs, error)
            else:
                for job in jobs:
                    await self._carry_out([job])
        else:
            for job, new in zip(jobs, written, strict=True):
                if not job.done.done():
                    job.done.set_result(new)


def _refuse(jobs: Sequence[Job], error: Exception) -> None:
    for job in jobs:
        if not job.done.done():
            job.done.set_exception(error)
