"""Phones set up by a link: what it holds, for how long, and for whom."""

from __future__ import annotations

import hashlib
import re
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.console.conftest import ACME, GLOBEX, PHONE_PASSWORD, Console, said
from vpbx.clock import ManualClock
from vpbx.console.provisioning import LIFE_S, Line, Provisioning, Server
from vpbx.directory import DomainConfig, Employee, Ha1Pair

ENTRY = "{http://www.linphone.org/xsds/lpconfig.xsd}entry"
SERVER = Server("udp", "192.0.2.1", 5060)


def ha1(login: str, password: str, domain: str) -> str:
    return hashlib.md5(f"{login}:{domain}:{password}".encode()).hexdigest()


def fetch(console: Console, link: str) -> httpx.Response:
    """Follow a link as a phone does: without a session."""
    return httpx.get(console.base + re.sub(r"^https?://[^/]+", "", link))


def link_of(page: str) -> str:
    found = re.search(r'<code id="link"[^>]*>(http[^<]+)/linphone.xml<', page)
    assert found is not None
    return found[1]


def entries(xml: str) -> dict[str, str]:
    return {
        each.get("name", ""): each.text or "" for each in ElementTree.fromstring(xml).iter(ENTRY)
    }


def test_an_employee_sets_up_linphone_without_knowing_a_password(console: Console) -> None:
    answer = console.as_("bob").post("/my-phone", {"transport": "tcp"}, at="/my-phone")
    link = link_of(answer.text)
    assert "<svg" in answer.text, "the code to scan"
    got = fetch(console, f"{link}/linphone.xml")
    assert got.headers["cache-control"] == "no-store"
    found = entries(got.text)
    assert (found["username"], found["realm"]) == ("bob", ACME)
    assert found["ha1"] == ha1("bob", PHONE_PASSWORD, ACME)
    assert found["reg_identity"] == f"<sip:bob@{ACME}>"
    assert re.fullmatch(r"<sip:[\d.]+:\d+;transport=tcp>", found["reg_proxy"])
    assert "passwd" not in found
    for name in ("yealink.cfg", "baresip.txt", "other.xml"):
        assert fetch(console, f"{link}/{name}").status_code == 404, "they need a new password"
    assert fetch(console, f"{link}x/linphone.xml").status_code == 404
    again = console.as_("bob").post("/my-phone", {}, at="/my-phone")
    assert fetch(console, f"{link}/linphone.xml").status_code == 404, "a newer one replaces it"
    assert fetch(console, f"{link_of(again.text)}/linphone.xml").status_code == 200
    assert "a link that sets up a phone" in said(console.as_("admin").page("/audit?search=bob"))


def test_a_desk_phone_is_given_a_new_password_which_ends_the_link_before(console: Console) -> None:
    admin = console.as_("admin", GLOBEX)
    path = "/employees/bob/phone"
    first = link_of(admin.post(path, {}, at=path).text)
    page = admin.post(path, {"new": "1", "transport": "udp"}, at=path).text
    shown = re.search(r'<code id="secret">(\w{16})<', page)
    assert shown is not None
    assert fetch(console, f"{first}/linphone.xml").status_code == 404
    link = link_of(page)
    found = entries(fetch(console, f"{link}/linphone.xml").text)
    assert found["ha1"] == ha1("bob", shown[1], GLOBEX)
    desk = fetch(console, f"{link}/yealink.cfg").text
    assert f"account.1.password = {shown[1]}\n" in desk
    assert f"account.1.sip_server.1.address = {GLOBEX}\n" in desk
    assert f"auth_pass={shown[1]};" in fetch(console, f"{link}/baresip.txt").text
    assert shown[1] not in admin.page(path), "it is shown once"
    assert shown[1] not in admin.page("/audit")
    admin.post("/employees/bob/password", {}, at="/employees/bob")
    assert fetch(console, f"{link}/yealink.cfg").status_code == 404, "there is another password"


@pytest.mark.parametrize("login", ["head", "ann", "bob"])
def test_nobody_but_administrators_sets_up_the_phones_of_others(
    console: Console, login: str
) -> None:
    browser = console.as_(login)
    assert browser.get("/employees/admin/phone").status_code == 403
    sent = browser.post("/employees/admin/phone", {"new": "1"}, at="/my-phone")
    assert sent.status_code == 403
    assert console.as_("admin").get("/employees/nobody/phone").status_code == 404


def company(number: int, name: str, *employees: Employee) -> DomainConfig:
    people = {each.login: each for each in employees}
    zone = ZoneInfo("UTC")
    return DomainConfig(number, name, "UTC", zone, "RU", "en", True, 1, people, {}, {}, {})


def test_a_link_counts_for_its_time_its_company_and_its_password() -> None:
    clock = ManualClock()
    links = Provisioning(clock)
    ann = Employee(1, "ann", "701", "Ann", ha1_login=Ha1Pair("a" * 32))
    acme = company(1, ACME, ann)
    other = company(2, GLOBEX, ann)
    token = links.give(Line(acme, ann, SERVER))
    assert links.company_of(token) == 1
    assert links.line(token, acme) == Line(acme, ann, SERVER)
    assert links.line(token, other) is None
    assert links.line(token, company(1, ACME)) is None, "who is gone has no phone"
    clock.advance(LIFE_S)
    assert links.line(token, acme) is None
    assert links.company_of("") == 0
