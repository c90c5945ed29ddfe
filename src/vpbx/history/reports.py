"""Reports: how many external calls, how quickly answered, how long, how well, by time or by whom.

One pass over the calls of a time for each question, in the database; what comes back is as long
as the report, not as the history.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, case, func, select

from vpbx.db import Database
from vpbx.events import Direction, Status
from vpbx.history.browse import Seen, visible
from vpbx.history.period import InvalidQuery, Period
from vpbx.history.tables import call_history

__all__ = ["QUARTER_MS", "Figures", "ReportAsked", "Reports"]

QUARTER_MS = 15 * 60 * 1000
"""Calls are counted by quarters of an hour: local hours and days of every zone are made of them."""
_C = call_history.c
_LONGEST_MS = 400 * 24 * 3600 * 1000
_WITH_MESSAGE = "vm"


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
    """Counts calls."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_time(self, asked: ReportAsked) -> list[tuple[int, Figures]]:
        """Return each quarter of an hour with calls, by its start in epoch milliseconds."""
        quarter = _C.started_ms // QUARTER_MS
        rows = await self._counted(asked, [quarter])
        return [(int(row[0]) * QUARTER_MS, _figures(row[1:])) for row in rows]

    async def by_hour(self, asked: ReportAsked, zone: ZoneInfo) -> list[tuple[int, Figures]]:
        """Return all 24 hours of the day, as clocks in `zone` show them, over all days together."""
        sums: defaultdict[int, Figures] = defaultdict(Figures)
        for at_ms, figures in await self.by_time(asked):
            sums[_local(at_ms, zone).hour] += figures
        return [(hour, sums[hour]) for hour in range(24)]

    async def by_day(self, asked: ReportAsked, zone: ZoneInfo) -> list[tuple[date, Figures]]:
        """Return each day in `zone` of the time asked for, with or without calls."""
        sums: defaultdict[date, Figures] = defaultdict(Figures)
        for at_ms, figures in await self.by_time(asked):
            sums[_local(max(at_ms, asked.since_ms), zone).date()] += figures
        first = _local(asked.since_ms, zone).date()
        last = _local(max(asked.since_ms, asked.until_ms - 1), zone).date()
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        return [(day, sums[day]) for day in days]

    async def by_employee(self, asked: ReportAsked) -> list[tuple[str, str, Figures]]:
        """Return login, name and figures of each employee; "": nobody was rung."""
        rows = await self._counted(asked, [_C.user_login], func.max(_C.user_name))
        return [(row[0], row[1], _figures(row[2:])) for row in rows]

    async def by_department(self, asked: ReportAsked) -> list[tuple[str, str, Figures]]:
        """Return id, name and figures of each department; "": calls that went through none."""
        rows = await self._counted(asked, [_C.group_id], func.max(_C.group_name))
        return [(row[0], row[1], _figures(row[2:])) for row in rows]

    async def _counted(
        self, asked: ReportAsked, keys: list[Any], *more: ColumnElement[Any]
    ) -> Sequence[Any]:
        statement = (
            select(*keys, *more, *_sums(asked.in_time_s * 1000))
            .where(
                _C.domain_id == asked.domain_id,
                _C.is_inner == 0,
                _C.started_ms >= asked.since_ms,
                _C.started_ms < asked.until_ms,
                *visible(asked.seen),
            )
            .group_by(*keys)
            .order_by(*keys)
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


def _figures(row: Sequence[Any]) -> Figures:
    return Figures(*(int(value) for value in row))
