"""A session alone is not enough for what outlives it: the password is asked for again."""

from __future__ import annotations

import asyncio
import re
from html import unescape

import pytest

from tests.console.conftest import ACME, PASSWORD, Browser, Console, said
from vpbx.accounts import Accounts, Refused
from vpbx.accounts.proofs import LASTS_S
from vpbx.app.datadir import DataDir
from vpbx.clock import LoopClock, ManualClock
from vpbx.console import PAGES
from vpbx.console.page import Door
from vpbx.db import Database
from vpbx.directory import Directory, Secrets

ASKS = 'name="confirm-password"'
WEIGHTY = [page for page in PAGES if page.weighty]


async def _token(console: Console, login: str, *, operator: bool) -> str:
    """Open a session the server has seen no password for, as one of before its start is."""
    database = Database.for_data_dir(console.pbx.data)
    folder = DataDir(console.pbx.data)
    directory = Directory(database, secrets=Secrets.from_file(folder.secrets_key))
    await directory.refresh()
    accounts = Accounts(database, directory, LoopClock())
    if operator:
        account = next(who for who in await accounts.operators() if who.login == login)
    else:
        company = await directory.domain(ACME)
        assert company is not None
        account = (await accounts.of_domain(company))[login]
    token = await accounts.open(account, pending=False, address="127.0.0.1", agent="")
    await database.close()
    return token


def left_open(console: Console, login: str, *, operator: bool = False) -> Browser:
    browser = console.browser()
    token = asyncio.run(_token(console, login, operator=operator))
    browser.client.cookies.set("vpbx", token)
    return browser


@pytest.fixture
def admin(console: Console) -> Browser:
    return left_open(console, "admin")


def confirmed(browser: Browser, page: str, path: str, password: str = PASSWORD) -> tuple[int, str]:
    """Fill in the page that asks, as it is, and send it."""
    kept = re.findall(r'<input type="hidden" name="([\w-]+)" value="([^"]*)">', page)
    data = {name: unescape(value) for name, value in kept} | {"confirm-password": password}
    answer = browser.client.post(path, data=data, headers={"Origin": browser.origin})
    return answer.status_code, answer.text


@pytest.mark.parametrize("page", WEIGHTY, ids=lambda page: page.path)
def test_whatever_is_weighty_asks_first(console: Console, admin: Browser, page: object) -> None:
    path = re.sub(r"\{\w+\}", "ann", page.path)  # type: ignore[attr-defined]
    browser, at = admin, "/me"
    if page.door is Door.OPERATOR:  # type: ignore[attr-defined]
        browser = left_open(console, "root", operator=True)
    if "company" in path:
        path = path.replace("/ann", f"/{ACME}")
    answer = browser.post(path, {"role": "admin"}, at=at)
    assert (answer.status_code, ASKS in answer.text) == (403, True)


def test_what_was_typed_is_done_once_the_password_is_right(admin: Browser) -> None:
    values = {"name": 'Dora "the <b>first</b>"', "login": "dora", "role": "user"}
    asked = admin.post("/employees/new", values)
    assert asked.status_code == 403
    assert "<b>first" not in asked.text
    assert admin.get("/employees/dora").status_code == 404
    code, page = confirmed(admin, asked.text, "/employees/new", "not it at all")
    assert (code, "Is not your password" in said(page)) == (403, True)
    assert admin.get("/employees/dora").status_code == 404
    assert confirmed(admin, asked.text, "/employees/new")[0] == 200
    assert values["name"] in unescape(admin.page("/employees/dora"))
    assert admin.post("/employees/dora/delete", {}, at="/employees/dora").status_code == 303, (
        "the password was given just now"
    )


def test_another_browser_of_the_same_person_is_asked_for_itself(
    console: Console, admin: Browser
) -> None:
    asked = admin.post("/me/second-factor/passkey/delete", {"passkey": "0"}, at="/me")
    assert confirmed(admin, asked.text, "/me/second-factor/passkey/delete")[0] == 303
    other = left_open(console, "admin")
    answer = other.post("/me/second-factor/passkey/delete", {"passkey": "0"}, at="/me")
    assert (answer.status_code, ASKS in answer.text) == (403, True)


def test_a_name_is_changed_without_being_asked_and_a_role_is_not(admin: Browser) -> None:
    page = admin.page("/employees/bob")
    ext = re.search(r'name="ext"[^>]*value="(\d*)"', page)
    assert ext is not None
    same = {"name": "Bob", "ext": ext[1], "role": "restricted_user", "email": ""}
    same |= {"receives_calls": "1", "call_waiting": "1"}
    assert admin.post("/employees/bob", same).status_code == 303
    for more in ({"role": "admin"}, {"email": "bob@elsewhere.example"}):
        answer = admin.post("/employees/bob", {**same, **more})
        assert (answer.status_code, ASKS in answer.text) == (403, True), more


def test_who_tries_passwords_is_stopped(console: Console) -> None:
    browser = left_open(console, "head")
    path = "/my-phone"
    page = browser.post(path, {"transport": "udp"}).text
    codes = [confirmed(browser, page, path, f"guess number {n}")[0] for n in range(9)]
    assert codes == [403] * 8 + [429]
    assert confirmed(browser, page, path)[0] == 429, "the right one comes too late, too"


async def test_a_password_counts_for_ten_minutes(sqlite_database: Database) -> None:
    directory, clock = Directory(sqlite_database), ManualClock()
    accounts = Accounts(sqlite_database, directory, clock)
    made = await accounts.invite_operator("root")
    account = await accounts.accept(made.token, PASSWORD)
    token = await accounts.open(account, pending=False, address="192.0.2.1", agent="")
    session = await accounts.session(token)
    assert session is not None
    assert accounts.proofs.is_recent(session.id)
    clock.advance(LASTS_S)
    assert not accounts.proofs.is_recent(session.id)
    with pytest.raises(Refused):
        await accounts.confirm(session, "another one", "192.0.2.1", field="password")
    assert not accounts.proofs.is_recent(session.id)
    await accounts.confirm(session, PASSWORD, "192.0.2.1", field="password")
    clock.advance(LASTS_S - 1)
    assert accounts.proofs.is_recent(session.id)


async def test_a_second_factor_that_is_still_to_come_proves_nothing(
    sqlite_database: Database,
) -> None:
    directory = Directory(sqlite_database)
    accounts = Accounts(sqlite_database, directory, LoopClock())
    made = await accounts.invite_operator("root")
    account = await accounts.accept(made.token, PASSWORD)
    token = await accounts.open(account, pending=True, address="192.0.2.1", agent="")
    session = await accounts.session(token)
    assert session is not None
    assert not accounts.proofs.is_recent(session.id)
