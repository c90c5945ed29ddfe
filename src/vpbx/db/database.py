"""The database: SQLite by default, PostgreSQL by URL, the same code above both.

Transactions. `begin()` is for writing: on SQLite it takes the write lock at once (BEGIN
IMMEDIATE), so that a transaction never fails half way because another got there first; within
this process writers wait in line, between processes SQLite's busy timeout holds them. `connect()`
is for reading: a snapshot on SQLite (WAL), read committed on PostgreSQL.

Patience. Commands wait for a database that is locked or away; a server that is asked by many
must not. Opened with `patience_s`, `begin()` and `connect()` raise `Unavailable` after that
time, and for a moment after they did so, at once: those who stood in line have waited as long.
A statement that does not come back (a PostgreSQL that hangs) ends after `_STATEMENT_S`.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import event, make_url
from sqlalchemy.engine import URL, Connection
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from vpbx.db import migrate as migrations
from vpbx.db.batches import Batch, SqliteBatches
from vpbx.db.faults import Unavailable, brief, is_passing
from vpbx.db.prepared import Reader
from vpbx.db.reader import open_reader
from vpbx.db.sqlite import BUSY_TIMEOUT_S, pragmas

_FILE_NAME = "vpbx.sqlite3"
_IMMEDIATE = "vpbx_immediate"
_GRACE_S = 0.2
"""After SQLite's own wait, for its answer."""
_AWAY_S = 0.5
_STATEMENT_S = 10.0
_WRITER_WAIT_S = 1.0
"""The writer tries again by itself, and must be able to stop."""


_Connection: TypeAlias = AsyncConnection
_Left: TypeAlias = Callable[[], float]
"""Says how many seconds are left."""
_How: TypeAlias = Callable[[contextlib.AsyncExitStack, _Left], Awaitable[AsyncConnection]]


class _Opening(NamedTuple):
    """A connection, and what gives it back."""

    connection: AsyncConnection
    stack: contextlib.AsyncExitStack


async def _open(how: _How, left_s: _Left) -> _Opening:
    async with contextlib.AsyncExitStack() as stack:
        connection = await how(stack, left_s)
        return _Opening(connection, stack.pop_all())
    raise AssertionError  # for mypy: the stack swallows nothing


