"""Reports: how many external calls, how quickly answered, how long, how well, by time or by whom.

Of everybody's calls whole days are read as they were counted ahead (`report_store.py`); the
database counts what is missing of them, the hours at both ends, and what heads of departments
see, piece by piece. What it counted of days that are over and have not changed is kept in memory
(`report_sums.py`), so that a year's report costs about as much as today's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Coroutine, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, case, func, literal, select

from vpbx.db import Database
from vpbx.events import Direction, Status
from vpbx.frozen import dataclass
from vpbx.history.browse import visible
from vpbx.history.report_figures import Figures, ReportAsked
from vpbx.history.report_store import (
    IN_TIME_S,
    WHO,
    Lines,
    Plan,
    ReportStore,
    kinds_of,
    plan_of,
    rest,
    total,
)
from vpbx.history.report_sums import (
    DAY_MS,
    QUARTER_MS,
    Kept,
    LocalClock,
    Sums,
    add,
    pieces_of,
)
from vpbx.history.tables import call_history
from vpbx.history.written import CaughtUp, Written

__all__ = ["Beside", "Reports"]

_C = call_history.c
_AT_ONCE = 20_000
"""Changes of calls that are counted while somebody waits, in a tenth of a second or so."""
_MOST_BESIDE = 4
_NOTHING = ("", (0,) * 10)
_ANY_ZONE = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Beside:
    """Who counts while nobody waits."""

    hurry: Callable[[int], None]
    """Has a company's days counted at once (`ReportAhead.hurry`)."""
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    """Does something beside all else."""


class Reports:
    """Counts calls; what it counted of days that have not changed since it does not count again."""

    def __init__(
        self,
        database: Database,
        caught_up: CaughtUp | None = None,
        beside: Beside | None = None,
    ) -> None:
        """`caught_up`: as `Written` has it. `beside` None: who asks waits until it is counted."""
        self._database = database
        self._store = ReportStore(database)
        self._written = Written(caught_up)
        self._beside = beside
        self._counting: set[Hashable] = set()
        """What is counted beside, of what is not kept in the database."""
        self._kept: Kept[Sums] = Kept()
        self._lines: Kept[Lines] = Kept()

    async def left(self, asked: ReportAsked, by: str, zone: ZoneInfo) -> float:
        """Return which share of a report by day, hour, employee or department has still to be
        counted, and have that done; 0: so little that it is told at once."""
        if self._beside is None:
            return 0.0
        if not _is_of_days(asked):
            return await self._left_beside(asked, by, zone, self._beside)
        plan, versions = await self._plan(asked, kinds_of(zone.key)[by])
        missing = sum(versions.get(day, 0) for days in plan.missing for day in days)
        if missing <= _AT_ONCE:
            return 0.0
        self._beside.hurry(asked.domain_id)
        return missing / sum(versions.values())

    async def _left_beside(
        self, asked: ReportAsked, by: str, zone: ZoneInfo, beside: Beside
    ) -> float:
        """As `left`, of what is counted when it is asked for."""
        kind = kinds_of(zone.key)[by]
        about = by if kind == WHO else kind
        first, last = asked.since_ms // DAY_MS, asked.until_ms // DAY_MS
        versions = await self._store.versions(asked.domain_id, first, last)
        missing = 0
        for piece in pieces_of(asked.since_ms, asked.until_ms):
            version = sum(versions.get(day, 0) for day in piece.days)
            part = replace(asked, since_ms=piece.since_ms, until_ms=piece.until_ms)
            if self._kept.get((about, part.key()), version) is None:
                missing += version
        if missing <= _AT_ONCE:
            return 0.0
        name = about, replace(asked, until_ms=0).key()
        if name not in self._counting and len(self._counting) < _MOST_BESIDE:
            self._counting.add(name)
            beside.spawn(self._count_beside(name, asked, by, zone))
        return missing / sum(versions.values())

    async def _count_beside(
        self, name: Hashable, asked: ReportAsked, by: str, zone: ZoneInfo
    ) -> None:
        clock = LocalClock(zone)
        try:
            await self._told(asked, by, zone, {"hour": clock.hour, "day": clock.day}.get(by, str))
        finally:
            self._counting.discard(name)

    async def by_hour(self, asked: ReportAsked, zone: ZoneInfo) -> list[tuple[int, Figures]]:
        """Return all 24 hours of the day, as clocks in `zone` show them, over all days together."""
        clock = LocalClock(zone)
        found = await self._told(asked, "hour", zone, clock.hour)
        return [(hour, Figures(*found.get(hour, _NOTHING)[1])) for hour in range(24)]

    async def by_day(self, asked: ReportAsked, zone: ZoneInfo) -> list[tuple[date, Figures]]:
        """Return each day in `zone` of the time asked for, with or without calls."""
        found = await self._told(asked, "day", zone, LocalClock(zone).day)
        first = _local(asked.since_ms, zone).date()
        last = _local(max(asked.since_ms, asked.until_ms - 1), zone).date()
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        return [(day, Figures(*found.get(day.toordinal(), _NOTHING)[1])) for day in days]

    async def by_employee(self, asked: ReportAsked) -> list[tuple[str, str, Figures]]:
        """Return login, name and figures of each employee; "": nobody was rung."""
        found = await self._told(asked, "employee", _ANY_ZONE, str)
        return [(key, name, Figures(*sums)) for key, (name, sums) in sorted(found.items())]

    async def by_department(self, asked: ReportAsked) -> list[tuple[str, str, Figures]]:
        """Return id, name and figures of each department; "": calls that went through none."""
        found = await self._told(asked, "department", _ANY_ZONE, str)
        return [(key, name, Figures(*sums)) for key, (name, sums) in sorted(found.items())]

    async def _told(
        self, asked: ReportAsked, by: str, zone: ZoneInfo, key: Callable[[Any], Any]
    ) -> Sums:
        """Return the figures by what `key` makes of each row's: of whole days as they are kept in
        the database, the rest as it is counted."""
        kind = kinds_of(zone.key)[by]
        about = by if kind == WHO else kind
        if not _is_of_days(asked):
            return await self._sums(asked, about, key)
        await self._written.wait()
        plan, versions = await self._plan(asked, kind)
        sums: Sums = {}
        torn = await self._add_stored(sums, asked, by, kind, plan)
        for part in _others(asked, [*plan.missing, *torn]):
            await self._add_counted(sums, part, about, key, versions)
        return sums

    async def _plan(self, asked: ReportAsked, kind: str) -> tuple[Plan, Mapping[int, int]]:
        """Return of what a report's whole days are put together, and all its days' versions."""
        days = _whole_days(asked)
        versions = await self._store.versions(
            asked.domain_id, asked.since_ms // DAY_MS, asked.until_ms // DAY_MS
        )
        held = await self._store.held(asked.domain_id, kind, days)
        return plan_of(days, held, versions), versions

    async def _add_stored(
        self, sums: Sums, asked: ReportAsked, by: str, kind: str, plan: Plan
    ) -> list[range]:
        """Add what is kept of whole days; return the days of what was written anew meanwhile."""
        kept = {
            piece: self._lines.get((asked.domain_id, kind, piece), version)
            for piece, version in plan.stored
        }
        read = await self._store.read(
            asked.domain_id, kind, [piece for piece, lines in kept.items() if lines is None]
        )
        torn: list[range] = []
        parts: list[Lines] = []
        for piece, version in plan.stored:
            lines = kept[piece]
            if lines is None:
                at, lines = read.get(piece, (0, ()))
                if at != version:
                    torn.append(range(piece.first, piece.first + piece.days))
                    continue
                self._lines.keep((asked.domain_id, kind, piece), version, lines)
            parts.append(lines)
        for name, (words, counts) in _of_lines(parts, asked, by).items():
            add(sums, name, words, counts)
        return torn

    async def _sums(self, asked: ReportAsked, by: str, key: Callable[[Any], Any]) -> Sums:
        """Return the figures by what `key` makes of each row's, counted where it is not kept."""
        await self._written.wait()
        first, last = asked.since_ms // DAY_MS, asked.until_ms // DAY_MS
        versions = await self._store.versions(asked.domain_id, first, last)
        sums: Sums = {}
        await self._add_counted(sums, asked, by, key, versions)
        return sums

    async def _add_counted(
        self,
        sums: Sums,
        asked: ReportAsked,
        by: str,
        key: Callable[[Any], Any],
        versions: Mapping[int, int],
    ) -> None:
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
            for name, (words, counts) in found.items():
                add(sums, name, words, counts)

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
        total(case((came, 1), else_=0)),
        total(case((came & succeeded, 1), else_=0)),
        total(case((came & succeeded & (waited <= in_time_ms), 1), else_=0)),
        *rest(came, succeeded, waited),
    ]


