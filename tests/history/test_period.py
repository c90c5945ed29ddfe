"""The period rules of crm-api §4, in the domain's time zone."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from vpbx.history import InvalidQuery, Period, select_period
from vpbx.history.period import parse_time

MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")
CAIRO = ZoneInfo("Africa/Cairo")
HAVANA = ZoneInfo("America/Havana")


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def shown(period: Period) -> tuple[str, str]:
    def utc(ms: int) -> str:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    return utc(period.since_ms), utc(period.until_ms)


WEDNESDAY = at("2024-05-15T22:30:00+00:00")  # in Moscow already Thursday, 01:30


@pytest.mark.parametrize(
    ("name", "since", "until"),
    [
        ("today", "2024-05-15T21:00:00Z", "2024-05-16T21:00:00Z"),
        ("yesterday", "2024-05-14T21:00:00Z", "2024-05-15T21:00:00Z"),
        ("this_week", "2024-05-12T21:00:00Z", "2024-05-19T21:00:00Z"),
        ("week", "2024-05-12T21:00:00Z", "2024-05-19T21:00:00Z"),
        ("last_week", "2024-05-05T21:00:00Z", "2024-05-12T21:00:00Z"),
        ("this_month", "2024-04-30T21:00:00Z", "2024-05-31T21:00:00Z"),
        ("month", "2024-04-30T21:00:00Z", "2024-05-31T21:00:00Z"),
        ("last_month", "2024-03-31T21:00:00Z", "2024-04-30T21:00:00Z"),
    ],
)
def test_named_periods_are_local_days_and_beat_start_and_end(
    name: str, since: str, until: str
) -> None:
    period = select_period(
        MOSCOW, WEDNESDAY, period=name, start="20200101T000000Z", end="20200102T000000Z"
    )
    assert shown(period) == (since, until)


def test_nothing_given_means_today() -> None:
    assert select_period(MOSCOW, WEDNESDAY) == select_period(MOSCOW, WEDNESDAY, period="today")


def test_no_end_means_now() -> None:
    period = select_period(MOSCOW, WEDNESDAY, start="20240501T000000Z")
    assert shown(period) == ("2024-05-01T00:00:00Z", "2024-05-15T22:30:01Z")


def test_no_start_means_the_local_day_of_end() -> None:
    period = select_period(MOSCOW, WEDNESDAY, end="20240310T225959Z")  # 01:59:59 on the 11th
    assert shown(period) == ("2024-03-10T21:00:00Z", "2024-03-10T23:00:00Z")


def test_end_is_included_with_its_whole_second() -> None:
    period = select_period(
        MOSCOW, WEDNESDAY, start="2024-05-01T00:00:00Z", end="2024-05-01T23:59:59Z"
    )
    assert shown(period) == ("2024-05-01T00:00:00Z", "2024-05-02T00:00:00Z")


@pytest.mark.parametrize(
    ("zone", "now", "since", "until"),
    [
        # 23 and 25 hours in Berlin
        (BERLIN, "2024-03-31T12:00:00Z", "2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z"),
        (BERLIN, "2024-10-27T12:00:00Z", "2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z"),
        # Cairo skips midnight: the day begins at 01:00, which is the moment of the change
        (CAIRO, "2024-04-26T12:00:00Z", "2024-04-25T22:00:00Z", "2024-04-26T21:00:00Z"),
        # Havana has 00:00 to 01:00 twice: the day begins with the first
        (HAVANA, "2024-11-03T18:00:00Z", "2024-11-03T04:00:00Z", "2024-11-04T05:00:00Z"),
    ],
)
def test_a_day_of_clock_change_is_neither_cut_nor_counted_twice(
    zone: ZoneInfo, now: str, since: str, until: str
) -> None:
    assert shown(select_period(zone, at(now))) == (since, until)


def test_months_of_every_length_follow_each_other() -> None:
    for month in range(1, 13):
        now = at(f"2023-{month:02}-28T12:00:00+00:00")
        this = select_period(BERLIN, now, period="this_month")
        last = select_period(BERLIN, now, period="last_month")
        assert last.until_ms == this.since_ms


def test_week_over_new_year() -> None:
    period = select_period(ZoneInfo("UTC"), at("2025-01-01T10:00:00+00:00"), period="this_week")
    assert shown(period) == ("2024-12-30T00:00:00Z", "2025-01-06T00:00:00Z")


@pytest.mark.parametrize(
    ("text", "epoch"),
    [
        ("20240515T223000Z", WEDNESDAY),
        ("2024-05-15T22:30:00Z", WEDNESDAY),
        ("2024-05-15T22:30:00.999Z", WEDNESDAY),
        ("2024-05-16T01:30:00+03:00", WEDNESDAY),
        ("2024-05-16T01:30:00 03:00", WEDNESDAY),
        ("2024-05-15T17:30:00-0500", WEDNESDAY),
        ("2024-05-15T22:30:00", WEDNESDAY),
        ("2024-05-15 22:30:00", WEDNESDAY),
        ("20240515T223000", WEDNESDAY),
        ("20240515t223000z", WEDNESDAY),
    ],
)
def test_times_are_read_in_both_forms(text: str, epoch: float) -> None:
    assert parse_time(text, "start") == epoch


@pytest.mark.parametrize(
    "text",
    ["yesterday", "2024-13-15", "2024-05-15T", "20241315T000000Z", "20240515T250000Z", "1e9"],
)
def test_what_is_no_time_is_refused_by_field(text: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        select_period(MOSCOW, WEDNESDAY, start=text)
    assert refused.value.field == "start"


def test_unknown_period_is_refused_by_field() -> None:
    with pytest.raises(InvalidQuery) as refused:
        select_period(MOSCOW, WEDNESDAY, period="fortnight")
    assert refused.value.field == "period"
    assert "last_month" in refused.value.message


def test_a_bare_date_is_a_local_day() -> None:
    day = select_period(MOSCOW, WEDNESDAY, start="2024-05-01", end="2024-05-02")
    assert shown(day) == ("2024-04-30T21:00:00Z", "2024-05-02T21:00:00Z")
    assert select_period(MOSCOW, WEDNESDAY, end="20240502") == select_period(
        MOSCOW, WEDNESDAY, start="2024-05-02", end="2024-05-02"
    )


@pytest.mark.parametrize("zone", [MOSCOW, HAVANA])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_are_days_too(zone: ZoneInfo, day: str) -> None:
    for asked in ({"start": day}, {"end": day}, {"start": day, "end": day}):
        with contextlib.suppress(InvalidQuery):  # and never another error
            assert select_period(zone, WEDNESDAY, **asked)


def test_start_after_end_is_refused() -> None:
    with pytest.raises(InvalidQuery) as refused:
        select_period(MOSCOW, WEDNESDAY, start="20240502T000000Z", end="20240501T000000Z")
    assert refused.value.field == "start"
