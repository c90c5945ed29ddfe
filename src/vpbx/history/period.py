"""Which calls a history request asks for by time (crm-api §4, period rules).

Days, weeks (Monday first) and months are those of the domain's time zone; a day starts at
its first local moment, also where summer time skips or repeats midnight.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TypeAlias
from zoneinfo import ZoneInfo

from vpbx.frozen import dataclass

_TIME = re.compile(
    r"(?P<time>\d{8}T\d{6}(?:\.\d{1,7})?|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,7})?)?)"
    r"(?P<zone>Z|[+ -]\d\d(?::?\d\d)?)?",
    re.IGNORECASE,
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d|\d{8}")
_DAY = timedelta(days=1)

Days: TypeAlias = tuple[date, date]


class InvalidQuery(ValueError):
    """A history request that cannot be answered: `field` is wrong because of `message`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Period:
    """Calls that started from `since_ms` on and before `until_ms` (epoch milliseconds)."""

    since_ms: int
    until_ms: int


WHENEVER = Period(0, (1 << 62))
"""All calls."""


def _months(day: date) -> Days:
    first = day.replace(day=1)
    return first, (first + 31 * _DAY).replace(day=1)


def _this_week(today: date) -> Days:
    monday = today - today.weekday() * _DAY
    return monday, monday + 7 * _DAY


def _last_week(today: date) -> Days:
    return _this_week(today - 7 * _DAY)


def _last_month(today: date) -> Days:
    return _months(today.replace(day=1) - _DAY)


_NAMED: dict[str, Callable[[date], Days]] = {
    "today": lambda today: (today, today + _DAY),
    "yesterday": lambda today: (today - _DAY, today),
    "this_week": _this_week,
    "week": _this_week,
    "last_week": _last_week,
    "this_month": _months,
    "month": _months,
    "last_month": _last_month,
}

PERIODS: tuple[str, ...] = tuple(_NAMED)
"""The words a request may give as `period`."""


def parse_time(text: str, field: str) -> int:
    """Return whole epoch seconds of `YYYYmmddTHHMMSSZ` or an ISO 8601 time.

    Without a zone it is UTC; the `+` of an offset may have become a space on its way through a
    query. Raises InvalidQuery, naming `field`, for anything else.
    """
    match = _TIME.fullmatch(text)
    if match:
        zone = (match["zone"] or "Z").replace(" ", "+").upper()
        try:
            return int(datetime.fromisoformat(match["time"].upper() + zone).timestamp() // 1)
        except (ValueError, OverflowError):
            pass
    raise InvalidQuery(
        field, "must be a time as YYYYmmddTHHMMSSZ or YYYY-MM-DDTHH:MM:SSZ, or a date YYYY-MM-DD"
    )


def _parse_date(text: str) -> date | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def select_period(
    zone: ZoneInfo, now: float, *, period: str = "", start: str = "", end: str = ""
) -> Period:
    """Return the time a request asks for; empty text means that it did not say.

    `period` beats `start` and `end`; no end: now; no start: the start of the local day of
    `end`; nothing: today. `end` is included, with its whole second. A bare date is a local day:
    as `start` its first moment, as `end` the whole of it. Raises InvalidQuery.
    """
    today = datetime.fromtimestamp(now, zone).date()
    if period:
        named = _NAMED.get(period)
        if named is None:
            raise InvalidQuery("period", "must be one of " + ", ".join(PERIODS))
        return _days(named(today), zone)
    if not start and not end:
        return _days(_NAMED["today"](today), zone)
    last_s = _last_second(end, zone) if end else int(now)
    if start:
        day = _parse_date(start)
        first_s = parse_time(start, "start") if day is None else _first_moment(day, zone)
        if end and first_s > last_s:
            raise InvalidQuery("start", "must not be after end")
    else:
        first_s = _first_moment(_local_date(last_s, zone), zone)
    return Period(first_s * 1000, (last_s + 1) * 1000)


def _last_second(end: str, zone: ZoneInfo) -> int:
    day = _parse_date(end)
    if day is None:
        return parse_time(end, "end")
    try:
        return _first_moment(day + _DAY, zone) - 1
    except OverflowError:
        raise InvalidQuery("end", "is out of range") from None


def _days(days: Days, zone: ZoneInfo) -> Period:
    first, after = days
    return Period(_first_moment(first, zone) * 1000, _first_moment(after, zone) * 1000)


def _local_date(epoch_s: int, zone: ZoneInfo) -> date:
    try:
        return datetime.fromtimestamp(epoch_s, zone).date()
    except (ValueError, OverflowError):
        raise InvalidQuery("end", "is out of range") from None


@lru_cache(maxsize=1024)
def _first_moment(day: date, zone: ZoneInfo) -> int:
    """Epoch seconds at which `day` begins in `zone`.

    `fold=0` is what makes it right at a clock change: of a midnight that comes twice it
    is the first one, and one that is skipped is read with the offset before the change,
    which is the moment of the change itself.
    """
    try:
        return int(datetime.combine(day, time(0), zone).astimezone(UTC).timestamp())
    except OverflowError:  # the calendar begins and ends in UTC, too
        return int(datetime.combine(day, time(0), UTC).timestamp())
