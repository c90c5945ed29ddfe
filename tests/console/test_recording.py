"""Recording: what is recorded and whose calls never are."""

from __future__ import annotations

import re

from tests.console.conftest import ACME, GLOBEX, Console, said


def test_what_is_recorded_is_switched_and_told_in_the_changes(console: Console) -> None:
    admin = console.as_("admin")
    for external, inner in ((True, True), (False, True), (False, False), (True, False)):
        chosen = {n: "1" for n, on in (("external", external), ("inner", inner)) if on}
        assert admin.post("/recording", chosen).status_code == 303
        page = admin.page("/recording")
        assert bool(re.search(r'name="external"[^>]*checked', page)) is external
        assert bool(re.search(r'name="inner"[^>]*checked', page)) is inner
    kept = console.pbx.vpbx("domain", "show", ACME)
    assert (kept["record_external"], kept["record_inner"]) == (True, False)
    assert "record_external yes → no" in said(admin.page("/audit?search=record_external"))
    other = console.as_("admin", GLOBEX).page("/audit?search=record_")
    assert "record_" not in said(other).replace("search=record_", "")


def test_who_is_never_recorded_is_chosen(console: Console) -> None:
    admin = console.as_("admin")
    admin.post("/recording/never", {"name": "bob"}, at="/recording")
    admin.post("/recording/never", {"name": "bob"}, at="/recording")
    assert [e["login"] for e in console.pbx.vpbx("record", "list", ACME)] == ["bob"]
    assert '<option value="bob">' not in admin.page("/recording")
    assert admin.post("/recording/never", {"name": ""}, at="/recording").status_code == 400
    assert admin.post("/recording/never", {"name": "mallory"}, at="/recording").status_code == 400
    admin.post("/recording/never/delete", {"name": "bob"}, at="/recording")
    gone = admin.post("/recording/never/delete", {"name": "bob"}, at="/recording")
    assert gone.status_code == 404
    assert console.pbx.vpbx("record", "list", ACME) == []
