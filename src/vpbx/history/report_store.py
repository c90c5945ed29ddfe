"""What was counted of whole days, in the database: a year's report is read and not counted.

A company's calls are counted in two ways that reports of everybody's calls are made of: `who`,
by employee and department, and `when`, by the local hour or day and department. What was counted
of a UTC day stands as one row, so does what 8, 32 and 128 of them come to. It holds for as long
as no day of it has changed, which `call_days` tells: the sum of its days' versions, which only
grow, is written beside it. A day without a version never had a call.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, case, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from vpbx.db import Database, upsert
from vpbx.events import Direction, Status
from vpbx.frozen import dataclass
from vpbx.history.report_sums import DAY_MS, QUARTER_MS, LocalClock
from vpbx.history.tables import call_days, call_history, report_sums

__all__ = [
    "IN_TIME_S",
    "SPANS",
    "WHO",
    "Line",
    "Lines",
    "Plan",
    "ReportStore",
    "Stored",
    "kinds_of",
    "plan_of",
    "rest",
    "summed",
    "total",
]

IN_TIME_S = (10, 20, 30, 60)
"""The times within which answers are counted as in time, each."""
SPANS = (128, 32, 8, 1)
"""Days that are kept together; each divides the one before."""
WHO = "who"
_COLUMNS = 9 + len(IN_TIME_S)
_WITH_MESSAGE = "vm"
_C = call_history.c

Line: TypeAlias = tuple[Any, str, str, str, tuple[int, ...]]
"""Login, hour or day; department; a name of each; the counts, in the order of `columns`."""
Lines: TypeAlias = Sequence[Line]


@dataclass(frozen=True, slots=True)
class Stored:
    """A row: so many days from a UTC day (since 1970) on."""

    first: int
    days: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How a time is put together: of rows that hold, and of days that have to be counted."""

    stored: list[tuple[Stored, int]]
    """With the version they hold at."""
    missing: list[range]
    """Days on end, those without calls between them too."""


def kinds_of(zone: str) -> dict[str, str]:
    """Return what a company's reports by each are made of; zones have rows of their own."""
    return {"employee": WHO, "department": WHO, "hour": f"hour {zone}", "day": f"day {zone}"}


def columns() -> list[ColumnElement[Any]]:
    """Return what is counted: as `Figures` has it, with a column for each of `IN_TIME_S`."""
    came = _C.direction == Direction.IN.value
    succeeded = _C.status == Status.SUCCESS.value
    waited = _C.answered_ms - _C.started_ms
    quickly = [came & succeeded & (waited <= each * 1000) for each in IN_TIME_S]
    return [
        total(case((came, 1), else_=0)),
        total(case((came & succeeded, 1), else_=0)),
        *(total(case((each, 1), else_=0)) for each in quickly),
        *rest(came, succeeded, waited),
    ]


def rest(
    came: ColumnElement[Any], succeeded: ColumnElement[Any], waited: ColumnElement[Any]
) -> list[ColumnElement[Any]]:
    """Return what is counted behind the answers in time."""
    return [
        total(case((came & ~succeeded & (_C.destination != _WITH_MESSAGE), 1), else_=0)),
        total(case((came & succeeded, waited), else_=0)),
        total(case((succeeded, _C.ended_ms - _C.answered_ms), else_=0)),
        total(case((~came, 1), else_=0)),
        total(case((~came & succeeded, 1), else_=0)),
        total(case((_C.rating.is_not(None), 1), else_=0)),
        total(_C.rating),
    ]


