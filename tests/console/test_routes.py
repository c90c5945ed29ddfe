"""Departments and numbers: set in forms, drawn, and tried out for any moment."""

from __future__ import annotations

import re

import pytest

from tests.console.conftest import ACME, Browser, Console, said


def telnum(console: Console) -> str:
    found = re.search(r'href="/numbers/(7495123456\d)"', console.as_("admin").page("/numbers"))
    assert found is not None
    return found[1]


def number(console: Console) -> dict[str, object]:
    shown: dict[str, object] = console.pbx.vpbx("number", "show", ACME, telnum(console))
    return shown


def way(browser: Browser, path: str) -> str:
    found = re.search(r'<p class="sub" role="status">(.*?)</p>', browser.page(path), re.S)
    assert found is not None
    return said(found[1])


@pytest.mark.parametrize(
    ("moment", "goes"),
    [
        ("2026-11-30T10:00", "business hours → Menu — Welcome"),
        ("2026-11-30T18:00", "closed → Message: we are closed"),
        ("2026-11-29T10:00", "closed → Message: we are closed"),
        ("2026-11-30T08:59", "closed → Message: we are closed"),
    ],
)
def test_what_happens_at_a_moment_is_told_and_drawn(
    console: Console, moment: str, goes: str
) -> None:
    path = f"/numbers/{telnum(console)}?at={moment}"
    page = console.as_("admin").page(path)
    assert way(console.as_("admin"), path).endswith(f"By the hours → {goes}")
    lit = re.findall(r'<g class="box on">.*?<title>(.*?)</title>', page)
    assert ("Menu Welcome" in lit) == ("Welcome" in goes)
    assert ("Message: we are closed " in lit) == ("closed" in goes)
    assert "Service" in page, "what depends on the caller's keys is drawn too"


@pytest.mark.parametrize("at", ["", "x", "9999-99-99T00:00", "1000-01-01T00:00", "2026-11-30"])
def test_moments_that_are_none_are_now(console: Console, at: str) -> None:
    assert console.as_("admin").get(f"/numbers/{telnum(console)}?at={at}").status_code == 200


def test_a_menu_is_changed_and_what_is_below_it_stays(console: Console) -> None:
    admin, path = console.as_("admin"), f"/numbers/{telnum(console)}/menu/work"
    page = admin.page(path)
    group = re.search(r'value="(group:g_[\w-]+)"', page)
    assert group is not None
    data = {"name": "Welcome", "1": group[1], "2": "keep", "3": "user:bob", "timeout": "user:ann"}
    assert admin.post(path, data).status_code == 303
    work = number(console)["work"]
    assert isinstance(work, dict)
    items = {item["button"]: item for item in work["ivr"]["items"]}
    assert set(items) == {"1", "2", "3", "timeout"}
    assert items["3"]["user"] == "bob"
    assert items["2"]["ivr"]["items"][0]["user"] == "bob"
    assert admin.post(path, {"name": "Welcome"}).status_code == 400, "a menu without a button"
    below = f"/numbers/{telnum(console)}/menu/work-2"
    assert admin.post(below, {"name": "Service", "9": "user:head"}).status_code == 303
    work = number(console)["work"]
    assert isinstance(work, dict)
    assert work["ivr"]["items"][1]["ivr"]["items"][0]["user"] == "head"
    admin.post(path, {**data, "4": "new"})
    assert "Welcome 4" in admin.page(f"/numbers/{telnum(console)}/menu/work-4")
    for missing in ("main", "work-1", "work-9", "x", "work-2-9-1"):
        assert admin.get(f"/numbers/{telnum(console)}/menu/{missing}").status_code == 404


