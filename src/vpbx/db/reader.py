"""Short reads by prepared SQL: one change of thread a read, and nothing between driver and rows.

SQLAlchemy's own rows cost more than SQLite takes to find them, and each of its awaits on SQLite
is two changes of thread. Here a statement is compiled once and a thread finds the rows. For
reads that are many or big; everything else uses `Database.connect`.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeAlias

import asyncpg  # type: ignore[import-untyped]
from pydantic_core import from_json
from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.pysqlite import dialect as sqlite_dialect
from sqlalchemy.engine import URL

__all__ = ["Prepared", "Reader", "Row", "open_reader"]

Row: TypeAlias = Sequence[Any]
_Asyncpg: Any = PGDialect_asyncpg  # untyped
_SQLITE_THREADS = 2
_POSTGRES_CONNECTIONS = 4
_BUSY_TIMEOUT_S = 10.0
_TOGETHER_S = 0.001
"""How long a result may be held back, and then for the search that is going on."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A SELECT as text for one dialect. Columns come as the driver gives them: numbers, text."""

    sql: str
    names: tuple[str, ...]
    """The parameters in the order of `$1`, `$2`…; empty on SQLite, which takes names."""
    fixed: Mapping[str, Any]
    """Parameters whose values the statement has brought along (`OFFSET 0` on SQLite)."""

    @classmethod
    def of(cls, compiled: Any) -> Prepared:
        """Take over what SQLAlchemy has compiled."""
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        return cls(str(compiled), tuple(compiled.positiontup or ()), fixed)


class Reader(Protocol):
    """Reads by prepared SQL."""

    def prepare(self, statement: Select[Any]) -> Prepared:
        """Compile a statement, all of whose parameters are `bindparam`s; keep the result."""
        ...

    async def read(self, prepared: Prepared, values: Mapping[str, Any]) -> Sequence[Row]:
        """Return the rows; a few hundred at most, since they are unpacked on the loop."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


def open_reader(url: URL) -> Reader:
    """Return the reader of a database; connections are opened as they are needed."""
    if url.get_backend_name() == "sqlite":
        return _SqliteReader(str(url.database))
    return _PostgresReader(url)


class _SqliteReader:
    """A few threads, each with a connection that can only read.

    All rows of a read come as one JSON text. Python's driver gives the interpreter away and
    fights for it again at every row, which beside a busy loop takes many times longer than the
    row; so the whole search is one step outside of it, and nobody waits for it meanwhile.
    The text is gathered in the order of the rows: a LIMIT keeps SQLite from merging both.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        # A ThreadPoolExecutor's own two futures and locks a read cost as much as a small read.
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._opened: list[sqlite3.Connection] = []

    def _start(self) -> None:
        for number in range(_SQLITE_THREADS):
            name = f"vpbx-db-read-{number}"
            self._threads.append(threading.Thread(target=self._work, name=name, daemon=True))
            self._threads[-1].start()

    def _work(self) -> None:
        """Do jobs until told to end.

        While more wait, results are held back for a moment and told together: a loop that is
        busy with the first would fight for the interpreter with the thread that does the next.
        """
        connection: sqlite3.Connection | None = None
        done: list[_Job] = []
        tell_at = 0.0
        while (job := self._jobs.get()) is not None:
            try:
                if connection is None:
                    connection = self._open()
                (job.found,) = connection.execute(job.sql, job.values).fetchone()
            except Exception as error:
                job.error = error
            now = time.monotonic()
            if not done:
                tell_at = now + _TOGETHER_S
            done.append(job)
            if now >= tell_at or self._jobs.empty():
                _tell(done)
                done = []
        _tell(done)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        connection.text_factory = bytes  # as JSON is parsed
        connection.execute("PRAGMA query_only=ON")
        self._opened.append(connection)
        return connection

    def prepare(self, statement: Select[Any]) -> Prepared:
        found = statement.subquery()
        as_text = select(func.json_group_array(func.json_array(*found.columns)))
        return Prepared.of(as_text.compile(dialect=sqlite_dialect(paramstyle="named")))

    async def read(self, prepared: Prepared, values: Mapping[str, Any]) -> Sequence[Row]:
        if not self._threads:
            self._start()
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        job = _Job(prepared.sql, {**prepared.fixed, **values}, future)
        self._jobs.put(job)
        rows: list[Row] = from_json(await future, cache_strings="none")
        return rows

    async def close(self) -> None:
        with contextlib.suppress(Empty):
            while (job := self._jobs.get_nowait()) is not None:
                job.future.cancel()
        for _ in self._threads:
            self._jobs.put(None)
        for connection in self._opened:
            connection.interrupt()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        for connection in self._opened:
            connection.close()
        self._opened.clear()


@dataclass(slots=True)
class _Job:
    """A read for a thread to do, who waits for it, and what came of it."""

    sql: str
    values: Mapping[str, Any]
    future: asyncio.Future[bytes]
    found: bytes = b""
    error: Exception | None = None


def _tell(jobs: list[_Job]) -> None:
    """Tell the waiting loop, from a thread, what came of these jobs."""
    if jobs:
        with contextlib.suppress(RuntimeError):  # a loop that is closed waits for nothing
            jobs[0].future.get_loop().call_soon_threadsafe(_wake, jobs)


def _wake(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():  # given up
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.found)


class _PostgresReader:
    """A pool of asyncpg's own, which prepares each statement once a connection."""

    def __init__(self, url: URL) -> None:
        _, self._connect = _Asyncpg().create_connect_args(url)
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    def prepare(self, statement: Select[Any]) -> Prepared:
        return Prepared.of(statement.compile(dialect=_Asyncpg()))

    async def read(self, prepared: Prepared, values: Mapping[str, Any]) -> Sequence[Row]:
        pool = self._pool or await self._open()
        bound = {**prepared.fixed, **values}
        rows: list[Row] = await pool.fetch(prepared.sql, *[bound[name] for name in prepared.names])
        return rows

    async def _open(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    min_size=0, max_size=_POSTGRES_CONNECTIONS, reset=_leave, **self._connect
                )
            return self._pool

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await pool.close()


async def _leave(_connection: asyncpg.Connection) -> None:
    """Reset nothing when a connection goes back: a SELECT leaves nothing behind."""
