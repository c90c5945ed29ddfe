"""Reports count calls alike on both databases, and only those asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from tests.history.world import NOW
from vpbx.db import Database
from vpbx.history import Figures, ReportAsked, Reports, Seen, call_history

START_MS = (int(NOW) // 3600) * 3_600_000
MINUTE_MS = 60_000


def row(number: int, at_min: int, **more: Any) -> dict[str, Any]:
    """Return an incoming call of Ann's, answered after 5 s, of a minute's talk."""
    started = START_MS + at_min * MINUTE_MS
    return {
        "callid": number,
        "domain_id": 1,
        "is_inner": 0,
        "started_ms": started,
        "answered_ms": started + 5_000,
        "ended_ms": started + 65_000,
        "direction": "in",
        "status": "success",
        "client": "79101234567",
        "account": "ann",
        "diversion": "74957654321",
        "telnum_name": "",
        "destination": "user",
        "user_login": "ann",
        "user_name": "Ann Smith",
        "user_ext": "702",
        "group_id": "",
        "group_name": "",
        "caller_login": "",
        "caller_name": "",
        "rating": None,
        "record": 0,
        "sip_code": 200,
        "node": 0,
        "ended_by": "",
        "missed_status": 0,
        **more,
    }


def missed(number: int, at_min: int, destination: str, **more: Any) -> dict[str, Any]:
    values = {"status": "missed", "answered_ms": None, "destination": destination, **more}
    return row(number, at_min, **values)


SALES = {"group_id": "sales", "group_name": "Sales", "user_login": "bob", "user_name": "Bob"}
CALLS = [
    row(1, 0, rating=5),
    row(2, 14, answered_ms=START_MS + 14 * MINUTE_MS + 20_000, rating=2),
    row(3, 15, answered_ms=START_MS + 15 * MINUTE_MS + 20_001, **SALES),
    missed(4, 16, "vm", **SALES),
    missed(5, 17, "group", **SALES),
    row(6, 18, direction="out", destination=""),
    missed(7, 19, "", direction="out", status="busy"),
    row(8, 20, is_inner=1, direction="inner"),
    row(9, 21, domain_id=2),
    row(10, 60),
]
ASKED = ReportAsked(domain_id=1, since_ms=START_MS, until_ms=START_MS + 60 * MINUTE_MS, seen=None)


async def fill(database: Database) -> Reports:
    async with database.begin() as connection:
        await connection.execute(call_history.insert(), CALLS)
    return Reports(database)


async def in_quarter(reports: Reports, number: int) -> Figures:
    """What is counted of one quarter of the hour that is asked for."""
    since_ms = START_MS + number * 15 * MINUTE_MS
    part = replace(ASKED, since_ms=since_ms, until_ms=since_ms + 15 * MINUTE_MS)
    hours = await reports.by_hour(part, ZoneInfo("UTC"))
    return sum((each for _hour, each in hours), Figures())


async def test_calls_are_counted_by_time_by_employee_and_by_department(
    database: Database,
) -> None:
    reports = await fill(database)
    first, second, third, last = [await in_quarter(reports, number) for number in range(4)]
    assert third == last == Figures()
    assert first == Figures(*(2, 2, 2, 0), waited_ms=25_000, talked_ms=105_000, rated=2, stars=7)
    assert second == Figures(
        incoming=3,
        answered=1,
        in_time=0,
        abandoned=1,
        waited_ms=20_001,
        talked_ms=44_999 + 60_000,
        outgoing=2,
        reached=1,
    )
    total = first + second
    assert (total.missed, total.service_level, total.wait_s) == (2, 40, 15)
    assert (total.talk_s, total.rating) == (52, 3.5)
    by_employee = {login: (name, each) for login, name, each in await reports.by_employee(ASKED)}
    assert {login: name for login, (name, _each) in by_employee.items()} == {
        "ann": "Ann Smith",
        "bob": "Bob",
    }
    assert by_employee["bob"][1].incoming == 3
    assert by_employee["ann"][1] + by_employee["bob"][1] == total
    departments = await reports.by_department(ASKED)
    assert [(gid, name, each.incoming) for gid, name, each in departments] == [
        ("", "", 2),
        ("sales", "Sales", 3),
    ]


async def test_only_what_may_be_seen_and_was_asked_for_is_counted(
    sqlite_database: Database,
) -> None:
    reports = await fill(sqlite_database)

    async def counted(**more: Any) -> int:
        values = {"domain_id": 1, "since_ms": ASKED.since_ms, "until_ms": ASKED.until_ms}
        asked = ReportAsked(**{**values, "seen": None, **more})
        found = await reports.by_department(asked)
        return sum(each.incoming for _gid, _name, each in found)

    assert await counted() == 5
    assert await counted(seen=Seen(("bob",))) == 3
    assert await counted(seen=Seen((), ("sales",))) == 3
    assert await counted(seen=Seen(("nobody",))) == 0
    assert await counted(group="sales") == 3
    assert await counted(domain_id=2) == 1
    assert await counted(until_ms=START_MS) == 0
    nothing = Figures()
    assert (nothing.service_level, nothing.wait_s, nothing.talk_s, nothing.rating) == (None,) * 4
