"""Passkeys as the second factor, in a real Chromium with an authenticator inside it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.conftest import ACME, PASSWORD, Console
from tests.console.test_login import accept, add
from tests.support.chromium import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def authenticator(page: Page) -> None:
    """Give a page a device that makes passkeys and agrees to everything."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasUserVerification": True}
    options |= {"hasResidentKey": True, "isUserVerified": True}
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def log_in(page: Page, base: str, login: str) -> None:
    page.goto(f"{base}/login")
    page.fill("[name=login]", f"{login}@{ACME}")
    page.fill("[name=password]", PASSWORD)
    page.click("button.primary")


def test_a_passkey_is_added_asked_for_and_counts_for_its_owner_only(
    browser: Browser, console: Console
) -> None:
    accept(console.browser(), add(console, "petra"))
    base = console.base.replace("127.0.0.1", "localhost")  # browsers trust it without TLS
    page = browser.new_context().new_page()
    authenticator(page)
    log_in(page, base, "petra")
    expect(page.locator("nav.menu")).to_be_attached()
    page.goto(f"{base}/me/second-factor")
    page.get_by_label("Name of the device").fill("My laptop <b>")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("status")).to_contain_text("passkey is asked for")
    expect(page.get_by_text("My laptop <b>")).to_be_visible()

    page.context.clear_cookies()
    log_in(page, base, "petra")
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    page.goto(f"{base}/me")
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    page.get_by_role("button", name="Use my passkey").click()
    expect(page.locator("nav.menu")).to_be_attached()

    stolen = console.browser()
    assert stolen.log_in("petra").headers["location"] == "/login/code"
    for credential in ("{}", "x", "[]", '{"id": "AAAA"}', '{"id": null, "response": {}}'):
        answer = stolen.post("/login/code", {"credential": credential})
        assert answer.status_code in (403, 429), credential
    assert stolen.get("/me").headers["location"] == "/login/code"

    page.goto(f"{base}/me/second-factor")
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("My laptop <b>")).to_be_hidden()
    assert console.browser().log_in("petra").headers["location"] == "/"


def test_nobody_removes_a_passkey_that_is_not_theirs(console: Console) -> None:
    page = console.as_("head").page("/me/second-factor")
    assert not re.search(r'name="passkey"', page)
    answer = console.as_("head").post(
        "/me/second-factor/passkey/delete", {"passkey": "1"}, at="/me/second-factor"
    )
    assert answer.status_code == 303
