"""Every page in a real Chromium, in both languages: it works, keeps nobody out, and asks no
other server for anything."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

from tests.console.conftest import ACME, GLOBEX, PASSWORD, Console
from tests.support.chromium import (
    AXE,
    ROOT,
    SCREENSHOTS,
    another,
    barriers,
    chromium,
    cramped,
    shoot,
)
from vpbx.console import PAGES

MENU = [page.path for page in PAGES if page.label]
OPERATORS = ("/operator", "/operator/new", "/operator/trunks", "/operator/changes")
TELNUM, TELNUM_HERE = "74951234568", "74951234564"
"""Numbers of the other company, whose pages are looked at, and of the first."""
MORE = [
    *("/employees/new", "/employees/ann", "/me/second-factor", "/departments/new"),
    "/reports/mail",
    "/media/text",
    "/voicemail/of/ann",
    *(f"/numbers/{TELNUM}", f"/numbers/{TELNUM}/menu/work", f"/numbers/{TELNUM}/calendar"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not AXE.exists():  # a tree that was not set up by make
        subprocess.run([sys.executable, ROOT / "scripts/assets.py"], check=True)
    with chromium() as opened:
        yield opened


@contextmanager
def tab(browser: Browser, console: Console, host: str, state: Any = None) -> Iterator[Page]:
    """Open a tab; what went wrong in it, and what it asked of others, is a failure at its end."""
    base = console.base.replace("127.0.0.1", host)
    context = browser.new_context(
        base_url=base, viewport={"width": 1280, "height": 800}, storage_state=state
    )
    page = context.new_page()
    wrong: list[str] = []

    def asked(request: Request) -> None:
        if not request.url.startswith((base, "data:", "blob:")):
            wrong.append(request.url)

    def told(line: ConsoleMessage) -> None:
        if line.type == "error" and "status of 400" not in line.text:
            wrong.append(line.text)

    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", told)
    page.on("request", asked)
    yield page
    context.close()
    assert wrong == []


@pytest.fixture
def page(browser: Browser, console: Console) -> Iterator[Page]:
    with tab(browser, console, ACME) as opened:
        yield opened


@pytest.fixture(scope="module")
def state(browser: Browser, console: Console) -> Any:
    """What the browser of the other company's administrator holds, once logged in."""
    with tab(browser, console, GLOBEX) as page:
        log_in(page)
        return page.context.storage_state()


def log_in(page: Page, login: str = "admin") -> None:
    page.goto("/login")
    page.fill("[name=login]", login)
    page.fill("[name=password]", PASSWORD)
    page.click("button.primary")
    expect(page.locator("nav.menu")).to_be_attached()


def test_the_login_keeps_nobody_out_in_both_languages(page: Page) -> None:
    for language in ("en", "ru"):
        page.goto(f"/login?lang={language}")
        expect(page.locator("html")).to_have_attribute("lang", language)
        assert barriers(page) == []
        shoot(page, f"login-{language}")
    page.goto("/login?lang=en")


@pytest.mark.parametrize("path", [*MENU, *MORE])
def test_each_page_keeps_nobody_out(
    browser: Browser, console: Console, state: Any, path: str
) -> None:
    with tab(browser, console, GLOBEX, state) as page:
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200
        expect(page.locator("h1").first).to_be_visible()
        assert barriers(page) == []
        assert cramped(page) == []
        here = page.locator("nav.menu a[aria-current]")
        assert here.count() <= 1, "one place at a time"
        shoot(page, name_of(path))
        page.emulate_media(color_scheme="dark")
        assert barriers(page) == [], "in dark colours"


