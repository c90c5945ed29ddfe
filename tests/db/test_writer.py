"""The writer: gathering, order, a database that goes away, a unit that is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    Column,
    Date,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql

from vpbx.db import Database, Write, Writer, insert_or_ignore, upsert
from vpbx.db.writer import gather


class Lowered(TypeDecorator[str]):
    """Text that is kept in small letters: a type with an opinion of its values."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return value and value.lower()


tables = MetaData()
call = Table(
    "w_call",
    tables,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
)
outbox = Table(
    "w_outbox",
    tables,
    Column("id", Integer, primary_key=True),
    Column("call_id", ForeignKey("w_call.id")),
    Column("body", Text),
)
other = Table("w_other", tables, Column("id", Integer, primary_key=True))
seen = Table(
    "w_seen",
    tables,
    Column("day", Date, primary_key=True),
    Column("times", Integer, nullable=False),
    Column("spelled", Lowered),
)

INSERT_CALL = insert(call)
UPDATE_CALL = update(call).where(call.c.id == bindparam("b_id")).values(state=bindparam("state"))
INSERT_OUTBOX = insert(outbox)
INSERT_OTHER = insert(other)


def start(number: int, state: str | None = "started") -> Write:
    return Write(INSERT_CALL, {"id": number, "state": state}, key=number)


def end(number: int) -> Write:
    return Write(UPDATE_CALL, {"b_id": number, "state": "ended"}, key=number)


@pytest.fixture
async def writing(database: Database) -> AsyncIterator[tuple[Database, Writer]]:
    async with database.begin() as connection:
        await connection.run_sync(tables.create_all)
    writer = Writer(database)
    await writer.start()
    yield database, writer
    await writer.stop()


async def states(database: Database) -> dict[int, str]:
    async with database.connect() as connection:
        return {row.id: row.state for row in await connection.execute(select(call))}


def test_equal_statements_of_different_calls_are_gathered() -> None:
    units = [[start(1), end(1)], [start(2), end(2)], [start(3)]]
    assert [(b.statement, len(b.params)) for b in gather(units)] == [
        (INSERT_CALL, 3),
        (UPDATE_CALL, 2),
    ]


def test_writes_of_one_call_keep_their_order() -> None:
    units = [[end(9)], [start(1)], [end(1)]]
    assert [b.statement for b in gather(units)] == [UPDATE_CALL, INSERT_CALL, UPDATE_CALL]


def test_child_row_never_passes_its_parent() -> None:
    child = Write(INSERT_OUTBOX, {"call_id": 1, "body": ""})
    units = [[child], [start(1)], [child]]
    assert [b.statement for b in gather(units)] == [INSERT_OUTBOX, INSERT_CALL, INSERT_OUTBOX]


def test_unrelated_tables_are_passed_but_not_within_a_unit() -> None:
    free = Write(INSERT_OTHER, {})
    assert len(gather([[free], [start(1)], [free]])) == 2
    assert len(gather([[free], [start(1), free]])) == 3


async def test_everything_submitted_is_written(writing: tuple[Database, Writer]) -> None:
    database, writer = writing
    for number in range(50):
        writer.submit(
            [start(number), Write(INSERT_OUTBOX, {"call_id": number, "body": "x"}, key=number)]
        )
    for number in range(50):
        writer.submit([end(number)])
    await writer.flush()
    assert await states(database) == dict.fromkeys(range(50), "ended")
    async with database.connect() as connection:
        assert len((await connection.execute(select(outbox))).all()) == 50


async def test_who_reads_waits_for_what_was_told_before_but_not_for_a_database_that_is_away(
    writing: tuple[Database, Writer],
) -> None:
    database, writer = writing
    write, back = database.write, asyncio.Event()

    async def away(batches: Any) -> None:
        await back.wait()
        await write(batches)

    assert await writer.caught_up(0)
    database.write = away  # type: ignore[method-assign]
    writer.submit([start(1)])
    assert not await writer.caught_up(0.05)
    back.set()
    assert await writer.caught_up(10)
    assert await states(database) == {1: "started"}


async def test_refused_unit_is_dropped_alone_and_whole(writing: tuple[Database, Writer]) -> None:
    database, writer = writing
    writer.submit([start(1)])
    writer.submit([start(2), start(3, None)])
    writer.submit([start(4), start(1)])
    writer.submit([start(5)])
    await writer.flush()
    assert set(await states(database)) == {1, 5}


async def test_database_that_goes_away_and_comes_back_loses_nothing(
    postgres_server: Any, postgres_url: str
) -> None:
    database = Database.from_url(postgres_url)
    name = database.url.database
    async with database.begin() as connection:
        await connection.run_sync(tables.create_all)
    writer = Writer(database)
    await writer.start()
    postgres_server.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    postgres_server.sql(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )
    for number in range(3):
        writer.submit([start(number)])
    flushed = asyncio.create_task(writer.flush())
    done, _ = await asyncio.wait([flushed], timeout=0.5)
    assert not done
    postgres_server.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    await flushed
    assert set(await states(database)) == {0, 1, 2}
    await writer.stop()
    await database.close()


