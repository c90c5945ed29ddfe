"""Operators: what a company may have, set in the console; and who watches whom by BLF."""

from __future__ import annotations

import re

import pytest

from tests.console.conftest import ACME, GLOBEX, PASSWORD, Browser, Console, said
from vpbx.console import PAGES
from vpbx.console.page import Door

NEW, FRESH = "initech.vpbx.example", "fresh.vpbx.example"
SENT = {
    "timezone": "Europe/Berlin",
    "country": "DE",
    "language": "en",
    "ring_timeout_s": "25",
    "limit_users": "1",
    "limit_groups": "-1",
    "limit_local_gw": "0",
    "enabled": "1",
    "service_record": "1",
}


@pytest.fixture(scope="session")
def operator(console: Console) -> Browser:
    browser = console.browser("127.0.0.1")
    sent = {"password": PASSWORD, "again": PASSWORD}
    assert browser.post(f"/invite/{console.tokens['', 'keeper']}", sent).status_code == 303
    return browser


def test_an_operator_adds_a_company_and_says_what_it_may_have(
    console: Console, operator: Browser
) -> None:
    page = operator.post("/operator/new", {"domain": NEW, "timezone": "Europe/Berlin"}).text
    assert 'id="secret"' in page
    path = f"/operator/company/{NEW}"
    wrong = operator.post(path, {**SENT, "country": "Germany", "limit_users": "many"})
    assert wrong.status_code == 400
    assert 'id="e-country"' in wrong.text
    assert 'id="e-limit_users"' in wrong.text
    assert 'value="many"' in wrong.text, "what was typed is still there"
    assert 'value="Germany"' not in operator.page(path), "and nothing was changed"
    assert operator.post(path, SENT).headers["location"] == "/operator"
    kept = operator.page(path)
    assert 'id="f-limit_users" name="limit_users" type="text" value="1"' in kept
    assert 'name="service_record" value="1" role="switch" checked' in kept
    assert 'name="service_branch" value="1" role="switch">' in kept
    operator.post(f"/operator/enter/{NEW}", {}, at="/operator")
    try:
        refused = operator.post("/employees/new", {"name": "Two", "login": "two", "role": "user"})
        assert "at most 1 employees" in said(refused.text)
        assert "limits.users -1 → 1" in said(operator.page("/audit")), "the company sees who set it"
        assert "operator → entered" in said(operator.page("/audit")), "and who was in it"
    finally:
        operator.post("/operator/leave", {}, at="/operator")


@pytest.mark.parametrize("name", [NEW, ACME, "no company", ""])
def test_a_company_that_cannot_be_added_is_refused_with_the_reason(
    operator: Browser, name: str
) -> None:
    operator.post("/operator/new", {"domain": NEW, "timezone": "Europe/Berlin"})
    refused = operator.post("/operator/new", {"domain": name, "timezone": "Europe/Berlin"})
    assert refused.status_code == 400
    assert 'id="e-domain"' in refused.text
    assert operator.get("/operator/company/nobody.example").status_code == 404


def test_companies_are_for_operators_alone(console: Console) -> None:
    admin = console.as_("admin")
    for path in (f"/operator/company/{ACME}", f"/operator/company/{GLOBEX}", "/operator/new"):
        assert admin.get(path).status_code == 403
        assert admin.post(path, {**SENT, "domain": NEW}, at="/me").status_code == 403
    assert console.browser().get("/operator/new").headers["location"].startswith("/login")


def test_who_may_watch_colleagues_is_put_on_the_list_and_taken_off(console: Console) -> None:
    admin = console.as_("admin")
    on = 'name="name" value="ann"'
    assert on not in admin.page("/blf")
    admin.post("/blf/users", {"name": "ann"}, at="/blf")
    assert on in admin.page("/blf")
    assert on not in console.as_("admin", GLOBEX).page("/blf")
    assert admin.post("/blf/users", {"name": "nobody"}, at="/blf").status_code == 400
    admin.post("/blf/users/delete", {"name": "ann"}, at="/blf")
    assert on not in admin.page("/blf")
    assert console.as_("head").get("/blf").status_code == 403


def test_an_operator_gives_a_new_company_all_it_needs_without_a_command(
    console: Console, operator: Browser
) -> None:
    """A trunk, the company, its number, and the invitation of its administrator."""
    trunk = {"name": "carrier", "address": "127.0.0.1:9", "username": "100200", "register": "1"}
    wrong = operator.post("/operator/trunks", trunk)
    assert wrong.status_code == 400
    assert 'id="e-password"' in wrong.text, "said at the field"
    trunk["password"] = "their-password"
    assert operator.post("/operator/trunks", trunk).status_code == 303
    page = operator.page("/operator/trunks")
    assert "carrier 127.0.0.1:9 · 100200" in said(page)
    made = operator.post("/operator/new", {"domain": FRESH, "timezone": "Europe/Berlin"}).text
    path = f"/operator/company/{FRESH}"
    given = {"telnum": "+49 30 901820", "trunk": "carrier", "label": "Line"}
    refused = operator.post(f"{path}/numbers", {**given, "telnum": "none"}, at=path)
    assert refused.status_code == 400
    assert 'id="e-telnum"' in refused.text
    assert operator.post(f"{path}/numbers", given, at=path).status_code == 303
    assert "+49 30 901820 Line carrier" in said(operator.page(path))
    again = operator.post(f"{path}/numbers", given, at=path)
    assert "taken" in said(again.text)
    [(action, to)] = re.findall(
        r'action="(/operator/enter/[^"]+)".*?name="next" value="([^"]+)"', made, re.S
    )
    answer = operator.post(action, {"next": to}, at="/operator")
    assert answer.headers["location"] == "/employees/admin"
    assert "Invite" in said(operator.page("/employees/admin"))
    for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:1"):
        answer = operator.post(action, {"next": elsewhere}, at="/operator")
        assert answer.headers["location"] == "/"
    operator.post("/operator/leave", {}, at="/operator")
    for each in ("switch", "delete"):
        operator.post(f"/operator/trunks/{each}", {"name": "carrier"}, at="/operator/trunks")
    gone = {"telnum": "4930901820"}
    operator.post(f"{path}/numbers/delete", gone, at=path)
    assert "901820" not in operator.page(path)
    changes = said(operator.page("/operator/changes"))
    assert "trunks.carrier → 127.0.0.1:9 100200 register" in changes
    assert "trunks.carrier carrier" in changes
    whole = operator.get("/operator/changes/export").text
    assert "trunks.carrier" in whole
    assert "their-password" not in changes + whole + page


def test_only_operators_have_the_pages_of_operators(console: Console) -> None:
    admin = console.as_("admin")
    for page in PAGES:
        if page.door is Door.OPERATOR:
            path = page.path.replace("{name}", GLOBEX)
            if page.get is not None:
                assert admin.get(path).status_code == 403, path
            if page.post is not None:
                assert admin.post(path, {"name": GLOBEX}, at="/me").status_code == 403, path
