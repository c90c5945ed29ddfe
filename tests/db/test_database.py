"""The database on both dialects: migrations, transactions."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from vpbx.db import Database


async def test_migrate_twice_changes_nothing(database: Database) -> None:
    await database.migrate()
    async with database.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1


async def test_concurrent_starters_do_not_clash(database_url: str) -> None:
    starters = [Database.from_url(database_url) for _ in range(4)]
    await asyncio.gather(*(starter.migrate() for starter in starters))
    async with starters[0].connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1
    for starter in starters:
        await starter.close()


async def test_failed_transaction_leaves_nothing(database: Database) -> None:
    async with database.begin() as connection:
        await connection.execute(text("CREATE TABLE t (x INTEGER)"))

    async def fail() -> None:
        async with database.begin() as connection:
            await connection.execute(text("INSERT INTO t VALUES (1)"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with database.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM t")) == 0


async def test_writers_of_two_processes_wait_for_each_other(sqlite_url: str) -> None:
    first, second = Database.from_url(sqlite_url), Database.from_url(sqlite_url)
    await first.migrate()
    async with first.begin() as connection:
        await connection.execute(text("CREATE TABLE t (x INTEGER)"))

    async def add(database: Database) -> None:
        for _ in range(20):
            async with database.begin() as connection:
                count = await connection.scalar(text("SELECT count(*) FROM t"))
                await connection.execute(text("INSERT INTO t VALUES (:x)"), {"x": count})

    await asyncio.gather(add(first), add(second))
    async with first.connect() as connection:
        rows = (await connection.execute(text("SELECT x FROM t ORDER BY x"))).scalars().all()
    assert list(rows) == list(range(40))
    await first.close()
    await second.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://x/y"])
async def test_url_of_no_use_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        Database.from_url(url)
