"""Which route holds at a moment: a table, with summer time and holidays."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from vpbx.directory import (
    CustomRoute,
    Day,
    Hours,
    Interval,
    Route,
    SpecialDay,
    Subtype,
    production_calendar,
    route_at,
)
from vpbx.directory.routes import DAYS

WORK = Route(Subtype.USER, user="work")
OTHER = Route(Subtype.MESSAGE)
EVENING = Route(Subtype.USER, user="evening")
PARTY = Route(Subtype.USER, user="party")
HOLIDAY = Route(Subtype.USER, user="holiday")
NINE_TO_SIX = Day(32_400, 64_800, False)
WEEK = {day: NINE_TO_SIX if day not in ("saturday", "sunday") else Day() for day in DAYS}
CUSTOM = (
    CustomRoute(
        "e",
        "Evening",
        EVENING,
        (Interval("1", ("monday", "sunday"), 61_200, 75_600),),
    ),
    CustomRoute(
        "p",
        "Party",
        PARTY,
        (),
        (SpecialDay("2", datetime(2026, 12, 30, 15), datetime(2027, 1, 2, 23, 59)),),
    ),
    CustomRoute("h", "Holidays", HOLIDAY, (), (SpecialDay("3", calendar_predefined=True),)),
)
MOSCOW, BERLIN, LISBON, KOLKATA = "Europe/Moscow", "Europe/Berlin", "Europe/Lisbon", "Asia/Kolkata"


def at(moment: str, zone: str, country: str = "RU") -> tuple[Hours, Route]:
    held = route_at(
        datetime.fromisoformat(moment).replace(tzinfo=UTC),
        ZoneInfo(zone),
        work=WORK,
        other=OTHER,
        schedule=WEEK,
        custom_routes=CUSTOM,
        is_holiday=production_calendar(country),
    )
    return held.hours, held.route


@pytest.mark.parametrize(
    ("moment", "zone", "country", "hours", "route"),
    [
        # Wednesday: business hours begin inclusive and end exclusive
        ("2026-11-25T05:59:59", MOSCOW, "RU", Hours.CLOSED, OTHER),
        ("2026-11-25T06:00:00", MOSCOW, "RU", Hours.BUSINESS, WORK),
        ("2026-11-25T14:59:59", MOSCOW, "RU", Hours.BUSINESS, WORK),
        ("2026-11-25T15:00:00", MOSCOW, "RU", Hours.CLOSED, OTHER),
        # Saturday is a day off; Monday's and Sunday's extra interval beats hours and day off
        ("2026-11-28T09:00:00", MOSCOW, "RU", Hours.CLOSED, OTHER),
        ("2026-11-23T13:59:59", MOSCOW, "RU", Hours.BUSINESS, WORK),
        ("2026-11-23T14:00:00", MOSCOW, "RU", Hours.INTERVAL, EVENING),
        ("2026-11-23T17:59:59", MOSCOW, "RU", Hours.INTERVAL, EVENING),
        ("2026-11-23T18:00:00", MOSCOW, "RU", Hours.CLOSED, OTHER),
        ("2026-11-29T14:00:00", MOSCOW, "RU", Hours.INTERVAL, EVENING),
        # the local day decides, not UTC's: Sunday 21:30 UTC is Monday in Moscow and Kolkata
        ("2026-11-22T21:30:00", MOSCOW, "RU", Hours.CLOSED, OTHER),
        ("2026-11-23T03:30:00", KOLKATA, "IN", Hours.BUSINESS, WORK),
        ("2026-11-23T03:29:00", KOLKATA, "IN", Hours.CLOSED, OTHER),
        # special days: from the minute of start through the minute of end, across New Year
        ("2026-12-30T11:59:59", MOSCOW, "RU", Hours.BUSINESS, WORK),
        ("2026-12-30T12:00:00", MOSCOW, "RU", Hours.SPECIAL, PARTY),
        ("2027-01-02T20:59:59", MOSCOW, "RU", Hours.SPECIAL, PARTY),
        ("2027-01-02T21:00:00", MOSCOW, "RU", Hours.SPECIAL, HOLIDAY),
        # the production calendar of the country; where it is no holiday, the usual rules hold
        ("2026-05-09T09:00:00", MOSCOW, "RU", Hours.SPECIAL, HOLIDAY),
        ("2026-06-12T09:00:00", MOSCOW, "RU", Hours.SPECIAL, HOLIDAY),
        ("2026-06-12T09:00:00", BERLIN, "DE", Hours.BUSINESS, WORK),
        ("2026-10-03T09:00:00", BERLIN, "DE", Hours.SPECIAL, HOLIDAY),
        ("2026-06-12T09:00:00", MOSCOW, "XX", Hours.BUSINESS, WORK),
        # summer time: 09:00 on the wall is 08:00 UTC before and 07:00 UTC after 29 March
        ("2026-03-27T07:59:59", BERLIN, "DE", Hours.CLOSED, OTHER),
        ("2026-03-27T08:00:00", BERLIN, "DE", Hours.BUSINESS, WORK),
        ("2026-03-30T06:59:59", BERLIN, "DE", Hours.CLOSED, OTHER),
        ("2026-03-30T07:00:00", BERLIN, "DE", Hours.BUSINESS, WORK),
        # and back: 25 October
        ("2026-10-23T07:00:00", BERLIN, "DE", Hours.BUSINESS, WORK),
        ("2026-10-26T07:00:00", BERLIN, "DE", Hours.CLOSED, OTHER),
        ("2026-10-26T08:00:00", BERLIN, "DE", Hours.BUSINESS, WORK),
        # the hour that is there twice, on the night of the change: closed both times
        ("2026-10-25T00:30:00", LISBON, "PT", Hours.CLOSED, OTHER),
        ("2026-10-25T01:30:00", LISBON, "PT", Hours.CLOSED, OTHER),
        # the interval on the Sunday of the change is wall clock too
        ("2026-03-29T15:00:00", BERLIN, "DE", Hours.INTERVAL, EVENING),
        ("2026-03-29T14:59:59", BERLIN, "DE", Hours.CLOSED, OTHER),
    ],
)
def test_route_that_holds(moment: str, zone: str, country: str, hours: Hours, route: Route) -> None:
    assert at(moment, zone, country) == (hours, route)


def test_without_schedule_it_is_always_business_hours() -> None:
    held = route_at(datetime.now(UTC), ZoneInfo("UTC"), work=WORK, other=OTHER, schedule={})
    assert held.hours is Hours.BUSINESS


def test_calendar_is_loaded_for_special_days_by_calendar_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "holidays", None)  # to import it fails
    evening_only = CUSTOM[:2]
    held = route_at(
        datetime(2026, 11, 25, 9, tzinfo=UTC),
        ZoneInfo(MOSCOW),
        work=WORK,
        other=OTHER,
        schedule=WEEK,
        custom_routes=evening_only,
        is_holiday=production_calendar("AD"),  # no other test asks for it
    )
    assert held.route == WORK