async def test_what_is_kept_has_a_bound(sqlite_url: str) -> None:
    database = Database.from_url(sqlite_url)
    writer = Writer(database, max_pending=3)
    for number in range(5):
        writer.submit([start(number)])
    assert writer.pending == 3
    await database.close()


async def test_upsert_and_insert_or_ignore_on_both_dialects(
    writing: tuple[Database, Writer],
) -> None:
    database, _ = writing
    async with database.begin() as connection:
        for state in ("a", "b"):
            await connection.execute(upsert(call, ["id"]), {"id": 1, "state": state})
        await connection.execute(insert_or_ignore(call, ["id"]), {"id": 1, "state": "c"})
        await connection.execute(
            upsert(call, ["id"]), [{"id": 1, "state": "d"}, {"id": 2, "state": "e"}]
        )
    assert await states(database) == {1: "d", 2: "e"}


async def test_values_arrive_as_their_types_and_the_statement_say(
    writing: tuple[Database, Writer],
) -> None:
    database, writer = writing
    new = postgresql.insert(seen).values(times=1)
    count = new.on_conflict_do_update(index_elements=["day"], set_={"times": seen.c.times + 1})
    for spelled in ("One", "Two"):
        writer.submit([Write(count, {"day": date(2026, 2, 1), "spelled": spelled})])
    await writer.flush()
    async with database.connect() as connection:
        rows = (await connection.execute(select(seen))).all()
    assert [tuple(row) for row in rows] == [(date(2026, 2, 1), 2, "one")]


async def test_values_come_to_their_places_in_whatever_order_rows_name_them(
    writing: tuple[Database, Writer],
) -> None:
    """Also one that stands at two places, one that is alone, and a statement without any."""
    database, writer = writing
    rename = (
        update(call)
        .where(call.c.id >= bindparam("b_id"), call.c.id <= bindparam("b_id"))
        .values(state=bindparam("now"))
    )
    rows = [{"state": "a", "id": 1}, {"id": 2, "state": "b"}, {"state": "c", "id": 3}]
    writer.submit([Write(INSERT_CALL, row) for row in [*rows, {"state": "d", "id": 4}]])
    writer.submit([Write(rename, {"now": "new", "b_id": 2})])
    writer.submit([Write(delete(call).where(call.c.id == bindparam("b_id")), {"b_id": 3})])
    writer.submit([Write(INSERT_OTHER, {"id": 7})])
    await writer.flush()
    assert await states(database) == {1: "a", 2: "new", 4: "d"}
    writer.submit([Write(delete(call), {})])
    await writer.flush()
    assert await states(database) == {}


async def test_values_are_asked_for_when_the_write_goes_out(
    writing: tuple[Database, Writer],
) -> None:
    database, writer = writing
    news: dict[int, dict[str, Any] | None] = {1: {"id": 1, "state": "old"}, 2: {"id": 2}}
    writer.submit([Write(INSERT_CALL, lambda: news[1], 1), Write(INSERT_CALL, lambda: news[2], 2)])
    news[1], news[2] = {"id": 1, "state": "new"}, None
    await writer.flush()
    assert await states(database) == {1: "new"}


async def test_values_that_cannot_be_made_cost_their_own_unit_only(
    writing: tuple[Database, Writer],
) -> None:
    database, writer = writing

    def fail() -> dict[str, Any]:
        raise ValueError

    for number in (1, 2):
        writer.submit([start(number)])
        writer.submit([Write(INSERT_CALL, fail), start(number + 10)])
    await writer.flush()
    assert set(await states(database)) == {1, 2}


async def test_stop_writes_what_is_left(writing: tuple[Database, Writer]) -> None:
    database, writer = writing
    writer.submit([start(1)])
    await writer.stop()
    assert await states(database) == {1: "started"}


_STATEMENTS = (INSERT_CALL, UPDATE_CALL, INSERT_OUTBOX, INSERT_OTHER)
_writes = st.builds(
    lambda statement, key, number: Write(statement, {"n": number}, key),
    st.sampled_from(_STATEMENTS),
    st.sampled_from([None, 1, 2]),
    st.integers(),
)


@given(st.lists(st.lists(_writes, max_size=4), max_size=6))
def test_gathering_keeps_every_write_and_every_order_that_matters(
    units: list[list[Write]],
) -> None:
    numbered = [
        [Write(write.statement, {"at": (index, place)}, write.key) for place, write in enumerate(u)]
        for index, u in enumerate(units)
    ]
    order = [params["at"] for batch in gather(numbered) for params in batch.params]
    position = {at: index for index, at in enumerate(order)}
    flat = [((i, p), write) for i, unit in enumerate(numbered) for p, write in enumerate(unit)]
    assert sorted(order) == [at for at, _ in flat]
    for index, (at, write) in enumerate(flat):
        for later_at, later in flat[index + 1 :]:
            tables_meet = (write.statement in _STATEMENTS[:3]) and (
                later.statement in _STATEMENTS[:3]
            )
            keys = {write.key, later.key}
            independent = None not in keys and len(keys) == 2
            same = write.statement is later.statement or later_at[0] == at[0]
            if same or (tables_meet and not independent):
                assert position[at] < position[later_at]