class Database:
    """An engine with its pool. Make it with `from_url` or `for_data_dir`; close it when done."""

    def __init__(self, url: URL, *, patience_s: float | None = None) -> None:
        self.url = url
        self._patience_s = patience_s
        self._away_until = -math.inf
        self._given_up: set[asyncio.Task[_Opening]] = set()
        self.dialect = url.get_backend_name()
        """`sqlite` or `postgresql`."""
        wait_s = BUSY_TIMEOUT_S if patience_s is None else patience_s
        self._engine = create_async_engine(
            url, **_engine_options(self.dialect, wait_s, hurried=patience_s is not None)
        )
        self._write_line = asyncio.Lock() if self.dialect == "sqlite" else None
        self.reader: Reader = open_reader(url, patience_s)
        """For reads that are many or big."""
        self._batches: SqliteBatches | None = None
        if self.dialect == "sqlite":
            _prepare_sqlite(self._engine.sync_engine, wait_s)
            self._batches = SqliteBatches(str(url.database), min(wait_s, _WRITER_WAIT_S))

    @classmethod
    def from_url(cls, url: str, *, patience_s: float | None = None) -> Database:
        """Open `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/NAME`.

        Raises ValueError when the URL names any other kind of database.
        """
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend == "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise ValueError("an SQLite database needs a file: sqlite:///PATH")
            return cls(parsed.set(drivername="sqlite+aiosqlite"), patience_s=patience_s)
        if backend in ("postgresql", "postgres"):
            return cls(parsed.set(drivername="postgresql+asyncpg"), patience_s=patience_s)
        raise ValueError(f"database {backend!r} is not supported; use sqlite or postgresql")

    @classmethod
    def for_data_dir(cls, data_dir: Path, *, patience_s: float | None = None) -> Database:
        """Open the SQLite file of a data directory (made when missing, for its owner only)."""
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        url = URL.create("sqlite+aiosqlite", database=str(data_dir / _FILE_NAME))
        return cls(url, patience_s=patience_s)

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction for writing; commits at the end, rolls back on any exception.

        On SQLite transactions do not nest: a second `begin()` inside the first waits for ever.
        """
        async with contextlib.AsyncExitStack() as stack:
            opening = await self._in_time(self._open_to_write)
            await stack.enter_async_context(opening.stack)
            yield opening.connection

    async def _open_to_write(self, stack: contextlib.AsyncExitStack, left_s: _Left) -> _Connection:
        if self._write_line is not None:
            await stack.enter_async_context(self._write_line)
        bare = await stack.enter_async_context(self._engine.connect())
        wait_ms = max(1, round(left_s() * 1000))
        connection = await bare.execution_options(**{_IMMEDIATE: wait_ms})
        await stack.enter_async_context(connection.begin())
        return connection

    async def _open_to_read(self, stack: contextlib.AsyncExitStack, left_s: _Left) -> _Connection:
        return await stack.enter_async_context(self._engine.connect())

    async def _in_time(self, how: _How) -> _Opening:
        """Get hold of the database, in the time there is."""
        patience_s = self._patience_s
        if patience_s is None:
            return await _open(how, lambda: BUSY_TIMEOUT_S)
        now = asyncio.get_running_loop().time
        if now() < self._away_until:
            raise Unavailable("the database was away a moment ago")
        deadline = now() + patience_s
        # In a task of its own: to give up a connection that hangs takes SQLAlchemy seconds.
        task = asyncio.create_task(_open(how, lambda: deadline - now()))
        try:
            await asyncio.wait((task,), timeout=patience_s + _GRACE_S)
        finally:
            if not task.done():
                task.cancel()
                self._given_up.add(task)
                task.add_done_callback(self._forget)
        try:
            if task in self._given_up:
                raise Unavailable("the database does not answer")
            return task.result()
        except Exception as error:
            if not is_passing(error):
                raise
            if now() >= deadline:
                self._away_until = now() + _AWAY_S
            raise Unavailable(brief(error)) from error

    def _forget(self, task: asyncio.Task[_Opening]) -> None:
        self._given_up.discard(task)
        if not task.cancelled():
            task.exception()  # seen

    async def write(self, batches: Sequence[Batch]) -> None:
        """Write all `batches`, in their order, in one transaction.

        On SQLite all of it is done in one thread, at one go: each statement of `begin()` costs
        two changes of thread, which is more than the statement itself.
        """
        if self._batches is not None and self._write_line is not None:
            async with self._write_line:
                await self._batches.write(batches)
            return

        def execute(connection: Connection) -> None:
            for statement, rows in batches:
                connection.execute(statement, rows)

        async with self.begin() as connection:
            await connection.run_sync(execute)

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for reading; whatever it wrote without commit is rolled back."""
        if self._write_line is not None:  # SQLite: whoever writes holds up no reader
            async with self._engine.connect() as connection:
                yield connection
            return
        async with contextlib.AsyncExitStack() as stack:
            opening = await self._in_time(self._open_to_read)
            await stack.enter_async_context(opening.stack)
            yield opening.connection

    async def migrate(self) -> None:
        """Bring the schema to its newest version. Several starters at once do not clash."""
        if self.dialect == "sqlite":
            await asyncio.to_thread(_use_wal, str(self.url.database))
        current, newest = await self.revisions()
        if current == newest:
            return
        async with self.begin() as connection:
            await connection.run_sync(migrations.upgrade)

    async def revisions(self) -> tuple[str | None, str | None]:
        """Return the schema's revision (None: an empty database) and the newest there is."""
        async with self.connect() as connection:
            return await connection.run_sync(migrations.revisions)

    async def close(self) -> None:
        """Close all connections."""
        await self.reader.close()
        if self._batches is not None:
            self._batches.close()
        await self._engine.dispose()


def _use_wal(path: str) -> None:
    """Switch the file to write-ahead logging; it stays so. Busy starters are waited for."""
    give_up = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        with contextlib.closing(sqlite3.connect(path, timeout=1)) as connection:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > give_up:
                    raise
        time.sleep(0.02)


def _engine_options(dialect: str, wait_s: float, *, hurried: bool) -> dict[str, Any]:
    if dialect == "sqlite":
        return {
            "poolclass": AsyncAdaptedQueuePool,
            "pool_size": 8,
            "connect_args": {"timeout": wait_s},
        }
    options: dict[str, Any] = {"pool_size": 8, "max_overflow": 8, "pool_pre_ping": True}
    if hurried:
        options["connect_args"] = {"timeout": _STATEMENT_S, "command_timeout": _STATEMENT_S}
    return options


def _prepare_sqlite(engine: Any, wait_s: float) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        cursor = connection.cursor()
        for pragma in pragmas(wait_s):
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        wait_ms = connection.get_execution_options().get(_IMMEDIATE)
        if wait_ms is not None:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={wait_ms}")
        connection.exec_driver_sql("BEGIN" if wait_ms is None else "BEGIN IMMEDIATE")
