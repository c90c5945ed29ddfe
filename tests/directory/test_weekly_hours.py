"""A number's week goes to other numbers, and nothing else of it."""

from __future__ import annotations

from typing import Any

import pytest

from vpbx.directory import Directory, DomainConfig, Invalid, NotFound

MINE, THEIRS, THIRD, PLAIN = "74951234501", "74951234502", "74951234503", "74951234504"


def by_hours(user: str, day: str, start: int) -> dict[str, Any]:
    return {
        "type": "scheduler",
        "work": {"subtype": "user", "user": user},
        "other": {"subtype": "message"},
        "schedule": {day: {"start": start, "end": start + 3600}},
    }


@pytest.fixture
async def company(directory: Directory, acme: DomainConfig) -> DomainConfig:
    await directory.users.add(acme, {"name": "Ann", "login": "ann"})
    for telnum in (MINE, THEIRS, THIRD, PLAIN):
        await directory.telnums.add(acme, telnum)
    await directory.telnums.edit(acme, MINE, by_hours("admin", "monday", 3600))
    await directory.telnums.edit(acme, THEIRS, by_hours("ann", "friday", 7200))
    await directory.telnums.edit(acme, THIRD, by_hours("ann", "sunday", 7200))
    day = {"route_name": "Holidays", "start": "2026-12-31", "end": "2026-12-31"}
    await directory.telnums.add_special_day(acme, THEIRS, day)
    return await directory.current(acme)


async def test_the_week_is_copied_and_routes_and_special_days_stay(
    directory: Directory, company: DomainConfig
) -> None:
    before = company.numbers[THEIRS]
    done = await directory.hours.copy(company, MINE, ["+7 495 123-45-02", THEIRS, MINE])
    assert done == [THEIRS]
    now = await directory.current(company)
    assert now.numbers[THEIRS].schedule == company.numbers[MINE].schedule
    assert now.numbers[THEIRS].schedule != before.schedule
    assert now.numbers[THEIRS].work == before.work
    assert now.numbers[THEIRS].custom_routes == before.custom_routes
    assert now.numbers[THIRD].schedule == company.numbers[THIRD].schedule
    await directory.telnums.edit(company, MINE, by_hours("admin", "tuesday", 3600))
    later = await directory.current(company)
    assert later.numbers[THEIRS].schedule == company.numbers[MINE].schedule, "a copy of its own"


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ([THEIRS, PLAIN], f"{PLAIN} does not go by the hours"),
        ([THEIRS, "74950000000"], "there is no number 74950000000"),
        ([MINE], "at least one other number"),
        ([], "at least one other number"),
    ],
)
async def test_where_one_cannot_have_it_nothing_is_changed(
    directory: Directory, company: DomainConfig, to: list[str], message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        await directory.hours.copy(company, MINE, to)
    assert (await directory.current(company)).numbers == company.numbers


async def test_it_is_taken_of_a_number_of_the_company_that_has_a_week(
    directory: Directory, company: DomainConfig, other: DomainConfig
) -> None:
    with pytest.raises(Invalid, match="telnum"):
        await directory.hours.copy(company, PLAIN, [THEIRS])
    with pytest.raises(NotFound):
        await directory.hours.copy(other, MINE, [THEIRS])
