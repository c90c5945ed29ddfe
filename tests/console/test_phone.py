"""What the softphone asks of the server, without a browser."""

from __future__ import annotations

import re

from tests.console.conftest import ACME, Console


def token(page: str) -> str:
    found = re.search(r'data-csrf="(\w+)"', page)
    assert found is not None
    return found[1]


def test_who_is_logged_in_is_given_credentials_and_nobody_else(console: Console) -> None:
    ann = console.as_("ann")
    page = ann.page("/me")
    headers = {"Origin": ann.origin, "X-CSRF": token(page)}
    given = ann.client.post("/phone/pass", headers=headers)
    assert given.status_code == 200
    assert given.headers["cache-control"] == "no-store"
    made = given.json()
    assert made["uri"] == f"sip:ann@{ACME}"
    assert made["socket"].endswith("/sip")
    assert made["username"].startswith("ann~")
    assert made["password"] not in page
    assert ann.client.post("/phone/pass", headers=headers).json()["password"] != made["password"]
    for wrong in ({"Origin": ann.origin}, {**headers, "Origin": "https://evil.example"}):
        assert ann.client.post("/phone/pass", headers=wrong).status_code == 403
    assert console.browser().client.post("/phone/pass", headers=headers).status_code in (303, 403)
    assert made["password"] not in console.pbx.log()


def test_contacts_are_the_own_company_s(console: Console) -> None:
    found = console.as_("ann").get("/phone/contacts").json()
    assert {contact["name"] for contact in found} >= {"Head", "Bob", "Sales"}
    assert "Ann" not in {contact["name"] for contact in found}
    assert all(set(contact) == {"name", "ext", "state"} for contact in found)


def test_a_number_from_a_link_is_shown_as_text(console: Console) -> None:
    page = console.as_("ann").page("/phone?call=tel:%2B74951234567")
    assert 'data-phone-number="+74951234567"' in page
    evil = console.as_("ann").page('/phone?call="><script>alert(1)</script>')
    assert "<script>alert" not in evil
