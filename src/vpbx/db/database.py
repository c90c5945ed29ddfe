"""The database: SQLite by default, PostgreSQL by URL, the same code above both.

Transactions. `begin()` is for writing: on SQLite it takes the write lock at once (BEGIN
IMMEDIATE), so that a transaction never fails half way because another got there first; within
this process writers wait in line, between processes SQLite's busy timeout holds them. `connect()`
is for reading: a snapshot on SQLite (WAL), read committed on PostgreSQL.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import event, make_url
from sqlalchemy.engine import URL, Connection
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from vpbx.db import migrate as migrations
from vpbx.db.batches import Batch, SqliteBatches
from vpbx.db.reader import Reader, open_reader
from vpbx.db.sqlite import BUSY_TIMEOUT_S, PRAGMAS

_FILE_NAME = "vpbx.sqlite3"
_IMMEDIATE = "vpbx_immediate"


class Database:
    """An engine with its pool. Make it with `from_url` or `for_data_dir`; close it when done."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.dialect = url.get_backend_name()
        """`sqlite` or `postgresql`."""
        self._engine = create_async_engine(url, **_engine_options(self.dialect))
        self._write_line = asyncio.Lock() if self.dialect == "sqlite" else None
        self.reader: Reader = open_reader(url)
        """For reads that are many or big."""
        self._batches: SqliteBatches | None = None
        if self.dialect == "sqlite":
            _prepare_sqlite(self._engine.sync_engine)
            self._batches = SqliteBatches(str(url.database))

    @classmethod
    def from_url(cls, url: str) -> Database:
        """Open `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/NAME`.

        Raises ValueError when the URL names any other kind of database.
        """
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend == "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise ValueError("an SQLite database needs a file: sqlite:///PATH")
            return cls(parsed.set(drivername="sqlite+aiosqlite"))
        if backend in ("postgresql", "postgres"):
            return cls(parsed.set(drivername="postgresql+asyncpg"))
        raise ValueError(f"database {backend!r} is not supported; use sqlite or postgresql")

    @classmethod
    def for_data_dir(cls, data_dir: Path) -> Database:
        """Open the SQLite file of a data directory (made when missing, for its owner only)."""
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(URL.create("sqlite+aiosqlite", database=str(data_dir / _FILE_NAME)))

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction for writing; commits at the end, rolls back on any exception.

        On SQLite transactions do not nest: a second `begin()` inside the first waits for ever.
        """
        async with self._write_line or contextlib.nullcontext(), self._engine.connect() as bare:
            connection = await bare.execution_options(**{_IMMEDIATE: True})
            async with connection.begin():
                yield connection

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
        async with self._engine.connect() as connection:
            yield connection

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


def _engine_options(dialect: str) -> dict[str, Any]:
    if dialect == "sqlite":
        return {
            "poolclass": AsyncAdaptedQueuePool,
            "pool_size": 8,
            "connect_args": {"timeout": BUSY_TIMEOUT_S},
        }
    return {"pool_size": 8, "max_overflow": 8, "pool_pre_ping": True}


def _prepare_sqlite(engine: Any) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get(_IMMEDIATE)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
