"""Reports go out by the company's clocks, also where these are changed."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from vpbx.reporting import last_period, next_due
from vpbx.reporting.times import missed

BERLIN, MOSCOW, NEW_YORK = (
    ZoneInfo(name) for name in ("Europe/Berlin", "Europe/Moscow", "America/New_York")
)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def told(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("every", "minute", "zone", "after", "due"),
    [
        ("day", 480, MOSCOW, "2026-11-26 04:59", "2026-11-26 05:00"),
        ("day", 480, MOSCOW, "2026-11-26 05:00", "2026-11-27 05:00"),
        ("day", 0, NEW_YORK, "2026-11-26 03:00", "2026-11-26 05:00"),
        ("week", 480, MOSCOW, "2026-11-26 00:00", "2026-11-30 05:00"),
        ("month", 480, MOSCOW, "2026-12-01 06:00", "2027-01-01 05:00"),
        ("month", 1439, NEW_YORK, "2026-02-01 12:00", "2026-02-02 04:59"),
        # 02:30 is skipped: an hour later by the clock
        ("day", 150, BERLIN, "2026-03-28 12:00", "2026-03-29 01:30"),
        ("day", 150, BERLIN, "2026-03-29 01:30", "2026-03-30 00:30"),
        # 02:30 comes twice: the first one, and not the second as well
        ("day", 150, BERLIN, "2026-10-24 12:00", "2026-10-25 00:30"),
        ("day", 150, BERLIN, "2026-10-25 00:30", "2026-10-26 01:30"),
        # eight o'clock stays eight o'clock
        ("day", 480, BERLIN, "2026-03-28 12:00", "2026-03-29 06:00"),
        ("day", 480, BERLIN, "2026-10-24 12:00", "2026-10-25 07:00"),
    ],
)
def test_the_next_report_is_due_by_local_clocks(
    every: str, minute: int, zone: ZoneInfo, after: str, due: str
) -> None:
    assert told(next_due(every, minute, zone, at(after))) == due


@pytest.mark.parametrize(
    ("every", "due", "since", "until"),
    [
        ("day", "2026-03-30 06:00", "2026-03-28 23:00", "2026-03-29 22:00"),
        ("week", "2026-03-30 06:00", "2026-03-22 23:00", "2026-03-29 22:00"),
        ("month", "2026-11-01 07:00", "2026-09-30 22:00", "2026-10-31 23:00"),
    ],
)
def test_a_report_is_of_whole_local_days_before(
    every: str, due: str, since: str, until: str
) -> None:
    period = last_period(every, BERLIN, at(due))
    assert (told(period.since_ms / 1000), told(period.until_ms / 1000)) == (since, until)


def test_what_was_missed_goes_out_but_not_without_end() -> None:
    due = at("2026-11-20 05:00")
    found = missed("day", 480, MOSCOW, due, at("2026-11-22 12:00"), 7)
    assert [told(each) for each in found] == [f"2026-11-{day} 05:00" for day in (20, 21, 22)]
    late = missed("day", 480, MOSCOW, due, at("2028-11-22 12:00"), 7)
    assert [told(each) for each in late] == [f"2028-11-{day} 05:00" for day in range(16, 23)]
    assert missed("month", 480, MOSCOW, due, due, 7) == [due]
