"""Reads on SQLite: all rows of a read as one text, found by a thread outside of the interpreter."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Select, func, select
from sqlalchemy.dialects.sqlite.pysqlite import dialect as sqlite_dialect

from vpbx.db.prepared import Prepared, Row
from vpbx.db.sqlite import BUSY_TIMEOUT_S

_THREADS = 2
_CACHE_KIB = 512
"""A day of calls lies together; a connection's usual 2 MB make reading it no faster."""
_TOGETHER_S = 0.001
"""How long a result may be held back, and then for the search that is going on."""


class SqliteReader:
    """A few threads, each with a connection that can only read.

    All rows of a read come as one JSON text. Python's driver gives the interpreter away and
    fights for it again at every row, which beside a busy loop takes many times longer than the
    row; so the whole search is one step outside of it, and nobody waits for it meanwhile.
    The text is gathered in the order of the rows: a LIMIT keeps SQLite from merging both.
    """

    def __init__(self, path: str, wait_s: float = BUSY_TIMEOUT_S) -> None:
        self._path = path
        self._wait_s = wait_s
        # A ThreadPoolExecutor's own two futures and locks a read cost as much as a small read.
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._opened: list[sqlite3.Connection] = []

    def _start(self) -> None:
        for number in range(_THREADS):
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
            self._path, timeout=self._wait_s, isolation_level=None, check_same_thread=False
        )
        connection.text_factory = bytes  # as JSON is parsed
        connection.execute("PRAGMA query_only=ON")
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
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
