"""The writer: what calls write is gathered for a moment and goes out as one transaction.

Call control must not wait for the database, and a transaction for each event would cost more
than the event. So `submit` only queues a unit (a list of writes that belong together), and one
task writes all units of the last ≤ 20 ms in one transaction, equal statements gathered into
one executemany.

What is true only when a unit goes out is asked for then: the values of a `Write` may be a
function. So what changes often within those 20 ms is written once, and what came and went
within them not at all. Nothing is less safe for it: until the transaction there was nothing on
disk in either case.

What may go wrong:
- the database is gone or busy: everything is kept (up to a bound) and tried again, logged once;
- the process ends while the database is away: what is left goes into the spill file, for the
  next start to write (`spill`);
- one unit is refused (a constraint, a wrong value): the transaction is undone and each unit is
  written in one of its own; the refused one is dropped and logged.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

import structlog
from sqlalchemy import Table
from sqlalchemy.sql.base import Executable

from vpbx.db.batches import Batch, Values
from vpbx.db.database import Database
from vpbx.db.faults import brief, is_passing
from vpbx.db.spill import save
from vpbx.tasks import watched

log = structlog.get_logger("vpbx.db")

_LET_GO_S = 0.5
"""For a write that is under way to notice that nobody waits for it."""
_PAUSES_S = (0.1, 0.2, 0.5, 1.0)


class Write(NamedTuple):
    """One statement with its values.

    `statement` is a Core insert, update or delete with bind parameters, best a module constant:
    writes of one and the same object are gathered, and have values of the same names.

    `params` are the values, or a function that is asked for them when the write goes out (again
    if it has to go out again); None from it: there is nothing left to write.

    `key` says which thing (a callid, say) is written: writes to one table with different keys
    touch different rows, so that their order among each other does not matter; without a key
    it is kept.

    `then` is called, on the loop, when the write has been committed and everybody can read it;
    also when it is lost for good, which is logged.
    """

    statement: Executable
    params: Values | Callable[[], Values | None]
    key: Hashable = None
    then: Callable[[], None] | None = None


@dataclass(slots=True)
class _Batch:
    statement: Executable
    table: Table | None
    params: list[Values] = field(default_factory=list)
    keys: set[Hashable] = field(default_factory=set)
    unit: int = -1
    """The last one that wrote to it."""


class Writer:
    """Writes units in the background, in order. `start` it, `submit` to it, `stop` it.

    gather_s: how long to wait for company once something is queued.
    max_pending: how many units are kept while the database is away; more are dropped.
    spill: the file for what cannot be written before the end; None: it is lost.
    """

    def __init__(
        self,
        database: Database,
        *,
        gather_s: float = 0.02,
        max_units: int = 500,
        max_pending: int = 100_000,
        spill: Path | None = None,
    ) -> None:
        self._spill = spill
        self._database = database
        self._gather_s = gather_s
        self._max_units = max_units
        self._max_pending = max_pending
        self._pending: deque[list[Write]] = deque()
        self._underway: list[list[Write]] = []
        self._submitted = 0
        self._done = 0
        self._dropped = 0
        self._wake = asyncio.Event()
        self._progress = asyncio.Condition()
        self._watching = 0
        """How many wait for progress."""
        self._hurry = False
        self._task: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """How many units wait to be written."""
        return len(self._underway) + len(self._pending)

    def submit(self, writes: Sequence[Write]) -> None:
        """Queue `writes` as one unit: one transaction, in this order. Never waits."""
        if not writes:
            return
        if len(self._pending) >= self._max_pending:
            if not self._dropped:
                log.error("the database is away too long, writes are lost", kept=self._max_pending)
            self._dropped += 1
            _tell([writes])
            return
        self._submitted += 1
        self._pending.append(list(writes))
        self._wake.set()

    async def start(self) -> None:
        """Begin to write what is submitted."""
        if self._task is None:
            self._task = watched(asyncio.create_task(self._run(), name="vpbx-db-writer"))

    async def flush(self) -> None:
        """Wait until everything submitted so far is written (or refused)."""
        self._hurry = True
        await self._until_done(self._submitted)

    async def caught_up(self, timeout_s: float) -> bool:
        """Wait until everything submitted so far is written (or refused), at most so long; say
        whether it is. Unlike `flush` this hurries nothing: who reads now and then costs no
        transactions."""
        goal = self._submitted
        if self._done >= goal:
            return True
        try:
            async with asyncio.timeout(timeout_s):
                await self._until_done(goal)
        except TimeoutError:
            return False
        return True

    async def _until_done(self, goal: int) -> None:
        self._watching += 1
        try:
            async with self._progress:
                await self._progress.wait_for(lambda: self._done >= goal)
        finally:
            self._watching -= 1

    async def stop(self, timeout_s: float = 3.0) -> None:
        """Write what is left, at most for `timeout_s`; put the rest into the spill file; end.

        Being cancelled while it writes only shortens the time.
        """
        if self._task is None:
            return
        task, self._task = self._task, None
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self.flush()
        finally:
            task.cancel()
            try:
                await asyncio.wait((task,), timeout=_LET_GO_S)
            finally:
                self._save_rest()

    def _save_rest(self) -> None:
        """Keep what is not written. Of what is on its way none may know whether it arrives."""
        units = [*self._underway, *self._pending]
        self._underway, self._pending = [], deque()
        if not units:
            return
        if self._spill is None:
            log.error("stopped before everything was written", units=len(units))
            return
        batches = ([(b.statement, b.params) for b in gather([unit])] for unit in units)
        try:
            kept = save(self._spill, self._database.dialect, (unit for unit in batches if unit))
        except OSError as error:
            log.error(
                "stopped before everything was written, and it cannot be kept",
                units=len(units),
                error=str(error),
            )
        else:
            log.warning("the next start will write what is left", units=kept)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            if not self._hurry and self._gather_s:
                await asyncio.sleep(self._gather_s)
            units = [
                self._pending.popleft() for _ in range(min(len(self._pending), self._max_units))
            ]
            if units:
                self._underway = units
                await self._write_stubbornly(units)
                self._underway = []
                self._done += len(units)
                _tell(units)
            if not self._pending:
                self._wake.clear()
                self._hurry = False
            if self._watching:
                async with self._progress:
                    self._progress.notify_all()

    async def _write_stubbornly(self, units: list[list[Write]]) -> None:
        """Write `units`, however often the database must be asked; drop what it refuses."""
        attempt = 0
        while True:
            try:
                batches: list[Batch] = [(batch.statement, batch.params) for batch in gather(units)]
                if batches:
                    await self._database.write(batches)
            except Exception as error:
                if is_passing(error):
                    if attempt == 0:
                        log.error("the database does not answer, trying again", error=brief(error))
                    await asyncio.sleep(_PAUSES_S[min(attempt, len(_PAUSES_S) - 1)])
                    attempt += 1
                    continue
                if len(units) > 1:
                    for unit in units:
                        await self._write_stubbornly([unit])
                else:
                    log.error("the database refused a write, it is dropped", error=brief(error))
            else:
                if attempt:
                    log.info(
                        "the database answers again", attempts=attempt, lost_units=self._dropped
                    )
                    self._dropped = 0
            return


def _tell(units: Iterable[Iterable[Write]]) -> None:
    """Tell those who asked that their writes are done with."""
    for unit in units:
        for write in unit:
            if write.then is not None:
                try:
                    write.then()
                except Exception:
                    log.exception("whoever waited for a write has failed")


def gather(units: Iterable[Iterable[Write]]) -> list[_Batch]:
    """Order the writes of `units` into as few statements as keep their meaning.

    A write may join an earlier batch of its statement only by passing batches that do not
    matter to it: other tables without a foreign key between them, or the same with other keys;
    and never past a write of its own unit.
    """
    batches: list[_Batch] = []
    for number, unit in enumerate(units):
        for statement, params, key, _ in unit:
            values = params() if callable(params) else params
            if values is None:
                continue
            home = _home(batches, statement, key, number)
            if home is None:
                home = _Batch(statement, _table(statement))
                batches.append(home)
            home.params.append(values)
            home.keys.add(key)
            home.unit = number
    return batches


def _home(batches: list[_Batch], statement: Executable, key: Hashable, unit: int) -> _Batch | None:
    table = _table(statement)
    for batch in reversed(batches):
        if batch.statement is statement:
            return batch
        if batch.unit == unit or table is None or batch.table is None:
            return None
        keys = batch.keys
        keyed = key is not None and key not in keys and None not in keys
        if not keyed and _related(table, batch.table):
            return None
    return None


def _table(statement: Executable) -> Table | None:
    table = getattr(statement, "table", None)
    return table if isinstance(table, Table) else None


@cache
def _related(table: Table, other: Table) -> bool:
    """Whether it matters which of two tables is written first."""
    return table is other or _refers(table, other) or _refers(other, table)


def _refers(table: Table, other: Table) -> bool:
    return any(key.column.table is other for key in table.foreign_keys)
