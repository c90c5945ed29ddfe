"""Many rows into SQLite at once, with nothing between them and the driver.

To execute a statement of SQLAlchemy costs several times what SQLite needs to do it. Here each
is compiled once, and a thread with a connection of its own does all statements of a transaction
at one go. For writes that are many; everything else uses `Database.begin`.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from queue import SimpleQueue
from typing import Any, TypeAlias

from sqlalchemy.dialects.sqlite.pysqlite import dialect as sqlite_dialect
from sqlalchemy.sql.base import Executable

from vpbx.db.sqlite import BUSY_TIMEOUT_S, pragmas
from vpbx.frozen import dataclass

Values: TypeAlias = dict[str, Any]
Batch: TypeAlias = tuple[Executable, Sequence[Values]]
"""A Core insert, update or delete and its rows, all with the same names of values."""

_DIALECT = sqlite_dialect(paramstyle="qmark")
_KNOWN_STATEMENTS = 500
_JOIN_S = 0.3


class SqliteBatches:
    """Writes to one file. The thread starts with the first write; `close` ends it."""

    def __init__(self, path: str, wait_s: float = BUSY_TIMEOUT_S) -> None:
        self._path = path
        self._wait_s = wait_s
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._prepared: dict[Executable, _Prepared] = {}

    async def write(self, batches: Sequence[Batch]) -> None:
        """Write all `batches`, in their order, in one transaction. Raises sqlite3.Error."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="vpbx-db-write", daemon=True)
            self._thread.start()
        job = _Job(batches, asyncio.get_running_loop().create_future())
        self._jobs.put(job)
        await job.done

    def close(self) -> None:
        """Finish what is being written, and end; a thread that waits for a lock is left to it."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(_JOIN_S)
            self._thread = None

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._write(job)
            except (Exception, asyncio.CancelledError) as error:
                job.tell(error)
            else:
                job.tell(None)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _write(self, job: _Job) -> None:
        connection = self._connection or self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement, rows in job.batches:
                prepared = self._prepare(statement, rows[0])
                connection.executemany(prepared.sql, prepared.bound(rows))
            if job.done.cancelled():  # nobody waits: whoever did has made other plans
                raise asyncio.CancelledError
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None)
        for pragma in pragmas(self._wait_s):
            connection.execute(pragma)
        self._connection = connection
        return connection

    def _prepare(self, statement: Executable, row: Values) -> _Prepared:
        prepared = self._prepared.get(statement)
        if prepared is None:
            if len(self._prepared) >= _KNOWN_STATEMENTS:
                self._prepared.clear()
            prepared = self._prepared[statement] = _Prepared.of(statement, row)
        return prepared


@dataclass(frozen=True, slots=True)
class _Job:
    """A transaction for the thread to do, and who waits for it."""

    batches: Sequence[Batch]
    done: asyncio.Future[None]

    def tell(self, error: BaseException | None) -> None:
        """Tell the waiting loop, from the thread, how it went."""
        with contextlib.suppress(RuntimeError):  # a loop that is closed waits for nothing
            self.done.get_loop().call_soon_threadsafe(self._tell, error)

    def _tell(self, error: BaseException | None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A statement as SQLite's text, and what SQLAlchemy would do with its values.

    They are given to the driver by their places: by name it would look each up, for each row.
    """

    sql: str
    fixed: Values
    """Values the statement has brought along."""
    makers: Mapping[str, Callable[[Any], Any]]
    """What makes of a value, by its name, what the driver takes; the others go as they are."""
    in_place: Callable[[Values], Sequence[Any]]
    """Takes the values out of a row, in the order of their places."""

    @classmethod
    def of(cls, statement: Any, row: Values) -> _Prepared:
        """Compile `statement` for rows with the names of `row`."""
        compiled = statement.compile(dialect=_DIALECT, column_keys=list(row))
        makers: dict[str, Callable[[Any], Any]] = {}
        for bind, name in compiled.bind_names.items():
            make = bind.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
            if make is not None:
                makers[name] = make
        fixed = {
            name: value
            for name, value in compiled.params.items()
            if value is not None and name not in row
        }
        return cls(str(compiled), fixed, makers, _taker(compiled.positiontup))

    def bound(self, rows: Sequence[Values]) -> Sequence[Sequence[Any]]:
        """Return rows as the driver takes them."""
        if self.fixed:
            rows = [{**self.fixed, **row} for row in rows]
        if self.makers:
            rows = [
                {
                    name: self.makers[name](v) if name in self.makers else v
                    for name, v in row.items()
                }
                for row in rows
            ]
        return [self.in_place(row) for row in rows]


def _taker(names: Sequence[str]) -> Callable[[Values], Sequence[Any]]:
    if len(names) > 1:
        return itemgetter(*names)  # which gives no tuple of one
    return lambda row: [row[name] for name in names]
