"""Letting the phone into another site: who may, from where, and what its session is good for."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.console.conftest import ACME, GLOBEX, Browser, Console
from tests.console.test_confirm import confirmed, left_open
from vpbx.clock import ManualClock
from vpbx.console.widget import LIFE_S, Asks

SITE = "https://crm.example"


@pytest.fixture(scope="module")
def allowed(console: Console) -> Console:
    form = {"crm_card_url": "", "widget_origins": SITE}
    saved = console.as_("admin").post("/integration/phone", form, at="/integration")
    assert saved.status_code == 303, saved.text
    return console


def waiting(console: Console, browser: Browser) -> tuple[str, str]:
    page = browser.page(f"/widget?origin={SITE}")
    found = re.search(r'data-widget-ask="([\w-]+)" data-widget-secret="([\w-]+)"', page)
    assert found is not None
    return found[1], found[2]


def asks(browser: Browser, code: str, secret: str) -> Any:
    return browser.client.post(
        "/widget/session", data={"code": code, "secret": secret}, headers={"Origin": browser.origin}
    )


def test_only_allowed_sites_may_frame_it_and_nothing_else_may_be_framed(allowed: Console) -> None:
    browser = allowed.browser()
    answer = browser.get(f"/widget?origin={SITE}")
    assert answer.status_code == 200
    assert f"frame-ancestors {SITE}" in answer.headers["content-security-policy"]
    assert "x-frame-options" not in answer.headers
    others = ("https://evil.example", f"{SITE}.evil.example", "*", "", f"{SITE} *", f"{SITE};x")
    for other in others:
        refused = browser.get("/widget", params={"origin": other})
        assert refused.status_code == 403
        assert "frame-ancestors 'none'" in refused.headers["content-security-policy"]
    assert allowed.browser(GLOBEX).get(f"/widget?origin={SITE}").status_code == 403
    assert allowed.as_("ann").get("/me").headers["x-frame-options"] == "DENY"


def test_a_frame_is_given_a_session_for_the_phone_alone(allowed: Console) -> None:
    frame, owner = allowed.browser(), allowed.as_("ann")
    code, secret = waiting(allowed, frame)
    assert asks(frame, code, secret).status_code == 202
    shown = owner.page(f"/widget/enter?code={code}")
    assert SITE in shown
    assert asks(frame, code, "guess").status_code == 410
    done = owner.post("/widget/enter", {"code": code}, at=f"/widget/enter?code={code}")
    assert done.status_code == 200
    given = asks(frame, code, secret)
    assert given.status_code == 200
    cookie = given.headers["set-cookie"]
    assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=None", "Partitioned"))
    assert asks(frame, code, secret).status_code == 410  # once
    token = re.search(r"__Host-vpbx-widget=([^;]+)", cookie)
    assert token is not None
    for name in ("__Host-vpbx-widget", "vpbx", "__Host-vpbx"):
        headers = {"Cookie": f"{name}={token[1]}"}
        fresh = allowed.browser()
        for path in ("/me", "/history", "/", "/my-phone", "/widget/enter?code=x"):
            there = fresh.client.get(path, headers=headers)
            assert there.status_code == 303
            assert "/login" in there.headers["location"]
    headers = {"Cookie": f"__Host-vpbx-widget={token[1]}"}
    fresh = allowed.browser()
    assert "phone-panel" in fresh.client.get(f"/widget?origin={SITE}", headers=headers).text
    assert fresh.client.get("/phone/contacts", headers=headers).status_code == 200
    other = allowed.browser(GLOBEX)
    assert other.client.get("/phone/contacts", headers=headers).status_code == 303
    assert SITE in owner.page("/me")  # among one's sessions
    assert SITE in allowed.as_("admin").page("/audit")


def test_nobody_of_another_company_or_browser_lets_it_in(allowed: Console) -> None:
    code, secret = waiting(allowed, frame := allowed.browser())
    path = f"/widget/enter?code={code}"
    assert allowed.as_("admin", GLOBEX).get(path).status_code == 404
    owner = allowed.as_("ann")
    elsewhere = {"User-Agent": "Another/1.0"}
    assert owner.get(path, headers=elsewhere).status_code == 404
    assert allowed.browser().get(path).headers["location"].startswith("/login?next=")
    evil = {"Origin": SITE}
    assert frame.client.post("/widget/session", data={}, headers=evil).status_code == 403
    assert asks(frame, code, secret).status_code == 202


def test_an_ask_ends_with_its_time_and_of_one_address_there_are_few() -> None:
    clock = ManualClock()
    asks = Asks(clock)
    ask = asks.begin(1, SITE, "192.0.2.1", "Browser")
    assert asks.find(ask.code, 1, "192.0.2.1", "Browser") is ask
    assert asks.find(ask.code, 1, "192.0.2.2", "Browser") is None
    assert asks.find(ask.code, 2, "192.0.2.1", "Browser") is None
    others = [asks.begin(1, SITE, "192.0.2.9", "Browser") for _ in range(100)]
    assert sum(asks.find(o.code, 1, "192.0.2.9", "Browser") is o for o in others) == 30
    assert asks.find(ask.code, 1, "192.0.2.1", "Browser") is ask
    clock.advance(LIFE_S)
    assert asks.find(ask.code, 1, "192.0.2.1", "Browser") is None


def test_the_script_may_be_loaded_by_any_page(console: Console) -> None:
    answer = console.browser(ACME).get("/widget.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "set-cookie" not in answer.headers


def test_a_session_left_open_makes_no_other_without_the_password(allowed: Console) -> None:
    code, secret = waiting(allowed, frame := allowed.browser())
    owner, path = left_open(allowed, "ann"), f"/widget/enter?code={code}"
    asked = owner.post("/widget/enter", {"code": code}, at=path)
    assert asked.status_code == 403
    assert asks(frame, code, secret).status_code == 202
    assert confirmed(owner, asked.text, "/widget/enter")[0] == 200
    assert asks(frame, code, secret).status_code == 200
