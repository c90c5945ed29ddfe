"""Reading by prepared SQL gives what SQLAlchemy gives, on both dialects."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg
from sqlalchemy import bindparam, insert, select

from vpbx.db import Database, Row
from vpbx.history import call_history

_C = call_history.c
_BLANK = {column.name: "" for column in call_history.columns} | {
    "domain_id": 1,
    "is_inner": 0,
    "started_ms": 0,
    "ended_ms": 1_715_769_600_123,
    "answered_ms": None,
    "rating": None,
    "mos": None,
    "record": 0,
    "sip_code": 200,
    "node": 0,
    "missed_status": 0,
}
_NEWEST = (
    select(_C.callid, _C.client, _C.ended_ms, _C.answered_ms)
    .where(_C.callid < bindparam("before"))
    .order_by(_C.callid.desc())
    .limit(bindparam("page"))
)


_TOO_GREAT = {"sqlite": OverflowError, "postgresql": asyncpg.DataError}


async def _fill(database: Database, *rows: tuple[int, str]) -> None:
    values = [{**_BLANK, "callid": callid, "client": client} for callid, client in rows]
    async with database.begin() as connection:
        await connection.execute(insert(call_history), values)


def _lists(rows: Sequence[Row]) -> list[list[object]]:
    return [list(row) for row in rows]


async def test_rows_come_in_order_with_great_numbers_nulls_and_any_text(
    database: Database,
) -> None:
    great, odd = (1 << 63) - 1, 'a"b\\c\r\n\x01\u2028вася🙂'
    await _fill(database, (1, "one"), (2, odd), (great, ""))
    prepared = database.reader.prepare(_NEWEST)
    found = await database.reader.read(prepared, {"before": great, "page": 5})
    assert _lists(found) == [[2, odd, 1_715_769_600_123, None], [1, "one", 1_715_769_600_123, None]]
    found = await database.reader.read(prepared, {"before": great, "page": 1})
    assert [row[0] for row in found] == [2]
    assert _lists(await database.reader.read(prepared, {"before": 1, "page": 5})) == []


async def test_many_reads_at_once_each_get_their_own(database: Database) -> None:
    await _fill(database, *((number, str(number)) for number in range(1, 101)))
    prepared = database.reader.prepare(_NEWEST)

    async def newest(before: int) -> object:
        ((callid, *_),) = await database.reader.read(prepared, {"before": before, "page": 1})
        return callid

    found = await asyncio.gather(*(newest(number + 1) for number in range(1, 101)))
    assert found == list(range(1, 101))


async def test_what_goes_wrong_reaches_who_asked_and_the_other_reads_work(
    database: Database,
) -> None:
    await _fill(database, (1, "one"))
    prepared = database.reader.prepare(_NEWEST)
    good, bad = {"before": 5, "page": 1}, {"before": 1 << 80, "page": 1}
    found = await asyncio.gather(
        *(database.reader.read(prepared, values) for values in (good, bad, good, bad)),
        return_exceptions=True,
    )
    assert [type(rows) for rows in found[1::2]] == [_TOO_GREAT[database.dialect]] * 2
    assert [len(rows) for rows in found[::2] if not isinstance(rows, BaseException)] == [1, 1]


async def test_who_gives_up_a_read_spoils_no_other(database: Database) -> None:
    await _fill(database, (1, "one"))
    prepared = database.reader.prepare(_NEWEST)
    values = {"before": 5, "page": 1}
    reads = [asyncio.create_task(database.reader.read(prepared, values)) for _ in range(10)]
    await asyncio.sleep(0)
    for read in reads[::2]:
        read.cancel()
    found = await asyncio.gather(*reads[1::2])
    assert [len(rows) for rows in found] == [1] * 5