def total(what: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a sum that is 0 over nothing."""
    return func.coalesce(func.sum(what), 0)


def summed(parts: Sequence[Lines]) -> list[Line]:
    """Put lines together; of several names the last one by the alphabet."""
    found: dict[tuple[Any, str], Line] = {}
    for lines in parts:
        for line in lines:
            key = line[0], line[1]
            there = found.get(key)
            if there is None:
                found[key] = line
            else:
                names = max(there[2], line[2]), max(there[3], line[3])
                found[key] = (*key, *names, tuple(map(int.__add__, there[4], line[4])))
    return list(found.values())


def plan_of(days: range, held: Mapping[Stored, int], versions: Mapping[int, int]) -> Plan:
    """Return what the calls of these days can be put together of."""
    plan, goes_on = Plan([], []), False
    for piece, version in _pieces(days, held, versions):
        if not version:
            continue
        if held.get(piece) == version:
            plan.stored.append((piece, version))
            goes_on = False
        elif goes_on:
            plan.missing[-1] = range(plan.missing[-1].start, piece.first + 1)
        else:
            plan.missing.append(range(piece.first, piece.first + 1))
            goes_on = True
    return plan


class ReportStore:
    """Reads and writes what was counted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def versions(self, domain_id: int, first: int, last: int) -> dict[int, int]:
        """Return how often each day from `first` to `last` has changed, of those that have."""
        d = call_days.c
        statement = select(d.day, d.version).where(
            d.domain_id == domain_id, d.day >= first, d.day <= last
        )
        async with self._database.connect() as connection:
            rows = (await connection.execute(statement)).all()
        return {int(day): int(version) for day, version in rows}

    async def held(self, domain_id: int, kind: str, days: range) -> dict[Stored, int]:
        """Return the rows that begin on these days, with the versions they hold at."""
        r = report_sums.c
        statement = select(r.first_day, r.days, r.version).where(
            r.domain_id == domain_id,
            r.kind == kind,
            r.first_day >= days.start,
            r.first_day < days.stop,
        )
        async with self._database.connect() as connection:
            rows = (await connection.execute(statement)).all()
        return {Stored(int(first), int(many)): int(version) for first, many, version in rows}

    async def read(
        self, domain_id: int, kind: str, wanted: Sequence[Stored]
    ) -> dict[Stored, tuple[int, Lines]]:
        """Return rows with their versions; one that has just been written anew, as it is now."""
        if not wanted:
            return {}
        r = report_sums.c
        keys = [(each.days, each.first) for each in wanted]
        statement = select(r.first_day, r.days, r.version, r.sums).where(
            r.domain_id == domain_id, r.kind == kind, tuple_(r.days, r.first_day).in_(keys)
        )
        async with self._database.connect() as connection:
            rows = (await connection.execute(statement)).all()
        return {
            Stored(int(first), int(days)): (int(version), _unpacked(sums))
            for first, days, version, sums in rows
        }

    async def write(self, domain_id: int, rows: Sequence[tuple[str, Stored, int, Lines]]) -> None:
        """Write what was counted: kind, days, their version, lines."""
        values = [
            {
                "domain_id": domain_id,
                "kind": kind,
                "days": piece.days,
                "first_day": piece.first,
                "version": version,
                "sums": _packed(lines),
            }
            for kind, piece, version, lines in rows
        ]
        key = ("domain_id", "kind", "days", "first_day")
        async with self._database.begin() as connection:
            await connection.execute(upsert(report_sums, key), values)

    async def forget(self, domain_id: int, kinds: Sequence[str]) -> None:
        """Delete what a company has of other kinds, of an earlier time zone say."""
        r = report_sums.c
        other = (r.domain_id == domain_id, r.kind.not_in(kinds))
        async with self._database.connect() as connection:
            found = await connection.scalar(select(func.count()).where(*other))
        if found:
            async with self._database.begin() as connection:
                await connection.execute(report_sums.delete().where(*other))

    async def count(
        self, domain_id: int, day: int, clock: LocalClock
    ) -> tuple[Lines, Lines, Lines]:
        """Count a UTC day's calls: by whom, by local hour, by local day."""
        async with self._database.connect() as connection:
            who = await _counted(connection, domain_id, day, _C.user_login, func.max(_C.user_name))
            when = await _counted(
                connection, domain_id, day, _C.started_ms // QUARTER_MS, literal("")
            )
        hours = [(clock.hour(quarter), *line) for quarter, *line in when]
        days = [(clock.day(quarter), *line) for quarter, *line in when]
        return who, summed([hours]), summed([days])


async def _counted(
    connection: AsyncConnection,
    domain_id: int,
    day: int,
    key: ColumnElement[Any],
    name: ColumnElement[Any],
) -> list[Any]:
    statement = (
        select(key, _C.group_id, name, func.max(_C.group_name), *columns())
        .where(
            _C.domain_id == domain_id,
            _C.is_inner == 0,
            _C.started_ms >= day * DAY_MS,
            _C.started_ms < (day + 1) * DAY_MS,
        )
        .group_by(key, _C.group_id)
    )
    rows = (await connection.execute(statement)).all()
    return [(*row[:4], tuple(int(count) for count in row[4:])) for row in rows]


def _pieces(
    days: range, there: Mapping[Stored, int], versions: Mapping[int, int]
) -> Iterator[tuple[Stored, int]]:
    """Yield the largest rows that hold and, where there are none, single days; 0: no calls."""
    until = {days.start: 0}
    for day in days:
        until[day + 1] = until[day] + versions.get(day, 0)
    at = days.start
    while at < days.stop:
        for span in SPANS:
            if at % span or at + span > days.stop:
                continue
            piece, version = Stored(at, span), until[at + span] - until[at]
            if not version or there.get(piece) == version or span == 1:
                yield piece, version
                at += span
                break


def _packed(lines: Lines) -> bytes:
    flat = [[*line[:4], *line[4]] for line in lines]
    return zlib.compress(json.dumps(flat, separators=(",", ":")).encode(), 3)


def _unpacked(sums: bytes) -> Lines:
    flat = json.loads(zlib.decompress(sums))
    return [(*line[:4], tuple(line[4:])) for line in flat]
