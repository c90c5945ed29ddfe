"""Who changed what stands in the log, whichever way it was changed; secrets do not."""

from __future__ import annotations

import csv
import io
import re
import time

import httpx

from tests.console.conftest import ACME, GLOBEX, PASSWORD, Console, said


def test_each_change_is_told_with_who_and_from_what_to_what(console: Console) -> None:
    admin = console.as_("admin")
    admin.post("/employees/new", {"name": "Hugo", "login": "hugo", "position": "Cook"})
    admin.post(
        "/employees/hugo", {"name": "Hugo", "ext": "790", "position": "Chef", "role": "user"}
    )
    page = said(admin.page("/audit?search=employees.hugo.position"))
    assert f"admin@{ACME} console · 127.0.0.1 employees.hugo.position Cook → Chef" in page
    admin.post("/employees/hugo/password", {}, at="/employees/hugo")
    assert "employees.hugo.password ••• → •••" in said(admin.page("/audit"))
    admin.post("/employees/hugo/delete", {}, at="/employees/hugo")
    assert "employees.hugo Hugo hugo" in said(admin.page("/audit"))


def test_changes_by_the_api_and_by_commands_are_told_too(console: Console) -> None:
    key = console.pbx.vpbx("key", "add", ACME)["key"]
    for _ in range(70):  # the server takes what commands change within a second
        answer = httpx.post(
            f"{console.pbx.api}/users",
            headers={"X-API-KEY": key, "Host": ACME},
            json={"name": "Ida", "login": "ida", "password": "Very-secret-9"},
        )
        if answer.status_code not in (401, 429):
            break
        time.sleep(0.4)
    assert answer.status_code == 200, answer.text
    page = console.as_("admin").page("/audit")
    assert re.search(r"API key \d+ API · 127\.0\.0\.1 employees\.ida → Ida ida", said(page))
    assert "command line api_keys" in said(page)
    console.pbx.vpbx("user", "set", ACME, "ida", "--position", "Baker")
    assert "employees.ida.position Manager → Baker" in said(console.as_("admin").page("/audit"))
    whole = console.as_("admin").get("/audit/export").text
    for secret in (key, "Very-secret-9", PASSWORD):
        assert secret not in whole
    rows = list(csv.reader(io.StringIO(whole.removeprefix("\ufeff"))))
    assert any(row[4:] == ["employees.ida.position", "Manager", "Baker"] for row in rows)


def test_nobody_reads_the_log_of_another_company(console: Console) -> None:
    console.as_("admin").post("/employees/new", {"name": "Only at Acme", "login": "onlyacme"})
    for _ in range(150):  # it is written down beside the answer
        if "onlyacme" in console.as_("admin").page("/audit"):
            break
        time.sleep(0.2)
    assert "onlyacme" in console.as_("admin").page("/audit")
    other = console.as_("admin", GLOBEX)
    assert "Nothing was changed yet" in other.page("/audit?search=onlyacme")
    assert "onlyacme" not in other.get("/audit/export").text
    for login in ("head", "ann", "bob"):
        assert console.as_(login).get("/audit/export").status_code == 403
