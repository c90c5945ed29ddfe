"""Values that no browser would send: refused by their name, never a fault of ours."""

from __future__ import annotations

import re
from html import unescape

import pytest

from tests.console.conftest import Browser, Console, said


def number_form(browser: Browser) -> tuple[str, dict[str, object]]:
    """Return where a number is, and its hours by a form that opens it on Mondays."""
    found = re.search(r"/numbers/\d+", browser.page("/numbers"))
    assert found is not None
    values: dict[str, object] = {"type": "scheduler", "monday.works": "1", "enabled": "1"}
    values |= {"work.subtype": "ivr", "other.subtype": "message", "monday.end": "18:00"}
    return found[0], values


@pytest.mark.parametrize("value", ["99:99", "24:01", "-1:00", "0x9:00", "9:60", "", "٠٩:٣٠"])
def test_hours_that_are_none_are_refused_by_their_day_and_value(
    console: Console, value: str
) -> None:
    admin = console.as_("admin")
    path, values = number_form(admin)
    before = re.findall(r'name="monday.\w+" value="[^"]*"', admin.page(path))
    answer = admin.post(path, {**values, "monday.start": value})
    assert answer.status_code == 400
    assert f"Monday: {value or '—'} is no time of day" in said(answer.text)
    shown = re.search(r'name="monday.start" value="([^"]*)"', answer.text)
    assert shown is not None
    assert unescape(shown[1]) == value, "what was typed is still there"
    assert re.findall(r'name="monday.\w+" value="[^"]*"', admin.page(path)) == before


@pytest.mark.parametrize("theme", ["٠", "a\r\nSet-Cookie: b=c", "x" * 5000, "\u202e", "dark;light"])
def test_colours_that_there_are_not_are_those_of_the_device(console: Console, theme: str) -> None:
    answer = console.as_("bob").post("/me/look", {"theme": theme}, at="/me")
    assert answer.status_code == 303
    cookies = answer.headers.get_list("set-cookie")
    assert [one for one in cookies if one.startswith("vpbx-theme=") and theme in one] == []
    assert len(cookies) == 2, "the note, and the colours"
