"""Every form of the console is told in the log of changes: who, what, from what to what."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import pyotp
import pytest

from tests.console.conftest import PASSWORD, Browser, Console, soon
from vpbx.console import PAGES
from vpbx.console.page import Door

HERE = "walk.vpbx.example"

QUIET = {
    "/live/{callid}/hangup": "a call of others: test_live",
    "/live/{callid}/transfer": "as above",
    "/live/{callid}/pickup": "as above",
    "/live/{callid}/supervise": "told once the phone is answered: test_live",
    "/history/{callid}/note": "test_notes",
    "/call": "a call: it stands in the history",
    "/widget/session": "what was granted at /widget/enter",
    "/widget/leave": "gives something up",
    "/widget/enter": "test_widget",
    "/me/look": "language and colours of one's own pages",
    "/me/second-factor/passkey": "test_passkeys",
    "/me/second-factor/passkey/delete": "test_passkeys",
    "/phone/pass": "what a page's own phone registers with, every few minutes",
    "/phone/seen": "which of one's own pages is looked at: calls are heard there",
    "/logout": "ends what was told at its begin",
    "/login/code": "test_login",
    "/numbers/{telnum}/hours": "test_calendar",
    "/numbers/{telnum}/special": "test_calendar",
    "/numbers/{telnum}/special/delete": "test_calendar",
    "/numbers/{telnum}/menu/{path}": "test_routes",
    "/numbers/{telnum}/extra": "test_routes",
    "/voicemail/of/{login}/{message}/delete": "test_voicemail",
    "/integration/replay": "nothing was sent here that could be sent again",
}
"""Forms that are told elsewhere, or change nothing that outlives them."""


def _walk(admin: Browser) -> Iterator[tuple[str, str, dict[str, object], str]]:
    """What is sent: the page, the path, the form, and where its form stands."""
    gone = {"name": "walker"}

    def one(path: str, data: dict[str, object], page: str = "", at: str = "") -> Any:
        return page or path, path, data, at

    def last(at: str, pattern: str) -> str:
        return re.findall(pattern, admin.page(at))[-1]

    person = {"name": "Walker", "ext": "787", "role": "user", "position": "Scout"}
    yield one("/employees/new", {"name": "Walker", "login": "walker", "role": "user"})
    them, their = "/employees/{login}", "/employees/walker"
    yield one(their, person, them)
    for each in ("password", "phone", "invite", "revoke"):
        yield one(f"{their}/{each}", {}, f"{them}/{each}", their)
    for each, at in (("/voicemail/users", "/voicemail"), ("/recording/never", "/recording")):
        yield one(each, gone, at=at)
        yield one(f"{each}/delete", gone, at=at)
    yield one("/recording", {"inner": "1"})
    yield one("/blf/users", gone, at="/blf")
    yield one("/blf/users/delete", gone, at="/blf")
    yield one("/restrictions", {"allowed": ["RU"]})
    yield one("/restrictions", {"allowed": ["ALL"]})
    rule = {"whose": "user:walker", "allowed": "RU"}
    yield one("/restrictions/rule", rule, at="/restrictions")
    yield one("/restrictions/rule/delete", rule, at="/restrictions")
    group_of = {"call_order": "ALL", "call_duration": "15", "advanced": "off"}
    yield one("/departments/new", {**group_of, "name": "Walkers", "time": "30"})
    group = last("/departments", r'href="/departments/(?!new)([^"]+)"')
    box = {"name": group}
    yield one("/voicemail/groups", box, at="/voicemail")
    yield one("/voicemail/groups/delete", box, at="/voicemail")
    yield one(
        f"/departments/{group}", {**group_of, "name": "Walked", "time": "60"}, "/departments/{id}"
    )
    yield one(f"/departments/{group}/delete", {}, "/departments/{id}/delete", "/departments/new")
    yield one("/voicemail/settings", {"email": "all@acme.example"}, at="/voicemail")
    yield one("/voicemail/settings", {"email": ""}, at="/voicemail")
    telnum = last("/numbers", r'href="/numbers/(\d+)"')
    number = {"name": "Walked", "type": "user", "user": "walker", "enabled": "1"}
    yield one(f"/numbers/{telnum}", number, "/numbers/{telnum}")
    own = {"telnum": telnum, "whose": "user:walker"}
    yield one("/outgoing", {"telnum": telnum})
    yield one("/outgoing/number", own, at="/outgoing")
    yield one("/outgoing/number/delete", own, at="/outgoing")
    yield one("/blacklist", {"telnum": "79008001199"})
    yield one("/blacklist/delete", {"telnum": "79008001199"}, at="/blacklist")
    yield one("/blacklist/anonymous", {"anonymous": "1"}, at="/blacklist")
    yield one("/blacklist/anonymous", {}, at="/blacklist")
    yield one("/media/music", {"ringback": "calm", "holdmusic": "bright"}, at="/media")
    crm = {"url": "http://127.0.0.1:9/crm", "token": "walker-token", "format": "form"}
    yield one("/integration", crm)
    more = {"name": "second", "url": "http://127.0.0.1:9/2", "token": "t", "history": "1"}
    yield one("/integration/addresses", more)
    address = "/integration/addresses/{name}"
    yield one("/integration/addresses/second", {**more, "url": "http://127.0.0.1:9/3"}, address)
    at = "/integration/addresses"
    yield one("/integration/addresses/second/delete", {}, f"{address}/delete", at)
    card = {"crm_card_url": "https://crm.example/{phone}"}
    yield one("/integration/phone", card, at="/integration")
    yield one("/integration/keys", {"all": "1", "note": "walker"}, at="/integration")
    key = last("/integration", r'name="key" value="(\d+)"')
    yield one("/integration/keys/revoke", {"key": key}, at="/integration")
    other = {"telnum": "74951110099", "name": "W", "domain": "127.0.0.1:9", "login": "w"}
    yield one("/connections", {**other, "password": "their-password"})
    yield one("/connections/switch", {"telnum": "74951110099"}, at="/connections")
    yield one("/connections/delete", {"telnum": "74951110099"}, at="/connections")
    yield one("/connections/address", {"telnum": "74951110098"}, at="/connections")
    yield one("/connections/address/delete", {"telnum": "74951110098"}, at="/connections")
    peer = {"domain": "walker.example", "name": "W", "key": "a-key-of-both-sides"}
    yield one("/branches", peer)
    yield one("/branches/walker.example", {"name": "W2"}, "/branches/{peer}")
    yield one("/branches/walker.example/delete", {}, "/branches/{peer}/delete", "/branches")
    yield one("/safety", {"idle_h": "11", "longest_h": "168"})
    mail = {"to": "a@acme.example", "every": "day", "at": "08:00", "by": "day", "in_time": "20"}
    yield one("/reports/mail", mail)
    [path] = re.findall(r'href="(/reports/mail/\d+)"', admin.page("/reports/mail"))[-1:]
    report = "/reports/mail/{mail}"
    yield one(path, {**mail, "at": "09:00"}, report)
    yield one(f"{path}/send", {}, f"{report}/send", path)
    yield one(f"{path}/delete", {}, f"{report}/delete", path)
    yield one("/my-phone", {"transport": "udp"})
    yield one("/me/calls", {"receives_calls": "1", "call_waiting": "1"}, at="/me")
    yield one(f"{their}/delete", {}, f"{them}/delete", their)


def told(browser: Browser) -> list[list[str]]:
    """Return the lines of the log of changes, newest first."""
    text = browser.get("/audit/export").text
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))[1:]


@pytest.fixture(scope="module")
def admin(console: Console) -> Browser:
    """Return the browser of the administrator of a company that no other test is in."""
    console.pbx.vpbx("domain", "add", HERE)
    console.pbx.vpbx("number", "add", HERE, "74951230077")
    console.pbx.vpbx("domain", "set", HERE, "--language", "en", "--service-branch", "on")
    browser = console.browser(HERE)
    link = console.pbx.vpbx("user", "invite", HERE, "admin")["link"]
    path = "/invite/" + link.rpartition("/")[2]
    soon(lambda: browser.get(path).status_code == 200)
    assert browser.post(path, {"password": PASSWORD, "again": PASSWORD}).status_code == 303
    return browser


def test_every_form_that_changes_something_is_told(admin: Browser) -> None:
    """Each once: whoever adds a page says here how it is used, or why nothing is to be told."""
    walked = set()
    for page, path, data, at in _walk(admin):
        before = len(told(admin))
        answer = admin.post(path, data, at=at)
        assert answer.status_code in (200, 303), (
            path,
            re.findall(r'class="error"[^>]*>([^<]*)', answer.text),
        )
        soon(lambda before=before: len(told(admin)) > before, 20)  # type: ignore[misc]
        assert told(admin)[0][1:4] == [f"admin@{HERE}", "console", "127.0.0.1"], path
        walked.add(page)
    others = {"/login", "/invite/{token}", "/me/password", "/me/sessions", "/me/second-factor"}
    others |= {page.path for page in PAGES if page.door is Door.OPERATOR}
    forms = {page.path for page in PAGES if page.post is not None}
    others |= {path for path in forms if path.startswith("/media")}
    assert forms - walked - others - QUIET.keys() == set()


def test_what_people_change_of_their_own_account_is_told(console: Console, admin: Browser) -> None:
    other = console.browser(HERE)
    other.enter("admin")
    assert other.post("/me/sessions", {"session": "others"}, at="/me").status_code == 303
    secret = re.search(r'name="secret" value="(\w+)"', other.page("/me/second-factor"))
    assert secret is not None
    app = pyotp.TOTP(secret[1])
    sent = {"secret": secret[1], "code": app.now()}
    assert other.post("/me/second-factor", sent).status_code == 303
    new = {"old": PASSWORD, "password": "another horse staple", "again": "another horse staple"}
    assert other.post("/me/password", new, at="/me").status_code == 303
    lines = [line[4:] for line in told(other)]
    assert ["sessions", "all others", ""] in lines
    assert ["codes of an app", "off", "on"] in lines
    assert ["password of the console", "•••", "•••"] in lines
    assert ["password of the console", "invited", "•••"] in lines
