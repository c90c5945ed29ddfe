"""Rows of history by the million: a company's calls, made up but of likely kinds.

Days have business hours; two thirds of the calls with the outside come in; seven in ten are
answered, most of those recorded; one number of twenty gets more than half; few customers call
often and many once. The same seed makes the same rows.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from bench.company import DOMAIN, numbers
from vpbx.calls.callid import EPOCH_S
from vpbx.history import call_history

DAY_S = 86_400
CUSTOMERS = 200_000
NUMBERS = numbers()[:20]
"""The company's numbers that are called; the first gets more than half of the calls."""
_HOURS = (0, 0, 0, 0, 0, 0, 1, 2, 5, 9, 12, 12, 10, 10, 11, 11, 10, 9, 6, 4, 2, 1, 1, 0)
_COLUMNS = [column.name for column in call_history.columns]


@dataclass(frozen=True)
class Day:
    """How many calls a day had."""

    starts_s: int
    """Its first moment, epoch seconds."""
    calls: int


def days(last_starts_s: int, count: int, calls: int) -> list[Day]:
    """Return `count` days, the last one as given, with `calls` calls in total."""
    first = last_starts_s - (count - 1) * DAY_S
    return [Day(first + place * DAY_S, calls // count) for place in range(count)]


def rows(domain_id: int, spread: Iterable[Day]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of these days, oldest first, in the order of the table's columns."""
    chance = random.Random(1)
    logins = [f"e{telnum}" for telnum in numbers()]
    for day in spread:
        for place, started_ms in enumerate(_moments(chance, day)):
            callid = (started_ms - EPOCH_S * 1000) * 1000 + place % 10
            login = logins[int(chance.random() ** 2 * len(logins))]
            yield _row(chance, domain_id, callid, started_ms, login)


def _moments(chance: random.Random, day: Day) -> list[int]:
    hours = chance.choices(range(24), _HOURS, k=day.calls)
    return sorted(
        (day.starts_s + hour * 3600) * 1000 + int(chance.random() * 3_600_000) for hour in hours
    )


def _row(
    chance: random.Random, domain_id: int, callid: int, started_ms: int, login: str
) -> tuple[Any, ...]:
    kind, luck = chance.random(), chance.random()
    is_inner = kind < 0.1
    way = "inner" if is_inner else "in" if kind < 0.7 else "out"
    answered = luck < 0.7
    answered_ms = started_ms + int(3000 + luck * 30_000) if answered else None
    ended_ms = started_ms + 25_000 if answered_ms is None else answered_ms + int(kind * 300_000)
    unanswered = {"inner": "noanswer", "in": "missed", "out": "cancel"}
    client = "" if is_inner else f"79{int(chance.random() ** 3 * CUSTOMERS):09d}"
    place = 0 if luck < 0.38 or luck > 0.82 else int(kind * 1000) % len(NUMBERS)
    in_group = not answered and way == "in"
    return (
        *(callid, domain_id, int(is_inner), started_ms, answered_ms, ended_ms, way),
        "success" if answered else unanswered[way],
        *(client, "7" if in_group else login, "" if is_inner else NUMBERS[place], ""),
        ("group" if in_group else "user") if way == "in" else "",
        *(login, f"Employee {login[1:]}", login[-3:], "7" if in_group else ""),
        *("Sales" if in_group else "", _caller(login) if is_inner else "", ""),
        *(5 if luck < 0.03 else None, 2 if answered and kind < 0.65 else 0, 200, 0, ""),
        *(3 if way == "in" and not answered else 0, None, None, None, None),
    )


def _caller(login: str) -> str:
    """Who calls `login` within the company."""
    return f"e{int(login[1:]) // 2 * 2 + 1}"


def seed_sqlite(file: Path, spread: Iterable[Day]) -> None:
    """Fill the history of a migrated SQLite file, its indexes made afterwards."""
    with closing(sqlite3.connect(file)) as connection:
        (domain_id,) = connection.execute(
            "SELECT id FROM domains WHERE name = ?", (DOMAIN,)
        ).fetchone()
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
            "AND tbl_name = 'call_history'"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        marks = ", ".join("?" * len(_COLUMNS))
        connection.executemany(
            f"INSERT INTO call_history ({', '.join(_COLUMNS)}) VALUES ({marks})",
            rows(domain_id, spread),
        )
        for _, statement in indexes:
            connection.execute(statement)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def seed_postgres(url: str, spread: Iterable[Day]) -> None:
    """Fill the history of a migrated PostgreSQL database, its indexes made afterwards."""
    connection = await asyncpg.connect(url)
    try:
        domain_id = await connection.fetchval("SELECT id FROM domains WHERE name = $1", DOMAIN)
        indexes = await connection.fetch(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'call_history' "
            "AND indexname LIKE 'ix%'"
        )
        for name, _ in indexes:
            await connection.execute(f"DROP INDEX {name}")
        await connection.copy_records_to_table(
            "call_history", records=rows(domain_id, spread), columns=_COLUMNS
        )
        for _, statement in indexes:
            await connection.execute(statement)
        await connection.execute("VACUUM ANALYZE call_history")
    finally:
        await connection.close()
