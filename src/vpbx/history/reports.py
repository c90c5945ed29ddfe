"""Reports: how many external calls, how quickly answered, how long, how well, by time or by whom.

The database counts, piece by piece of the time asked for; what it counted of days that are over
and have not changed is kept in memory (`report_sums.py`), so that a year's report costs about as
much as today's.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, case, func, literal, select

from vpbx.db import Database
from vpbx.events import Direction, Status
from vpbx.history.browse import Seen, visible
from vpbx.history.period import InvalidQuery, Period
from vpbx.history.report_sums import (
    DAY_MS,
    QUARTER_MS,
    Kept,
    LocalClock,
    Sums,
    add,
    pieces_of,
)
from vpbx.history.tables import call_days, call_history
from vpbx.history.written import CaughtUp, Written

__all__ = ["Figures", "ReportAsked", "Reports"]

_C = call_history.c
_LONGEST_MS = 400 * 24 * 3600 * 1000
_WITH_MESSAGE = "vm"
_NOTHING = ("", (0,) * 10)


@dataclass(frozen=True, slots=True)
class ReportAsked:
    """Which calls a report is of. Times are epoch milliseconds; `seen` None: all may be seen.

    `in_time_s`: how quickly a call has to be answered to count for the service level.
    """

    domain_id: int
    since_ms: int
    until_ms: int
    seen: Seen | None
    group: str = ""
    in_time_s: int = 20

    @classmethod
    def of(
        cls,
        domain_id: int,
        period: Period,
        now: float,
        *,
        seen: Seen | None = None,
        group: str = "",
        in_time_s: int = 20,
    ) -> ReportAsked:
        """Return what is asked of a period up to `now` (epoch seconds); InvalidQuery says why
        a period is too long."""
        until_ms = min(period.until_ms, round(now * 1000))
        if until_ms - period.since_ms > _LONGEST_MS:
            raise InvalidQuery("start", "must be at most a year before the end")
        return cls(domain_id, period.since_ms, until_ms, seen, group, in_time_s)

    def key(self) -> Hashable:
        """Return what tells it from others."""
        seen = self.seen
        may = seen and (seen.logins, seen.groups, tuple(sorted(seen.since_ms.items())))
        times = (self.since_ms, self.until_ms)
        return (self.domain_id, *times, may, self.group, self.in_time_s)


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over external calls. Times in milliseconds."""

    incoming: int = 0
    answered: int = 0
    in_time: int = 0
    """Of the incoming: answered within the time asked for."""
    abandoned: int = 0
    """Of the incoming: not answered, and no message was left."""
    waited_ms: int = 0
    """Until the answer, of the answered ones."""
    talked_ms: int = 0
    """Of all calls, incoming and outgoing."""
    outgoing: int = 0
    reached: int = 0
    """Of the outgoing: answered."""
    rated: int = 0
    stars: int = 0
    """The sum of the ratings."""

    def __add__(self, other: Figures) -> Figures:
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Figures(*(one + another for one, another in pairs))

    @property
    def missed(self) -> int:
        return self.incoming - self.answered

    @property
    def service_level(self) -> int | None:
        """Percent of the incoming calls that were answered in time; None: there were none."""
        return round(100 * self.in_time / self.incoming) if self.incoming else None

    @property
    def wait_s(self) -> int | None:
        """How long an answered call waited, on average."""
        return round(self.waited_ms / self.answered / 1000) if self.answered else None

    @property
    def talk_s(self) -> int | None:
        """How long was talked, on average of the calls that were answered."""
        talks = self.answered + self.reached
        return round(self.talked_ms / talks / 1000) if talks else None

    @property
    def rating(self) -> float | None:
        return round(self.stars / self.rated, 2) if self.rated else None


