"""Routes of a number (crm-api §9) as values, and which one holds at a moment.

Times of the day are seconds of the local wall clock (so 09:00 stays 09:00 when summer time
begins); dates are local too. `route_at` is the one place that decides; it is pure.

Order on a scheduler number: special day, extra interval, business hours, closed hours.
- A special day with dates beats the production calendar (`calendar_predefined`).
- A special day holds from the minute of `start` through the minute of `end`; an interval and
  business hours from `start` up to, not including, `end`.
- Without a schedule every moment is business hours.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY_S = 86_400


class Subtype(StrEnum):
    """What an attendant route does (crm-api §9)."""

    USER = "user"
    GROUP = "group"
    IVR = "ivr"
    TELNUM = "telnum"
    VOICEMAIL = "voicemail"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A button of a menu: "0" … "9", "*", "#" or "timeout"; user, group or ivr by type."""

    button: str
    type: str
    user: str = ""
    group: str = ""
    ivr: Menu | None = None


@dataclass(frozen=True, slots=True)
class Menu:
    """A self-service menu (`ivr`). greeting_file: media id of the prompt when custom.

    One without items, inside another, stands for the menu of its name that it lies in: the
    button leads back there (`find`).
    """

    name: str = ""
    greeting: bool = False
    greeting_custom: bool = False
    greeting_file: str = ""
    items: tuple[MenuItem, ...] = ()

    def find(self, menu: Menu) -> Menu | None:
        """Return what a menu of this one means: itself, or the one here that has its name."""
        if menu.items:
            return menu
        if self.items and self.name == menu.name:
            return self
        inner = (item.ivr for item in self.items if item.ivr is not None and item.ivr.items)
        return next((found for each in inner if (found := each.find(menu)) is not None), None)


@dataclass(frozen=True, slots=True)
class Route:
    """An attendant route: `user`, `group`, `telnum` or `ivr` by subtype."""

    subtype: Subtype
    user: str = ""
    group: str = ""
    telnum: str = ""
    ivr: Menu | None = None
    greeting: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """Business hours of a weekday, seconds of the day; `holiday`: a day off."""

    start: int = 0
    end: int = 0
    holiday: bool = True


@dataclass(frozen=True, slots=True)
class Interval:
    """Extra hours: on `days`, from `start` to `end`, seconds of the day."""

    id: str
    days: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """Days with another route: `start` … `end`, or those of the production calendar."""

    id: str
    start: datetime | None = None
    end: datetime | None = None
    calendar_predefined: bool = False


@dataclass(frozen=True, slots=True)
class CustomRoute:
    """An extra route and when it holds."""

    id: str
    name: str
    route: Route
    interval_schedule: tuple[Interval, ...] = ()
    calendar_schedule: tuple[SpecialDay, ...] = ()


class Hours(StrEnum):
    """Which rule decided."""

    SPECIAL = "special"
    INTERVAL = "interval"
    BUSINESS = "business"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Holding:
    """The route that holds, the rule that says so, and the extra route's id if it is one."""

    hours: Hours
    route: Route
    custom_id: str = ""


def route_at(
    moment: datetime,
    zone: ZoneInfo,
    *,
    work: Route,
    other: Route,
    schedule: Mapping[str, Day],
    custom_routes: tuple[CustomRoute, ...] = (),
    is_holiday: Callable[[date], bool] = lambda day: False,
) -> Holding:
    """Return the route of a scheduler number that holds at `moment` (aware) in `zone`."""
    local = moment.astimezone(zone).replace(tzinfo=None)
    second = local.hour * 3600 + local.minute * 60 + local.second
    day_name = DAYS[local.weekday()]
    special = _special(local, custom_routes, is_holiday)
    if special is not None:
        return Holding(Hours.SPECIAL, special.route, special.id)
    for custom in custom_routes:
        for interval in custom.interval_schedule:
            if day_name in interval.days and interval.start <= second < interval.end:
                return Holding(Hours.INTERVAL, custom.route, custom.id)
    if not schedule:
        return Holding(Hours.BUSINESS, work)
    day = schedule.get(day_name, Day())
    if not day.holiday and day.start <= second < day.end:
        return Holding(Hours.BUSINESS, work)
    return Holding(Hours.CLOSED, other)


def _special(
    local: datetime, custom_routes: tuple[CustomRoute, ...], is_holiday: Callable[[date], bool]
) -> CustomRoute | None:
    calendar: CustomRoute | None = None
    for custom in custom_routes:
        for special in custom.calendar_schedule:
            if special.calendar_predefined:
                calendar = calendar or custom
            elif (
                special.start is not None
                and special.end is not None
                and special.start <= local < special.end + timedelta(minutes=1)
            ):
                return custom
    return calendar if calendar is not None and is_holiday(local.date()) else None


@functools.lru_cache(maxsize=256)
def production_calendar(country: str) -> Callable[[date], bool]:
    """Return the function that says whether a day is a public holiday in `country` (ISO 3166).

    Days off that the government moved are days off. A country without a known calendar has none.
    Nothing is loaded until a day is asked for: most schedules have no special days by calendar.
    The first day asked of a year takes some 20 ms, the library's own loading 0.1 s.
    """

    def is_holiday(day: date) -> bool:
        calendar = _calendar(country)
        return calendar is not None and day in calendar

    return is_holiday


@functools.lru_cache(maxsize=256)
def _calendar(country: str) -> Container[date] | None:
    import holidays

    try:
        return holidays.country_holidays(country)
    except NotImplementedError:
        return None
