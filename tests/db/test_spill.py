"""A database that is away when the process ends, or longer than anybody waits."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, select, text, update

from tests.support.postgres import PostgresServer
from vpbx.crm.tables import crm_outbox
from vpbx.db import Database, Unavailable, Write, Writer, insert_or_ignore, is_passing, take_up

_INSERT = insert_or_ignore(crm_outbox, ["id"])
_TRIED = (
    update(crm_outbox)
    .where(crm_outbox.c.id == bindparam("key"))
    .values(attempts=crm_outbox.c.attempts + 1, error="fixed: a 'colon'::x")
)


def row(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "node": 0,
        "domain_id": 1,
        "callid": str(number),
        "cmd": "история",
        "fields": '{"a": ":x"}',
        "created_ms": 1_764_000_000_000,
        "status": "pending",
        "attempts": 0,
        "tried_ms": None,
        "error": "",
        **more,
    }


@contextmanager
def lock(url: str) -> Iterator[Callable[[], None]]:
    """Lock an SQLite file from another process; the value lets it go earlier."""
    path = url.removeprefix("sqlite:///")
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('BEGIN EXCLUSIVE'); print('x', flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", code, path], **pipes)  # type: ignore[call-overload]
    assert process.stdout is not None
    process.stdout.readline()

    def let_go() -> None:
        process.kill()
        process.wait()

    try:
        yield let_go
    finally:
        let_go()


def tell(processes: list[int], what: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):  # a backend that has just ended
            os.kill(process, what)


async def ids(url: str) -> list[tuple[int, int]]:
    database = Database.from_url(url)
    async with database.connect() as connection:
        found = await connection.execute(select(crm_outbox.c.id, crm_outbox.c.attempts))
        rows = sorted((key, attempts) for key, attempts in found)
    await database.close()
    return rows


@asynccontextmanager
async def opened(url: str, **more: Any) -> AsyncIterator[Database]:
    database = Database.from_url(url, **more)
    try:
        yield database
    finally:
        await database.close()


async def test_what_cannot_be_written_before_the_end_is_written_at_the_next_start(
    database: Database, tmp_path: Path
) -> None:
    """A database that does not answer, simulated at its last hop: the same for both kinds."""
    spill = tmp_path / "unwritten.jsonl"
    answer = asyncio.Event()
    write = database.write

    async def away(batches: Any) -> None:
        await answer.wait()
        await write(batches)

    database.write = away  # type: ignore[method-assign]
    writer = Writer(database, spill=spill, gather_s=0)
    await writer.start()
    writer.submit([Write(_INSERT, row(1), 1)])
    await asyncio.sleep(0.01)  # this one is on its way
    writer.submit([Write(_INSERT, lambda: row(2), 2), Write(_TRIED, {"key": 1}, 1)])
    writer.submit([Write(_INSERT, lambda: None, 3)])  # came and went meanwhile
    writer.submit([Write(_INSERT, row(4, error="NUL\0"), 4)])
    async with asyncio.timeout(30):
        await writer.stop(0.2)
    assert spill.stat().st_mode & 0o777 == 0o600

    database.write = write  # type: ignore[method-assign]
    units = await take_up(spill, database)
    url = database.url.render_as_string(hide_password=False)
    url = url.replace("+aiosqlite", "").replace("+asyncpg", "")
    wanted = [(1, 1), (2, 0)]
    if database.dialect == "sqlite":
        wanted.append((4, 0))  # PostgreSQL takes no NUL
    assert await ids(url) == wanted
    assert units == len(wanted), "what the database refuses is refused later, too"
    assert not spill.exists()
    assert await take_up(spill, database) == 0


async def test_a_start_that_was_cut_off_writes_nothing_twice(
    database: Database, tmp_path: Path
) -> None:
    spill = tmp_path / "unwritten.jsonl"
    writer = Writer(database, spill=spill)
    await writer.start()
    write = database.write
    database.write = lambda batches: asyncio.sleep(60)  # type: ignore[assignment]
    for number in range(10):
        writer.submit([Write(_INSERT, row(number), number)])
    await writer.stop(0.05)
    database.write = write  # type: ignore[method-assign]
    kept = spill.read_bytes()
    assert await take_up(spill, database) == 10
    spill.write_bytes(kept)
    assert await take_up(spill, database) == 10
    async with database.connect() as connection:
        found = (await connection.execute(select(crm_outbox.c.id))).scalars().all()
    assert sorted(found) == list(range(10))


async def test_a_file_cut_short_by_a_full_disk_gives_what_is_whole(
    database: Database, tmp_path: Path
) -> None:
    spill = tmp_path / "unwritten.jsonl"
    writer = Writer(database, spill=spill)
    await writer.start()
    write = database.write
    database.write = lambda batches: asyncio.sleep(60)  # type: ignore[assignment]
    for number in range(3):
        writer.submit([Write(_INSERT, row(number), number)])
    await writer.stop(0.05)
    database.write = write  # type: ignore[method-assign]
    spill.write_bytes(spill.read_bytes()[:-30])
    assert await take_up(spill, database) == 2
    assert (tmp_path / "unwritten.jsonl.refused").exists()


async def test_a_file_of_another_kind_of_database_is_left_alone(
    database: Database, tmp_path: Path
) -> None:
    spill = tmp_path / "unwritten.jsonl"
    for kept in ('{"format": 1, "dialect": "oracle"}\n[]\n', "nonsense\n", "[1]\n"):
        spill.write_text(kept)
        assert await take_up(spill, database) == 0
        assert spill.read_text() == kept


async def test_a_locked_file_is_left_within_the_time_there_is(
    sqlite_database: Database, sqlite_url: str, tmp_path: Path
) -> None:
    """Everything, from the writer to the closing of connections, and nothing arrives later."""
    spill = tmp_path / "unwritten.jsonl"
    database = Database.from_url(sqlite_url, patience_s=1.5)
    writer = Writer(database, spill=spill)
    await writer.start()
    with lock(sqlite_url):
        writer.submit([Write(_INSERT, row(1), 1)])
        await asyncio.sleep(0.1)
        began = time.monotonic()
        await writer.stop(0.3)
        await database.close()
        assert time.monotonic() - began < 15
    await asyncio.sleep(1.2)  # a thread that still waited for the lock would have it by now
    assert await ids(sqlite_url) == []
    async with opened(sqlite_url) as again:
        assert await take_up(spill, again) == 1
    assert await ids(sqlite_url) == [(1, 0)]


async def test_nobody_waits_for_a_locked_file_longer_than_they_said(
    sqlite_database: Database, sqlite_url: str
) -> None:
    async with opened(sqlite_url, patience_s=0.5) as database:

        async def change(number: int) -> float:
            began = time.monotonic()
            try:
                async with database.begin() as connection:
                    await connection.execute(_INSERT, row(number))
            except Unavailable:
                return time.monotonic() - began
            return -1.0

        with lock(sqlite_url) as let_go:
            took = await asyncio.gather(*(change(number) for number in range(20)))
            assert min(took) > 0
            assert max(took) < 6, "one after another they would take ten seconds"
            async with database.connect() as connection:  # reading goes on
                assert (await connection.execute(select(crm_outbox.c.id))).all() == []
            let_go()
        await asyncio.sleep(0.6)
        async with asyncio.timeout(30):
            while await change(99) != -1.0:
                pass
    assert await ids(sqlite_url) == [(99, 0)]


async def test_a_lock_that_goes_in_time_is_no_trouble(
    sqlite_database: Database, sqlite_url: str
) -> None:
    async with opened(sqlite_url, patience_s=30) as database:
        with lock(sqlite_url) as let_go:
            asyncio.get_running_loop().call_later(0.2, let_go)
            async with database.begin() as connection:
                await connection.execute(_INSERT, row(1))
    assert await ids(sqlite_url) == [(1, 0)]


async def test_a_postgresql_that_hangs_is_left_in_time_and_found_again(
    postgres_server: PostgresServer, postgres_url: str, database: Database
) -> None:
    """Stopped, as on a machine that is paused: connections stay open and nothing comes."""
    if database.dialect != "postgresql":
        pytest.skip("of PostgreSQL alone")
    url = database.url.render_as_string(hide_password=False).replace("+asyncpg", "")
    async with opened(url, patience_s=0.5) as hurried:
        prepared = hurried.reader.prepare(select(crm_outbox.c.id).where(bindparam("n") == 1))
        await hurried.reader.read(prepared, {"n": 1})
        async with hurried.connect() as connection:
            own = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            above = int(Path(f"/proc/{own}/stat").read_text().rpartition(")")[2].split()[1])
        below = Path(f"/proc/{above}/task/{above}/children").read_text().split()
        processes = [above, *map(int, below)]
        await asyncio.sleep(1.1)
        tell(processes, signal.SIGSTOP)
        try:
            for attempt in (hurried.connect, hurried.begin):
                began = time.monotonic()
                with pytest.raises(Exception) as away:
                    async with attempt():
                        pass
                assert is_passing(away.value)
                assert time.monotonic() - began < 15
            began = time.monotonic()
            with pytest.raises(Exception) as away:
                await hurried.reader.read(prepared, {"n": 1})
            assert is_passing(away.value)
            assert time.monotonic() - began < 15
        finally:
            tell(processes, signal.SIGCONT)
        await asyncio.sleep(0.6)
        async with hurried.begin() as connection:
            await connection.execute(_INSERT, row(1))
        assert await hurried.reader.read(prepared, {"n": 1}) is not None


def test_which_faults_pass() -> None:
    passing = ("database is locked", "database or disk is full", "disk I/O error", "readonly")
    assert all(is_passing(sqlite3.OperationalError(words)) for words in passing)
    assert not is_passing(sqlite3.OperationalError("no such table: x"))
    assert not is_passing(sqlite3.IntegrityError("UNIQUE constraint failed"))
    assert is_passing(ConnectionRefusedError())
    assert is_passing(TimeoutError())
    assert not is_passing(ValueError("disk"))