class Reports:
    """Counts calls; what it counted of days that have not changed since it does not count again."""

    def __init__(self, database: Database, caught_up: CaughtUp | None = None) -> None:
        """`caught_up`: as `Written` has it."""
        self._database = database
        self._written = Written(caught_up)
        self._kept = Kept()

    async def by_time(self, asked: ReportAsked) -> list[tuple[int, Figures]]:
        """Return each quarter of an hour with calls, by its start in epoch milliseconds."""
        found = await self._sums(asked, "time", lambda at_ms: int(at_ms) * QUARTER_MS)
        return [(at_ms, Figures(*sums)) for at_ms, (_, sums) in sorted(found.items())]

    async def by_hour(self, asked: ReportAsked, zone: ZoneInfo) -> list[tuple[int, Figures]]:
        """Return all 24 hours of the day, as clocks in `zone` show them, over all days together."""
        clock = LocalClock(zone)
        found = await self._sums(asked, f"hour {zone.key}", clock.hour)
        return [(hour, Figures(*found.get(hour, _NOTHING)[1])) for hour in range(24)]

    async def by_day(self, asked: ReportAsked, zone: ZoneInfo) -> list[tuple[date, Figures]]:
        """Return each day in `zone` of the time asked for, with or without calls."""
        found = await self._sums(asked, f"day {zone.key}", LocalClock(zone).day)
        first = _local(asked.since_ms, zone).date()
        last = _local(max(asked.since_ms, asked.until_ms - 1), zone).date()
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        return [(day, Figures(*found.get(day.toordinal(), _NOTHING)[1])) for day in days]

    async def by_employee(self, asked: ReportAsked) -> list[tuple[str, str, Figures]]:
        """Return login, name and figures of each employee; "": nobody was rung."""
        found = await self._sums(asked, "employee", str)
        return [(key, name, Figures(*sums)) for key, (name, sums) in sorted(found.items())]

    async def by_department(self, asked: ReportAsked) -> list[tuple[str, str, Figures]]:
        """Return id, name and figures of each department; "": calls that went through none."""
        found = await self._sums(asked, "department", str)
        return [(key, name, Figures(*sums)) for key, (name, sums) in sorted(found.items())]

    async def _sums(self, asked: ReportAsked, by: str, key: Callable[[Any], Any]) -> Sums:
        """Return the figures by what `key` makes of each row's."""
        await self._written.wait()
        versions = await self._versions(asked)
        total: Sums = {}
        for piece in pieces_of(asked.since_ms, asked.until_ms):
            version = sum(versions.get(day, 0) for day in piece.days)
            part = replace(asked, since_ms=piece.since_ms, until_ms=piece.until_ms)
            about = (by, part.key())
            found = self._kept.get(about, version)
            if found is None:
                found = {}
                for row in await self._counted(part, by):
                    add(found, key(row[0]), str(row[1]), tuple(int(n) for n in row[2:]))
                self._kept.keep(about, version, found)
            for name, (words, sums) in found.items():
                add(total, name, words, sums)
        return total

    async def _versions(self, asked: ReportAsked) -> dict[int, int]:
        d = call_days.c
        statement = select(d.day, d.version).where(
            d.domain_id == asked.domain_id,
            d.day >= asked.since_ms // DAY_MS,
            d.day <= asked.until_ms // DAY_MS,
        )
        async with self._database.connect() as connection:
            rows = (await connection.execute(statement)).all()
        return {int(day): int(version) for day, version in rows}

    async def _counted(self, asked: ReportAsked, by: str) -> Sequence[Any]:
        key, words = {
            "employee": (_C.user_login, func.max(_C.user_name)),
            "department": (_C.group_id, func.max(_C.group_name)),
        }.get(by, (_C.started_ms // QUARTER_MS, literal("")))
        statement = (
            select(key, words, *_sums(asked.in_time_s * 1000))
            .where(
                _C.domain_id == asked.domain_id,
                _C.is_inner == 0,
                _C.started_ms >= asked.since_ms,
                _C.started_ms < asked.until_ms,
                *visible(asked.seen),
            )
            .group_by(key)
        )
        if asked.group:
            statement = statement.where(_C.group_id == asked.group)
        async with self._database.connect() as connection:
            return (await connection.execute(statement)).all()


def _local(at_ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)


def _sums(in_time_ms: int) -> list[ColumnElement[Any]]:
    """Return the columns of `Figures`, in its order."""
    came = _C.direction == Direction.IN.value
    succeeded = _C.status == Status.SUCCESS.value
    waited = _C.answered_ms - _C.started_ms
    return [
        _sum(case((came, 1), else_=0)),
        _sum(case((came & succeeded, 1), else_=0)),
        _sum(case((came & succeeded & (waited <= in_time_ms), 1), else_=0)),
        _sum(case((came & ~succeeded & (_C.destination != _WITH_MESSAGE), 1), else_=0)),
        _sum(case((came & succeeded, waited), else_=0)),
        _sum(case((succeeded, _C.ended_ms - _C.answered_ms), else_=0)),
        _sum(case((~came, 1), else_=0)),
        _sum(case((~came & succeeded, 1), else_=0)),
        _sum(case((_C.rating.is_not(None), 1), else_=0)),
        _sum(_C.rating),
    ]


def _sum(what: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(what), 0)
