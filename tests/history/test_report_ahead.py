"""Days counted ahead are told as they would be counted now, whatever changed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, event, func, select, update

from tests.history.test_report_sums import BERLIN, FIRST_MS, LAST_MS, asked, calls
from tests.history.test_reports import row
from vpbx.db import Database
from vpbx.history import (
    Beside,
    ReportAhead,
    ReportAsked,
    Reports,
    ReportStore,
    Seen,
    call_history,
    reports,
)
from vpbx.history.report_store import Stored, plan_of
from vpbx.history.report_sums import DAY_MS
from vpbx.history.tables import report_sums

C = call_history.c
NOW = LAST_MS / 1000 + 3600
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")


def ahead(database: Database, *companies: tuple[int, ZoneInfo]) -> ReportAhead:
    async def known() -> list[tuple[int, ZoneInfo]]:
        return list(companies)

    return ReportAhead(ReportStore(database), known, lambda: NOW)


async def filled(database: Database, zone: ZoneInfo = BERLIN, domain_id: int = 1) -> None:
    counting = ahead(database)
    counting.hurry(domain_id)  # without rests
    assert await counting.fill(domain_id, zone)


async def put(database: Database, *statements: Any) -> None:
    for statement in statements:
        async with database.begin() as connection:
            await connection.execute(statement)


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """Give the statements that count calls meanwhile."""
    found: list[str] = []

    def seen(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if "FROM call_history" in statement:
            found.append(statement)

    engine = database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", seen)
    yield found
    event.remove(engine, "before_cursor_execute", seen)


ASKED = [
    asked(),
    asked(group="a"),
    asked(in_time_s=60),
    asked(in_time_s=7),
    asked(since_ms=FIRST_MS + 3 * DAY_MS, until_ms=FIRST_MS + 3 * DAY_MS + 40_000_000),
    asked(seen=Seen(("bob",))),
]


def _moved(call: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Put a call on one of a few days, clock changes among them, and rate it or not."""
    days = chance.choice((2, 3, 45, 46, 47, 101, 140, 255, 256, 262))
    at = FIRST_MS + days * DAY_MS + call["started_ms"] % DAY_MS
    later = {name: call[name] + at - call["started_ms"] for name in ("answered_ms", "ended_ms")}
    return {**call, "started_ms": at, **later, "rating": chance.choice((None, 4))}


async def told(reports: Reports, about: ReportAsked) -> list[Any]:
    return [
        await reports.by_day(about, BERLIN),
        await reports.by_hour(about, BERLIN),
        await reports.by_employee(about),
        await reports.by_department(about),
    ]


async def test_what_is_counted_ahead_is_told_as_if_it_were_counted_now(
    database: Database,
) -> None:
    chance = random.Random(3)
    some = [_moved(each, chance) for each in calls(60)]
    await put(database, call_history.insert().values(some))
    before = [await told(Reports(database), each) for each in ASKED]
    await filled(database)
    assert [await told(Reports(database), each) for each in ASKED] == before
    before = before[:2]
    middle = C.started_ms > FIRST_MS + 100 * DAY_MS
    new = row(9001, 0, started_ms=FIRST_MS + 5 * DAY_MS, answered_ms=FIRST_MS + 6 * DAY_MS)
    kept = Reports(database)
    for change in (
        call_history.insert().values(**new),
        update(call_history).where(C.callid == 9001).values(user_login="bob", user_name="Eve"),
        update(call_history).where(C.callid == 9001).values(started_ms=LAST_MS - 20 * DAY_MS),
        delete(call_history).where(middle, C.user_login == "ann"),
    ):
        await put(database, change)
        after = [await told(kept, each) for each in ASKED[:2]]
        assert after != before
        await filled(database)
        assert after == [await told(Reports(database), each) for each in ASKED[:2]]
        before = after
    await put(database, delete(report_sums))
    assert before == [await told(Reports(database), each) for each in ASKED[:2]], "counted now"


async def test_a_report_of_days_counted_ahead_counts_but_its_ends(
    sqlite_database: Database,
) -> None:
    await put(sqlite_database, call_history.insert().values(calls(300)))
    await filled(sqlite_database)
    for about in (asked(), asked(group="b", in_time_s=30)):
        with counted(sqlite_database) as statements:
            await Reports(sqlite_database).by_day(about, BERLIN)
        assert len(statements) == 2, "the hours at both ends"
    with counted(sqlite_database) as statements:
        await filled(sqlite_database)
    assert statements == []
    await put(sqlite_database, update(call_history).where(C.callid == 3).values(rating=1))
    with counted(sqlite_database) as statements:
        await filled(sqlite_database)
    assert len(statements) == 2, "that day, by whom and when"