def test_the_operators_pages_keep_nobody_out_in_both_languages(
    browser: Browser, console: Console
) -> None:
    """Also on a phone."""
    token = console.pbx.vpbx("operator", "add", "looker")["link"].rpartition("/")[2]
    sent = {"password": PASSWORD, "again": PASSWORD}
    assert console.browser().post(f"/invite/{token}", sent).status_code == 303
    with tab(browser, console, ACME) as page:
        page.goto("/login?as=operator")
        page.fill("[name=login]", "looker")
        page.fill("[name=password]", PASSWORD)
        page.click("button.primary")
        expect(page.locator("h1").first).to_be_visible()
        for language, colours in (("en", "light"), ("ru", "dark")):
            for path in (*OPERATORS, f"/operator/company/{GLOBEX}"):
                page.emulate_media(color_scheme=colours)
                page.goto(path)
                expect(page.locator("html")).to_have_attribute("lang", language)
                expect(page.locator("h1").first).to_be_visible()
                assert barriers(page) == []
                shoot(page, f"{name_of(path)}-{language}")
                width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert width <= 0, path
            page.goto("/me")
            page.select_option("[name=language]", "ru")
            page.locator("form[action='/me/look'] button").click()
            expect(page.locator("html")).to_have_attribute("lang", "ru")
            page.set_viewport_size({"width": 390, "height": 800})


def test_each_page_speaks_russian_and_fits_a_phone(page: Page) -> None:
    log_in(page)
    page.goto("/me")
    page.select_option("[name=language]", "ru")
    page.locator("form[action='/me/look'] button").click()
    expect(page.locator("html")).to_have_attribute("lang", "ru")
    try:
        page.set_viewport_size({"width": 390, "height": 800})
        for path in [*MENU, *MORE]:
            page.goto(path.replace(TELNUM, TELNUM_HERE))
            expect(page.locator("html")).to_have_attribute("lang", "ru")
            width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert width <= 0, f"{path} is {width} px too wide for a phone"
            assert cramped(page) == [], path
            page.screenshot(path=SCREENSHOTS / f"{name_of(path)}-ru-phone.png", full_page=True)
    finally:
        page.goto("/me")
        page.select_option("[name=language]", "en")
        page.locator("form[action='/me/look'] button").click()


def name_of(path: str) -> str:
    return path.strip("/").replace("/", "-") or "start"


def test_an_employee_is_added_found_changed_and_removed(page: Page) -> None:
    log_in(page)
    page.get_by_role("link", name="Employees").click()
    page.get_by_role("link", name="Add").click()
    page.get_by_label("Name").fill("Zoë Żółć")
    page.get_by_label("Login").fill("zoe")
    page.get_by_label("E-mail").fill("no address")
    page.locator("main form").evaluate("form => form.noValidate = true")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Must be an e-mail address")).to_be_visible()
    expect(page.get_by_label("E-mail")).to_be_focused()
    expect(page.get_by_label("Name")).to_have_value("Zoë Żółć")
    page.get_by_label("E-mail").fill("zoe@acme.example")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#secret")).to_be_visible()
    page.get_by_role("link", name="Done").click()
    page.get_by_label("Search").fill("żółć")
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Zoë Żółć").click()
    expect(page.get_by_label("The mobile rings after")).to_be_hidden()
    page.get_by_label("Calls on the mobile").select_option("too")
    expect(page.get_by_label("The mobile rings after")).to_be_visible()
    page.get_by_label("Mobile", exact=True).fill("+7 912 345-67-89")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("is saved")
    page.get_by_role("link", name="Zoë Żółć").click()
    expect(page.get_by_label("Mobile", exact=True)).to_have_value("79123456789")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("status")).to_contain_text("is removed")
    expect(page.get_by_text("Zoë Żółć", exact=True)).to_have_count(0)


def test_everything_is_reached_by_the_keyboard(page: Page) -> None:
    log_in(page, "ann")
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_text("To the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.set_viewport_size({"width": 390, "height": 800})
    menu = page.get_by_role("button", name="Menu")
    menu.focus()
    page.keyboard.press("Enter")
    link = page.get_by_role("navigation").get_by_role("link", name="My settings")
    expect(link).to_be_visible()
    link.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="My settings")).to_be_visible()
    expect(page.locator("#main")).to_be_focused()


