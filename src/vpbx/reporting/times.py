"""When a report goes out, and which days it is of: in the company's zone, by its clocks.

A time that a clock change skips is read with the offset before it, so the report goes out an
hour later by the clock; of a time that comes twice it is the first one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from vpbx.history import Period, select_period

__all__ = ["LONGEST_S", "last_period", "missed", "next_due"]

_IS_DAY: Mapping[str, Callable[[date], bool]] = {
    "day": lambda day: True,
    "week": lambda day: day.weekday() == 0,
    "month": lambda day: day.day == 1,
}
_PERIODS = {"day": "yesterday", "week": "last_week", "month": "last_month"}
_CHANGE_S = 3 * 3600
LONGEST_S = {
    "day": 86_400 + _CHANGE_S,
    "week": 7 * 86_400 + _CHANGE_S,
    "month": 31 * 86_400 + _CHANGE_S,
}
"""The longest time between two of a kind, with clocks set in between."""


def next_due(every: str, at_minute: int, zone: ZoneInfo, after: float) -> float:
    """Return when the next report goes out after a moment (epoch seconds).

    Daily ones every day, weekly ones on Monday, monthly ones on the first.
    """
    day = datetime.fromtimestamp(after, zone).date()
    while True:
        if _IS_DAY[every](day):
            due = _moment(day, at_minute, zone)
            if due > after:
                return due
        day += timedelta(days=1)


def last_period(every: str, zone: ZoneInfo, due: float) -> Period:
    """Return the days that a report due then is of: the day, week or month before."""
    return select_period(zone, due, period=_PERIODS[every])


def missed(
    every: str, at_minute: int, zone: ZoneInfo, due: float, now: float, most: int
) -> list[float]:
    """Return the times up to `now` that a report was due at, `due` the first; the last `most`."""
    found = [due]
    since = max(due, now - (most + 1) * LONGEST_S[every])
    while (since := next_due(every, at_minute, zone, since)) <= now:
        found.append(since)
    return found[-most:]


def _moment(day: date, at_minute: int, zone: ZoneInfo) -> float:
    local = datetime.combine(day, time(at_minute // 60, at_minute % 60), zone)
    return local.astimezone(UTC).timestamp()