def _whole_days(asked: ReportAsked) -> range:
    """Return the UTC days that lie in the time asked for from their beginning to their end."""
    first = -(-asked.since_ms // DAY_MS)
    return range(first, max(first, asked.until_ms // DAY_MS))


def _is_of_days(asked: ReportAsked) -> bool:
    """Say whether what is kept of days is what a report asks for."""
    return asked.seen is None and asked.in_time_s in IN_TIME_S and len(_whole_days(asked)) > 0


def _others(asked: ReportAsked, days: Sequence[range]) -> Iterator[ReportAsked]:
    """Yield the parts of a time that have to be counted: both ends, and these days between."""
    whole = _whole_days(asked)
    parts = [(asked.since_ms, whole.start * DAY_MS), (whole.stop * DAY_MS, asked.until_ms)]
    parts += [(each.start * DAY_MS, each.stop * DAY_MS) for each in days]
    for since_ms, until_ms in parts:
        if since_ms < until_ms:
            yield replace(asked, since_ms=since_ms, until_ms=until_ms)


def _of_lines(parts: Sequence[Lines], asked: ReportAsked, by: str) -> Sums:
    """Return what a report says of lines that are kept."""
    counts: defaultdict[Any, list[tuple[int, ...]]] = defaultdict(list)
    names: dict[Any, str] = {}
    of_group = by == "department"
    for key, group, name, group_name, counted in chain.from_iterable(parts):
        if not asked.group or group == asked.group:
            of, called = (group, group_name) if of_group else (key, name)
            counts[of].append(counted)
            if called > names.get(of, ""):
                names[of] = called
    quick = 2 + IN_TIME_S.index(asked.in_time_s)
    behind = 2 + len(IN_TIME_S)
    sums: Sums = {}
    for of, rows in counts.items():
        wide = [sum(column) for column in zip(*rows, strict=True)]
        sums[of] = (names.get(of, ""), (wide[0], wide[1], wide[quick], *wide[behind:]))
    return sums
