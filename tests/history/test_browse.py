"""Pages of history are what a look through all calls finds, whatever is asked for."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert

from tests.history.test_reports import MINUTE_MS, START_MS, row
from vpbx.db import Database
from vpbx.history import Asked, Browser, ReportAsked, Reports, Seen, call_history
from vpbx.history.tables import call_tags

LOGINS = ("", "ann", "bob", "cat", "dan", "eve")
CLIENTS = ("79101234567", "79101234568", "7910", "74950000000")


def calls() -> list[dict[str, Any]]:
    chance, found = random.Random(3), []
    for number in range(1, 301):
        inner = chance.random() < 0.3
        way = "inner" if inner else chance.choice(("in", "out"))
        more = {
            "started_ms": START_MS + chance.randrange(60) * MINUTE_MS,
            "is_inner": int(inner),
            "direction": way,
            "status": chance.choice(("success", "missed" if way == "in" else "busy")),
            "client": "" if inner else chance.choice(CLIENTS),
            "user_login": chance.choice(LOGINS),
            "caller_login": chance.choice(LOGINS[1:]) if inner else "",
            "group_id": chance.choice(("", "sales")),
            "domain_id": chance.choice((1, 1, 1, 2)),
        }
        found.append(row(number, 0, **more))
    return found


def fits(call: dict[str, Any], asked: Asked, tagged: set[int]) -> bool:
    """Say whether a call is asked for, as plainly as can be."""
    people = {call["user_login"], call["caller_login"]} - {""}
    kind = {
        "all": True,
        "in": call["direction"] == "in",
        "out": call["direction"] == "out",
        "missed": call["direction"] == "in" and call["status"] != "success",
        "inner": bool(call["is_inner"]),
    }[asked.kind]
    seen = asked.seen
    return (
        call["domain_id"] == asked.domain_id
        and asked.since_ms <= call["started_ms"] < asked.until_ms
        and kind
        and (not asked.login or asked.login in people)
        and (not asked.group or call["group_id"] == asked.group)
        and (not asked.tag or (asked.tag == "vip" and call["callid"] in tagged))
        and call["client"].startswith(asked.client)
        and (
            seen is None
            or bool(people & set(seen.logins))
            or (call["group_id"] != "" and call["group_id"] in seen.groups)
        )
    )


ASKED = Asked(1, START_MS + 5 * MINUTE_MS, START_MS + 50 * MINUTE_MS, None, limit=7)
ASKS = [
    *({"kind": kind} for kind in ("all", "in", "out", "missed", "inner")),
    *({"login": "ann", "kind": kind} for kind in ("all", "in", "inner")),
    *({"client": client} for client in ("7910", "79101234567", "7910123456", "749")),
    {"client": "79101234567", "kind": "missed", "login": "bob"},
    {"tag": "vip"},
    {"tag": "vip", "login": "ann"},
    {"tag": "none"},
    {"group": "sales", "kind": "in"},
    {"seen": Seen(("ann",))},
    {"seen": Seen(("ann",)), "kind": "inner"},
    {"seen": Seen(("ann", "bob")), "login": "cat"},
    {"seen": Seen(LOGINS[1:])},
    {"seen": Seen(("ann",), ("sales",))},
    {"seen": Seen(())},
    {"seen": Seen(("ann",)), "tag": "vip"},
    {"seen": Seen(("ann",)), "client": "79101234567"},
]


@pytest.mark.parametrize("more", ASKS, ids=str)
async def test_pages_have_every_call_asked_for_once_newest_first(
    sqlite_database: Database, more: dict[str, Any]
) -> None:
    await _check(sqlite_database, [more])


async def test_both_databases_find_the_same(database: Database) -> None:
    await _check(database, ASKS)


async def _check(database: Database, asks: list[dict[str, Any]]) -> None:
    made, tagged = calls(), {n for n in range(1, 301) if n % 5 == 0}
    tags = [{"domain_id": 1, "tag": "vip", "callid": n} for n in tagged]
    async with database.begin() as connection:
        await connection.execute(call_history.insert(), made)
        await connection.execute(insert(call_tags), tags)
    browser = Browser(database)
    for more in asks:
        asked = replace(ASKED, **more)
        expected = [call for call in made if fits(call, asked, tagged)]
        expected.sort(key=lambda call: (-call["started_ms"], -call["callid"]))
        found: list[str] = []
        while page := await browser.find(asked):
            assert len(page) <= asked.limit
            found += [call.callid for call in page]
            asked = replace(asked, before=(page[-1].started_ms, int(page[-1].callid)))
        assert found == [str(call["callid"]) for call in expected], more


async def test_a_call_that_has_just_ended_is_waited_for(sqlite_database: Database) -> None:
    waiting = [row(1, 10), row(2, 11), row(3, 12), row(4, 13)]

    async def caught_up(_seconds: float) -> None:
        async with sqlite_database.begin() as connection:
            await connection.execute(call_history.insert(), waiting.pop(0))

    browser = Browser(sqlite_database, caught_up)
    asked = replace(ASKED, limit=100)
    assert [call.callid for call in await browser.find(asked)] == ["1"]
    assert await browser.get(1, "2", None) is not None
    assert (await browser.totals(1, asked.since_ms, asked.until_ms, None)).incoming == 3
    report = ReportAsked(1, asked.since_ms, asked.until_ms, None)
    [(_, _, figures)] = await Reports(sqlite_database, caught_up).by_employee(report)
    assert figures.incoming == 4
    page = replace(asked, before=(START_MS + 12 * MINUTE_MS, 3))
    assert [call.callid for call in await browser.find(page)] == ["2", "1"], "of which no more come"