async def test_what_is_not_counted_yet_is_said_and_then_counted_first(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "_AT_ONCE", 50)
    some = calls(200)
    theirs = [{**each, "callid": each["callid"] + 5000, "domain_id": 2} for each in some]
    await put(sqlite_database, call_history.insert().values([*some, *theirs]))
    counting = ahead(sqlite_database, (1, BERLIN), (2, LORD_HOWE))
    asking = Reports(sqlite_database, beside=Beside(counting.hurry, nothing_beside))
    left = await asking.left(asked(domain_id=2), "day", LORD_HOWE)
    assert 0.9 < left <= 1
    running = asyncio.create_task(counting.run())
    try:
        async with asyncio.timeout(60):
            while await asking.left(asked(domain_id=2), "employee", LORD_HOWE):
                await asyncio.sleep(0.01)
            async with sqlite_database.connect() as connection:
                count = select(func.count()).where(report_sums.c.domain_id == 1)
                first = await connection.scalar(count)
            while await asking.left(asked(), "hour", BERLIN):
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.wait([running])
    assert first is not None
    assert first < 200, "the other company has some 400"


def nothing_beside(work: Coroutine[Any, Any, None]) -> None:
    work.close()
    raise AssertionError("the days are kept in the database")


async def test_what_heads_see_is_counted_beside_while_the_page_says_how_far_it_is(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "_AT_ONCE", 5)
    await put(sqlite_database, call_history.insert().values(calls(200)))
    tasks: list[asyncio.Task[None]] = []
    spawn = Beside(lambda _: None, lambda work: tasks.append(asyncio.create_task(work)))
    asking = Reports(sqlite_database, beside=spawn)
    of_bob = asked(seen=Seen(("bob",)))
    for by in ("day", "employee"):
        assert await asking.left(of_bob, by, BERLIN) == 1
        later = replace(of_bob, until_ms=LAST_MS + 1000)
        assert await asking.left(later, by, BERLIN) > 0
        assert len(tasks) == 1, "asked again, it is not counted twice"
        await tasks.pop()
        assert await asking.left(later, by, BERLIN) == 0
    fresh = Reports(sqlite_database)
    assert await asking.by_day(of_bob, BERLIN) == await fresh.by_day(of_bob, BERLIN)
    assert await fresh.left(of_bob, "day", BERLIN) == 0, "a command waits"


async def test_another_time_zone_is_counted_anew_and_the_earlier_one_forgotten(
    sqlite_database: Database,
) -> None:
    await put(sqlite_database, call_history.insert().values(calls(20)))
    await filled(sqlite_database)
    await filled(sqlite_database, LORD_HOWE)
    async with sqlite_database.connect() as connection:
        kinds = set(await connection.scalars(select(report_sums.c.kind).distinct()))
    assert kinds == {"who", "hour Australia/Lord_Howe", "day Australia/Lord_Howe"}


async def test_today_is_not_counted_ahead(sqlite_database: Database) -> None:
    today = int(NOW) // 86_400
    at = today * DAY_MS + 1000
    await put(sqlite_database, call_history.insert().values(**row(1, 0, started_ms=at)))
    await filled(sqlite_database)
    async with sqlite_database.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(report_sums)) == 0


def test_a_time_is_put_together_of_the_largest_rows_that_hold() -> None:
    first = 128 * 160
    days = range(first - 2, first + 170)
    versions = dict.fromkeys(days, 2) | {first + 130: 0}
    held = {Stored(first, 128): 256, Stored(first, 32): 64, Stored(first + 128, 32): 63}
    held |= {Stored(day, 1): 2 for day in days if day != first + 131}
    held |= {Stored(first + 136, 8): 16, Stored(first + 144, 8): 15}
    plan = plan_of(days, held, versions)
    assert plan.missing == [range(first + 131, first + 132)]
    assert plan_of(days, {}, versions).missing == [days], "over days without calls"
    found = [piece for piece, _ in plan.stored]
    assert found[:3] == [Stored(first - 2, 1), Stored(first - 1, 1), Stored(first, 128)]
    assert Stored(first + 136, 8) in found
    assert Stored(first + 144, 8) not in found, "a day of it has changed"
    covered = [day for piece in found for day in range(piece.first, piece.first + piece.days)]
    assert sorted([*covered, first + 130, first + 131]) == list(days)
