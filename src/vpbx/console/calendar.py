"""A month of a number's hours, by the function that calls ask: what holds on each day, and when."""

from __future__ import annotations

from calendar import Calendar
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise

from vpbx.directory import DomainConfig, Number
from vpbx.directory.routes import Hours

__all__ = ["Day", "Stretch", "month_of", "weeks"]

_DAY_S = 86_400
_FIRST_YEAR, _LAST_YEAR = 2000, 2199


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a day, in seconds of it, and what holds: the rule, and an extra route's name."""

    start: int
    end: int
    hours: Hours
    name: str = ""

    @property
    def is_whole(self) -> bool:
        return (self.start, self.end) == (0, _DAY_S)


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the page; `inside`: it is one of the month's."""

    date: date
    inside: bool
    stretches: tuple[Stretch, ...]

    @property
    def opened(self) -> tuple[Stretch, ...]:
        """Return what holds besides being closed."""
        return tuple(each for each in self.stretches if each.hours is not Hours.CLOSED)


def month_of(text: str, today: date) -> date:
    """Return the first day of a month `2026-11`; of today's for anything else."""
    try:
        found = datetime.strptime(text, "%Y-%m").date()
    except ValueError:
        found = today
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        found = today
    return found.replace(day=1)


def weeks(domain: DomainConfig, number: Number, month: date) -> list[list[Day]]:
    """Return the weeks that a month is in, Monday first."""
    return [
        [Day(day, day.month == month.month, _stretches(domain, number, day)) for day in week]
        for week in Calendar().monthdatescalendar(month.year, month.month)
    ]


def _stretches(domain: DomainConfig, number: Number, day: date) -> tuple[Stretch, ...]:
    names = {custom.id: custom.name for custom in number.custom_routes}
    bounds = [*sorted(_bounds(number, day)), _DAY_S]
    found: list[Stretch] = []
    for start, end in pairwise(bounds):
        moment = datetime.combine(day, time()) + timedelta(seconds=start)
        holding = domain.holding(number, moment.replace(tzinfo=domain.zone))
        if holding is None:
            return ()
        name = names.get(holding.custom_id, "")
        last = found[-1] if found else None
        if last is not None and (last.hours, last.name) == (holding.hours, name):
            found[-1] = Stretch(last.start, end, last.hours, name)
        else:
            found.append(Stretch(start, end, holding.hours, name))
    return tuple(found)


def _bounds(number: Number, day: date) -> set[int]:
    """Return the seconds of a day at which another rule may begin to hold."""
    found = {0}
    for hours in number.schedule.values():
        found |= {hours.start, hours.end}
    midnight = datetime.combine(day, time())
    for custom in number.custom_routes:
        for interval in custom.interval_schedule:
            found |= {interval.start, interval.end}
        for special in custom.calendar_schedule:
            if special.start is not None and special.end is not None:
                ends = special.end + timedelta(minutes=1)
                found |= {int((each - midnight).total_seconds()) for each in (special.start, ends)}
    return {each for each in found if 0 <= each < _DAY_S}
