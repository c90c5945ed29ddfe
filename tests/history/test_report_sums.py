"""What reports keep of days that are over is what they would count anew."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, event, update

from tests.history.test_reports import row
from vpbx.db import Database
from vpbx.history import ReportAsked, Reports, Seen, call_history
from vpbx.history.report_sums import DAY_MS, QUARTER_MS, Kept, LocalClock, pieces_of

BERLIN = ZoneInfo("Europe/Berlin")
FIRST_MS = round(datetime(2026, 2, 10, 23, tzinfo=UTC).timestamp() * 1000)
LAST_MS = round(datetime(2026, 11, 2, 22, 7, tzinfo=UTC).timestamp() * 1000)
C = call_history.c


def asked(**more: Any) -> ReportAsked:
    values = {"domain_id": 1, "since_ms": FIRST_MS, "until_ms": LAST_MS, "seen": None}
    return ReportAsked(**{**values, **more})


def calls(count: int) -> list[dict[str, Any]]:
    chance = random.Random(7)
    found = []
    for number in range(count):
        started = chance.randrange(FIRST_MS - DAY_MS, LAST_MS + DAY_MS)
        login = chance.choice(("ann", "bob"))
        more = {"user_login": login, "user_name": login.title(), "group_id": chance.choice("ab")}
        times = {"started_ms": started, "answered_ms": started + 3000, "ended_ms": started + 9000}
        found.append(row(number + 1, 0, **times, **more))
    return found


async def told(reports: Reports, about: ReportAsked) -> list[Any]:
    return [
        await reports.by_day(about, BERLIN),
        await reports.by_hour(about, BERLIN),
        await reports.by_employee(about),
        await reports.by_department(about),
    ]


async def test_what_is_kept_follows_every_change(database: Database) -> None:
    async with database.begin() as connection:
        await connection.execute(call_history.insert(), calls(600))
    reports = Reports(database)
    before = await told(reports, asked())
    assert await told(reports, asked()) == before
    middle = C.started_ms > FIRST_MS + 100 * DAY_MS
    new = row(9001, 0, started_ms=FIRST_MS + 5, answered_ms=FIRST_MS + 6, ended_ms=FIRST_MS + 7)
    changes = (
        call_history.insert().values(**new),
        update(call_history).where(C.callid == 9001).values(rating=5),
        update(call_history).where(C.callid == 9001).values(user_login="bob", user_name="Bob"),
        update(call_history).where(C.callid == 9001).values(started_ms=LAST_MS - 1),
        delete(call_history).where(middle, C.user_login == "ann"),
    )
    for change in changes:
        async with database.begin() as connection:
            await connection.execute(change)
        after = await told(reports, asked())
        assert after != before
        assert after == await told(Reports(database), asked()), "as one that kept nothing"
        before = after
    of_bob = await told(reports, asked(seen=Seen(("bob",))))
    assert of_bob != before
    since = {"bob": FIRST_MS + 150 * DAY_MS}
    assert await told(reports, asked(seen=Seen(("bob",), since_ms=since))) not in (before, of_bob)
    assert await told(reports, asked(group="a", in_time_s=1)) != before
    assert await told(reports, asked(domain_id=2)) != before


async def test_days_that_are_over_are_not_counted_again(sqlite_database: Database) -> None:
    async with sqlite_database.begin() as connection:
        await connection.execute(call_history.insert(), calls(50))
    reports = Reports(sqlite_database)
    counted: list[str] = []

    def seen(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if "FROM call_history" in statement:
            counted.append(statement)

    engine = sqlite_database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", seen)
    await reports.by_employee(asked())
    assert len(counted) > 5
    counted.clear()
    await reports.by_employee(asked())
    assert counted == []
    async with sqlite_database.begin() as connection:
        await connection.execute(update(call_history).where(C.callid == 3).values(rating=1))
    await reports.by_employee(asked())
    assert len(counted) <= 1, "the piece of that day alone"


@pytest.mark.parametrize("seed", range(5))
def test_pieces_make_up_the_time_and_most_are_those_of_other_times(seed: int) -> None:
    chance = random.Random(seed)
    since = chance.randrange(FIRST_MS, FIRST_MS + DAY_MS)
    until = since + chance.randrange(1, 400 * DAY_MS)
    found = list(pieces_of(since, until))
    assert (found[0].since_ms, found[-1].until_ms) == (since, until)
    assert all(one.until_ms == next_.since_ms for one, next_ in pairwise(found))
    assert len(found) <= 400 / 32 + 4 * 2 + 8 * 2 + 2
    later = set(pieces_of(since + 3 * DAY_MS, until + 2 * DAY_MS))
    assert len(later & set(found)) >= len(found) - 20
    assert list(pieces_of(since, since)) == []


@pytest.mark.parametrize("name", ["Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"])
def test_quarters_are_called_as_clocks_show_them_also_around_changes(name: str) -> None:
    zone = ZoneInfo(name)
    clock = LocalClock(zone)
    for quarter in range(FIRST_MS // QUARTER_MS, LAST_MS // QUARTER_MS, 3):
        local = datetime.fromtimestamp(quarter * QUARTER_MS / 1000, UTC).astimezone(zone)
        assert (clock.hour(quarter), clock.day(quarter)) == (local.hour, local.toordinal())


def test_not_everything_is_kept_for_ever() -> None:
    kept = Kept()
    lines = {str(n): ("", (1,)) for n in range(1000)}
    for number in range(100):
        kept.keep(number, 1, lines)
    assert kept.get(99, 1) == lines
    assert kept.get(99, 2) is None
    assert kept.get(0, 1) is None