def test_the_menu_of_a_phone_has_all_of_its_entries_within_reach(page: Page) -> None:
    """It is longer than the screen: it scrolls, and is left by Escape or a touch beside it."""
    log_in(page)
    page.set_viewport_size({"width": 390, "height": 700})
    button, menu = page.get_by_role("button", name="Menu"), page.locator("nav.menu")
    button.click()
    expect(menu.locator("a").first).to_be_focused()
    menu.locator("a").last.scroll_into_view_if_needed()
    expect(menu.locator("a").last).to_be_in_viewport(ratio=1)
    page.keyboard.press("Escape")
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(button).to_be_focused()
    button.click()
    page.mouse.click(380, 400)
    expect(button).to_have_attribute("aria-expanded", "false")


def test_a_code_to_scan_is_there_to_its_edges(page: Page) -> None:
    """Three finder patterns and the white around them: without, no app reads it."""
    log_in(page, "head")
    page.goto("/me/second-factor")
    whole = page.locator("svg.qr").bounding_box()
    dark = page.locator("svg.qr path").last.bounding_box()
    assert whole is not None
    assert dark is not None
    for at, size in (("x", "width"), ("y", "height")):
        before = dark[at] - whole[at]
        after = whole[at] + whole[size] - dark[at] - dark[size]
        assert before > 4
        assert abs(before - after) < 2


def test_a_greeting_is_spoken_into_the_browser_and_its_use_is_shown(
    browser: Browser, console: Console
) -> None:
    origin = console.base.replace("127.0.0.1", ACME)
    device = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    secure = f"--unsafely-treat-insecure-origin-as-secure={origin}"
    with another(browser, *device, secure) as speaking, tab(speaking, console, ACME) as page:
        log_in(page)
        page.goto("/media")
        page.get_by_role("button", name="Record here").click()
        expect(page.locator("[data-recorder] [role=status]")).to_have_text("0:01", timeout=20_000)
        assert barriers(page) == []
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("Recorded. Listen, and upload it.")).to_be_visible(timeout=30_000)
        page.select_option("[name=type]", "music")
        page.get_by_label("Name").fill("Spoken")
        page.get_by_role("button", name="Upload").click()
        line = page.locator("tr", has_text="Spoken")
        expect(line).to_contain_text("not used", timeout=30_000)
        path = line.locator("[data-play]").get_attribute("data-play")
        assert path is not None
        sound = console.as_("admin").get(path).content
        assert len(sound) > 4000, "half a second of A-law"
        assert len(set(sound[44:])) > 10, "and no silence"
        file_id = path.split("/")[2]
        page.get_by_role("link", name="Have a text said").click()
        page.get_by_label("Text").fill("…")
        page.get_by_role("button", name="Listen").click()
        told = page.locator("[data-spoken] [role=status]")
        expect(told).to_have_text("Holds nothing that can be said", timeout=30_000)
        page.get_by_label("Text").fill("Good day.")
        page.get_by_role("button", name="Listen").click()
        expect(page.locator("audio.floating")).to_have_attribute(
            "src", re.compile("^blob:"), timeout=30_000
        )
        assert barriers(page) == []
        page.get_by_role("button", name="Save").click()
        said = page.locator("tr", has_text="Good day.")
        expect(said).to_be_visible(timeout=30_000)
        page.once("dialog", lambda dialog: dialog.accept())
        said.get_by_role("button", name="Remove").click()  # others look at this page too
        expect(said).to_have_count(0, timeout=30_000)
        page.select_option("[name=holdmusic]", file_id)
        page.get_by_role("button", name="Save").click()
        expect(line).to_contain_text("On hold and in queues", timeout=30_000)
        page.once("dialog", lambda dialog: dialog.accept())
        line.get_by_role("button", name="Remove").click()
        expect(line).to_have_count(0, timeout=30_000)
