"""What the softphone asks of the server, without a browser."""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.console.conftest import ACME, Browser, Console
from tests.console.test_login import accept, add


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


def md5(*parts: str) -> str:
    return hashlib.md5(":".join(parts).encode()).hexdigest()


class Page:
    """What the phone in a page does in SIP, over UDP."""

    def __init__(self, console: Console, made: dict[str, Any]) -> None:
        self._made = made
        host, _, port = console.pbx.sip.rpartition(":")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(10)
        self._socket.connect((host, int(port)))
        self._count = 0

    def close(self) -> None:
        self._socket.close()

    def register(self) -> int:
        """REGISTER as one who is challenged does; return the last answer's code."""
        asked = self._ask("")
        nonce = re.search(r'nonce="([^"]+)"', asked)
        assert nonce is not None, asked
        made, uri = self._made, f"sip:{self._made['realm']}"
        first = md5(made["username"], made["realm"], made["password"])
        right = md5(first, nonce[1], "00000001", "c", "auth", md5("REGISTER", uri))
        answer = self._ask(
            f'Authorization: Digest username="{made["username"]}", realm="{made["realm"]}", '
            f'nonce="{nonce[1]}", uri="{uri}", response="{right}", qop=auth, nc=00000001, '
            'cnonce="c"\r\n'
        )
        return int(answer.split()[1])

    def _ask(self, more: str) -> str:
        self._count += 1
        own, name = self._made["uri"], f"{id(self)}{self._count}"
        port = self._socket.getsockname()[1]
        self._socket.send(
            (
                f"REGISTER sip:{self._made['realm']} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{name};rport\r\n"
                f"Max-Forwards: 70\r\nFrom: <{own}>;tag=1\r\nTo: <{own}>\r\n"
                f"Call-ID: {id(self)}\r\nCSeq: {self._count} REGISTER\r\n"
                f"Contact: <sip:p@127.0.0.1:{port}>\r\nExpires: 600\r\n{more}"
                "Content-Length: 0\r\n\r\n"
            ).encode()
        )
        return self._socket.recv(65_535).decode()


@contextmanager
def page_of(console: Console, browser: Browser) -> Iterator[Page]:
    headers = {"Origin": browser.origin, "X-CSRF": token(browser.page("/me"))}
    page = Page(console, browser.client.post("/phone/pass", headers=headers).json())
    try:
        yield page
    finally:
        page.close()


def state_of_guest(console: Console) -> str:
    contacts = console.as_("ann").get("/phone/contacts").json()
    return str(next(contact["state"] for contact in contacts if contact["name"] == "Guest"))


def test_a_phone_ends_with_its_session_however_that_ends(console: Console) -> None:
    assert accept(console.browser(), add(console, "guest")) == 303
    taken, own = console.browser(), console.browser()
    taken.enter("guest")
    own.enter("guest")
    with page_of(console, taken) as page:
        assert page.register() == 200
        assert state_of_guest(console) == "free"
        assert own.post("/me/sessions", {"session": "others"}, at="/me").status_code == 303
        assert page.register() == 401
        assert state_of_guest(console) == "off"
    with page_of(console, own) as page:
        assert page.register() == 200
        assert own.post("/logout", {}, at="/me").status_code == 303
        assert page.register() == 401
    assert state_of_guest(console) == "off"


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


def test_a_page_says_that_it_is_looked_at_only_for_itself(console: Console) -> None:
    ann = console.as_("ann")
    headers = {"Origin": ann.origin, "X-CSRF": token(ann.page("/me"))}
    told = {"page": "a", "loud": "1", "looked": "1"}
    assert ann.client.post("/phone/seen", headers=headers, data=told).status_code == 204
    assert ann.client.post("/phone/seen", headers=headers, data={"page": "x" * 500}).is_success
    without = {"Origin": ann.origin}
    assert ann.client.post("/phone/seen", headers=without, data=told).status_code == 403


def test_a_page_without_a_sound_asks_whether_it_is_its_turn(console: Console) -> None:
    ann = console.as_("ann")
    assert ann.get("/phone/heard?page=one").json() == {"heard": True}
    assert console.browser().get("/phone/heard?page=one").status_code == 303


def test_calls_are_shown_on_the_desktop_by_a_script_of_our_own(console: Console) -> None:
    """A service worker, which browsers take from our address alone, as JavaScript."""
    script = console.browser().client.get("/phone-worker.js")
    assert script.status_code == 200
    assert script.headers["content-type"].startswith("text/javascript")
    assert "notificationclick" in script.text
    assert "fetch" not in script.text, "it has no say in what pages load"
