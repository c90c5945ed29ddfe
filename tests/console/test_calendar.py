"""The calendar of a number: what holds on which day, by the function that calls ask."""

from __future__ import annotations

import re
from datetime import date

import pytest

from tests.console.conftest import GLOBEX, Console, said, soon
from vpbx.console.calendar import month_of

TELNUM = "74951234568"
"""Of the second company: Monday to Thursday from nine to six (`add_numbers`)."""
PATH = f"/numbers/{TELNUM}/calendar"
MAY = f"{PATH}?month=2031-05"


def days(page: str) -> dict[int, str]:
    """Return what is said of each day of the month itself."""
    found = re.findall(
        r'<td class="(?!outside)[^"]*"[^>]*>\s*<a [^>]*>(\d+)</a>(.*?)</td>', page, re.S
    )
    return {int(number): said(rest) for number, rest in found}


def test_a_month_shows_business_hours_special_days_and_holidays(console: Console) -> None:
    admin = console.as_("admin", GLOBEX)
    plain = days(admin.page(MAY))
    assert len(plain) == 31
    assert {plain[number] for number in (5, 6, 7, 8)} == {"09:00–18:00"}, "Monday to Thursday"
    assert {plain[number] for number in (2, 3, 4)} == {"closed"}

    sent = {"kind": "days", "start": "2031-05-13", "end": "2031-05-14", "month": "2031-05"}
    answer = admin.post(f"/numbers/{TELNUM}/special", {**sent, "route_name": "Repairs"}, at=MAY)
    assert answer.headers["location"] == MAY, "back where it was set"
    changed = days(admin.page(MAY))
    assert changed[13] == changed[14] == "Repairs"
    assert changed[15] == plain[15] == "09:00–18:00"
    answer = admin.post(
        f"/numbers/{TELNUM}/special", {"kind": "calendar", "route_name": "Feast"}, at=MAY
    )
    assert answer.headers["location"] == f"/numbers/{TELNUM}"
    feast = days(admin.page(MAY))
    assert feast[1] == feast[9] == "Feast", "public holidays of Russia"
    assert feast[13] == "Repairs"

    for day in re.findall(r'name="day" value="([^"]+)"', admin.page(MAY)):
        admin.post(f"/numbers/{TELNUM}/special/delete", {"day": day, "month": "2031-05"}, at=MAY)
    assert days(admin.page(MAY)) == plain
    number = f"/numbers/{TELNUM}"
    for each in re.findall(r'name="id" value="([\w-]+)"', admin.page(number)):
        admin.post(f"{number}/extra", {"id": each, "drop": "1"}, at=number)


@pytest.mark.parametrize("query", ["", "?month=2031-13", "?month=0000-01", "?month=9999-12"])
def test_what_is_no_month_is_this_one(console: Console, query: str) -> None:
    assert "today" in console.as_("admin", GLOBEX).page(PATH + query)
    assert month_of("2031-12", date(2026, 1, 31)) == date(2031, 12, 1)


def test_a_wrong_day_is_said_and_chosen_days_are_filled_in(console: Console) -> None:
    admin = console.as_("admin", GLOBEX)
    assert 'value="2031-05-13"' in admin.page(f"{MAY}&day=2031-05-13")
    assert "onload" not in admin.page(f'{MAY}&day="onload="x')
    sent = {"kind": "days", "start": "2031-05-14", "end": "2031-05-13", "month": "2031-05"}
    answer = admin.post(f"/numbers/{TELNUM}/special", {**sent, "route_name": "R"}, at=MAY)
    assert answer.headers["location"] == MAY
    page = admin.page(MAY)
    assert 'role="alert"' in page
    assert days(page)[13] == "09:00–18:00"
    odd = admin.post(f"/numbers/{TELNUM}/special", {**sent, "month": "//evil.example"}, at=MAY)
    assert odd.headers["location"] == f"/numbers/{TELNUM}"


def test_the_calendar_of_another_company_is_not_there(console: Console) -> None:
    assert console.as_("admin").get(PATH).status_code == 404
    assert console.as_("head", GLOBEX).get(PATH).status_code == 403


def test_special_days_are_put_on_several_numbers_at_once(console: Console) -> None:
    admin, vpbx = console.as_("admin", GLOBEX), console.pbx.vpbx
    others = ["74951239901", "74951239902"]
    hours = {"kind": "days", "start": "2032-05-13", "end": "2032-05-14", "month": "2032-05"}
    at = f"{PATH}?month=2032-05"
    for telnum in others:
        vpbx("number", "add", GLOBEX, telnum)
        page = f"/numbers/{telnum}"
        soon(lambda path=page: admin.get(path).status_code == 200)  # type: ignore[misc]
        sent = {"type": "scheduler", "work.subtype": "user", "work.user": "ann"}
        sent |= {"other.subtype": "message", "fallback": "user:ann", "enabled": "1"}
        assert admin.post(page, sent, at=page).status_code == 303
    taken = f"/numbers/{others[1]}"
    scheduled = [each for each in others if each in admin.page(at)]
    assert scheduled == others, "those that go by the hours"
    admin.post(f"{taken}/special", {**hours, "route_name": "Other"}, at=f"{taken}/calendar")
    sent = {**hours, "route_name": "Repairs", "also": [*others, "79990000000", TELNUM]}
    answer = admin.post(f"/numbers/{TELNUM}/special", sent, at=at)
    assert answer.headers["location"] == at
    note = said(admin.page(at))
    assert "Saved, but not for +7 495 123-99-02 (Special days must not overlap)" in note
    shown = days(admin.page(f"/numbers/{others[0]}/calendar?month=2032-05"))
    assert shown[13] == shown[14] == "Repairs"
    assert days(admin.page(f"{taken}/calendar?month=2032-05"))[13] == "Other"
    again = {**hours, "start": "2032-05-20", "end": "", "route_name": "Repairs", "also": others[0]}
    admin.post(f"/numbers/{TELNUM}/special", again, at=at)
    assert admin.page(f"/numbers/{others[0]}").count('value="Repairs"') <= 1
    assert days(admin.page(f"/numbers/{others[0]}/calendar?month=2032-06"))[1] == "closed"
    copying = {"hours_to": others[0], "month": "2032-05"}
    answer = admin.post(f"/numbers/{TELNUM}/hours", copying, at=at)
    assert answer.headers["location"] == at
    assert "Copied to +7 495 123-99-01." in said(admin.page(at))
    week = days(admin.page(f"{PATH}?month=2032-06"))
    assert days(admin.page(f"/numbers/{others[0]}/calendar?month=2032-06")) == week
    for wrong in ({}, {"hours_to": "79990000000"}):
        admin.post(f"/numbers/{TELNUM}/hours", {"month": "2032-05", **wrong}, at=at)
        assert 'role="alert"' in admin.page(at)
    for telnum in others:
        vpbx("number", "remove", GLOBEX, telnum, "--yes")
    for each in set(re.findall(r'name="id" value="([\w-]+)"', admin.page(f"/numbers/{TELNUM}"))):
        number = f"/numbers/{TELNUM}"
        admin.post(f"{number}/extra", {"id": each, "drop": "1"}, at=number)