def test_special_days_and_extra_hours_win_and_go_again(console: Console) -> None:
    admin, path = console.as_("admin"), f"/numbers/{telnum(console)}"
    days = {"kind": "days", "start": "2026-12-30", "end": "2026-12-31", "route_name": "New Year"}
    assert admin.post(f"{path}/special", days, at=path).status_code == 303
    found = re.search(r'name="id" value="([\w-]+)"', admin.page(path))
    assert found is not None
    extra = {"id": found[1], "extra.subtype": "user", "extra.user": "bob"}
    admin.post(f"{path}/extra", extra, at=path)
    assert way(admin, f"{path}?at=2026-12-30T10:00").endswith("New Year → Bob — 704")
    assert "Welcome" in way(admin, f"{path}?at=2026-12-29T10:00")
    hours = {"kind": "hours", "days": "sunday", "from": "12:00", "to": "00:00"}
    admin.post(f"{path}/special", {**hours, "route_id": found[1]}, at=path)
    assert "Bob" in way(admin, f"{path}?at=2026-11-29T23:59")
    assert "Bob" not in way(admin, f"{path}?at=2026-11-29T11:59")
    again = admin.post(f"{path}/special", {**hours, "route_id": found[1]}, at=path)
    assert again.status_code == 303
    assert "must not overlap" in said(admin.page(path))
    admin.post(f"{path}/extra", {"id": found[1], "drop": "1"}, at=path)
    assert "Bob" not in way(admin, f"{path}?at=2026-12-30T10:00")


def test_saving_a_number_changes_what_was_changed_and_keeps_the_rest(console: Console) -> None:
    admin, path = console.as_("admin"), f"/numbers/{telnum(console)}"
    before = number(console)
    page = admin.page(path)
    form: dict[str, object] = {"name": "Radio", "type": "scheduler", "enabled": "1"}
    form |= {"greeting": "1", "work.subtype": "ivr", "other.subtype": "message"}
    for day in ("monday", "tuesday", "wednesday", "thursday"):
        form |= {f"{day}.works": "1", f"{day}.start": "09:00", f"{day}.end": "18:00"}
    assert 'name="monday.start" value="09:00"' in page
    assert admin.post(path, form).status_code == 303
    assert number(console) == {**before, "name": "Radio"}
    wrong = admin.post(path, {**form, "monday.start": "19:00"})
    assert wrong.status_code == 400
    assert "Must not be before start" in said(wrong.text)
    assert number(console) == {**before, "name": "Radio"}


def test_a_departments_members_are_put_in_order_without_scripts(console: Console) -> None:
    admin = console.as_("admin")
    sent: dict[str, object] = {"name": "Support", "call_order": "BYORDER", "call_duration": "20"}
    members = {"member": ["ann", "bob"], "member_name": ["Ann", "Bob"], "on": ["ann"]}
    page = admin.post("/departments/new", {**sent, **members, "do": "up:bob"}).text
    assert re.findall(r'name="member" value="(\w+)"', page) == ["bob", "ann"]
    page = admin.post("/departments/new", {**sent, **members, "do": "add", "newcomer": "head"}).text
    assert re.findall(r'name="member" value="(\w+)"', page) == ["ann", "bob", "head"]
    page = admin.post("/departments/new", {**sent, **members, "do": "drop:ann"}).text
    assert re.findall(r'name="member" value="(\w+)"', page) == ["bob"]
    more = {"time": "30", "target": "user", "user": "head", "advanced": "callback"}
    assert admin.post("/departments/new", {**sent, **members, **more}).status_code == 303
    shown = next(g for g in console.pbx.vpbx("group", "list", ACME) if g["name"] == "Support")
    path = f"/departments/{shown['id']}"
    page = admin.page(path)
    assert re.findall(r'name="member" value="(\w+)"', page) == ["ann", "bob"]
    assert re.findall(r'name="on" value="(\w+)" checked', page) == ["ann"]
    assert '<option value="head" selected>' in page
    assert '<option value="callback" selected>' in page
    wrong = admin.post(path, {**sent, **members, "target": "group", "group": shown["id"]})
    assert wrong.status_code == 400
    assert admin.post(f"{path}/delete", {}, at=path).status_code == 303
