"""Asking the CRM who is calling, within the domain's limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from tests.crm.world import TOKEN, Behaviour, Crm, close, domain, hang, integration, status
from vpbx.crm import Contacts, CrmClient, Formats
from vpbx.crm.contact import MAX_NAME, parse_contact
from vpbx.directory import Commands, Contact, DomainConfig


def says(body: bytes, content_type: str = "application/json") -> Behaviour:
    async def behave(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
        return web.Response(body=body, content_type=content_type)

    return behave


class Asking:
    def __init__(self, crm: Crm, client: CrmClient) -> None:
        self.crm = crm
        self.answered: list[tuple[int, str]] = []
        self.contacts = Contacts(client, lambda *who: self.answered.append(who))

    async def ask(self, company: DomainConfig | None = None) -> Contact | None:
        company = company or domain(integration(self.crm.url))
        return await self.contacts.contact(company, "79101234567", "33274237", "74957654321")


@pytest.fixture
async def asking(crm: Crm) -> AsyncIterator[Asking]:
    client = CrmClient(Formats(), timeout_s=90)
    await client.start()
    yield Asking(crm, client)
    await client.close()


async def test_the_question_and_the_answer(asking: Asking) -> None:
    asking.crm.behave = says(b'{"contact_name": "Manager Furniture", "responsible": "admin"}')
    assert await asking.ask() == Contact("Manager Furniture", "admin")
    (came,) = asking.crm.taken
    assert came == {
        "cmd": "contact",
        "crm_token": TOKEN,
        "phone": "79101234567",
        "callid": "33274237",
        "diversion": "74957654321",
    }
    assert asking.answered == [(1, "main")]


@pytest.mark.parametrize(
    ("body", "contact"),
    [
        (b"{}", None),
        (b"", None),
        (b"[]", None),
        (b'"Manager"', None),
        (b"null", None),
        (b"<html>", None),
        (b'{"contact_name": "A', None),
        (b"\xff\xfe\xfa", None),
        (b"[" * 60_000, None),
        (b'{"contact_name": null, "responsible": ""}', None),
        (b'{"contact_name": ["A"], "responsible": {"x": 1}}', None),
        (b'{"contact_name": true}', None),
        (b'{"contact_name": "A"}', Contact("A", "")),
        (b'{"responsible": 701}', Contact("", "701")),
        (b'\xef\xbb\xbf{"contact_name": "BOM"}', Contact("BOM", "")),
        ('{"contact_name": "Вася «Пупкин»"}'.encode(), Contact("Вася «Пупкин»", "")),
        (
            b'{"contact_name": " A\\r\\nVia: x\\t\\u0000\\u202eB ", "x": 1}',
            Contact("A Via: x B", ""),
        ),
        (b'{"contact_name": "\\ud800A"}', Contact("A", "")),
    ],
)
def test_answers_are_read_kindly_and_cleaned(body: bytes, contact: Contact | None) -> None:
    assert parse_contact(body) == contact


@pytest.mark.parametrize(
    "body",
    [
        b"{contact_name: 'Ann Smith', responsible: 'olga'}",
        b"{'contact_name': 'Ann Smith', 'responsible': 'olga'}",
        b'{contact_name: "Ann Smith", responsible: "olga",}',
        b"{contact_name:'Ann Smith',responsible:olga}",
        b"{contact_name = 'Ann Smith'; responsible = 'olga'}",
        b"\xef\xbb\xbf  {\r\n\tcontact_name: Ann Smith,\r\n\tresponsible: olga\r\n}\r\n",
        b"{\"contact_name\": 'Ann Smith', responsible: \"olga\", tags: [1, {a: 'x'}], x: {y: 1}}",
        b"{'contact_name': 'Ann\\u0020Smith', 'responsible': 'olga', 'vip': true, 'sum': 1.5}",
    ],
)
def test_json_not_by_the_book_is_read(body: bytes) -> None:
    """Unquoted names, single quotes, commas too many, as PHP and hand-made answers have them."""
    assert parse_contact(body) == Contact("Ann Smith", "olga")


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"{contact_name: 'O\\'Hara'}", "O'Hara"),
        (b'{contact_name: "O\'Hara"}', "O'Hara"),
        (b"{contact_name: '12:30'}", "12:30"),
        (b"{responsible: 701, contact_name: ''}", ""),
        ("{contact_name: 'Вася, «ООО»'}".encode(), "Вася, «ООО»"),
        ("{contact_name: 'Вася'}".encode("windows-1251"), "Вася"),
        (b"{contact_name: 'A', contact_name: 'B'}", "B"),
    ],
)
def test_what_stands_in_quotes_stays_as_it_is(body: bytes, name: str) -> None:
    contact = parse_contact(body)
    assert contact is not None
    assert contact.name == name


@pytest.mark.parametrize(
    "body",
    [
        b"{contact_name: 'Ann",
        b"{contact_name 'Ann'}",
        b"contact_name: 'Ann'",
        b"<b>{contact_name: 'Ann'}</b>",
        b"{: 'Ann'}",
        b"{contact_name:}",
        b"{" * 60_000,
        b"{contact_name: " + b"'" * 60_001,
        b"{x: " + b"\\" * 60_000,
    ],
)
def test_what_cannot_be_meant_says_nothing_and_takes_no_time(body: bytes) -> None:
    assert parse_contact(body) is None


@pytest.mark.parametrize("charset", ["punycode", "utf-7", "klingon"])
def test_a_charset_that_nobody_should_name_is_not_used(charset: str) -> None:
    """Some of them take a second of the loop for 64 KiB, or make halves of characters."""
    body = b"{contact_name: 'Ann +AGE-'}-dma"
    assert parse_contact(body, charset) == Contact("Ann +AGE-", "")


def test_the_charset_that_is_named_counts() -> None:
    body = "{'contact_name': 'Вася'}".encode("koi8-r")
    assert parse_contact(body, "koi8-r") == Contact("Вася", "")
    assert parse_contact("{'contact_name': 'Вася'}".encode(), "no-such") == Contact("Вася", "")


async def test_an_answer_not_by_the_book_reaches_the_call(asking: Asking) -> None:
    asking.crm.behave = says(b"{contact_name: 'Ann Smith', responsible: olga}", "text/plain")
    assert await asking.ask() == Contact("Ann Smith", "olga")


def test_a_long_name_is_cut() -> None:
    contact = parse_contact(b'{"contact_name": "' + b"x" * 5000 + b'"}')
    assert contact is not None
    assert len(contact.name) == MAX_NAME


async def test_json_sent_as_html_is_taken(asking: Asking) -> None:
    asking.crm.behave = says(b'{"contact_name": "A"}', "text/html")
    assert await asking.ask() == Contact("A", "")


@pytest.mark.parametrize("behave", [status(500), status(302), status(204), close, says(b"oops")])
async def test_wrong_answers_are_no_answer(asking: Asking, behave: Behaviour) -> None:
    asking.crm.behave = behave
    assert await asking.ask() is None


async def test_a_late_answer_is_no_answer_and_takes_no_longer_than_the_limit(
    asking: Asking,
) -> None:
    asking.crm.behave = hang
    company = domain(integration(asking.crm.url), contact_timeout_s=0.1)
    async with asyncio.timeout(30):
        assert await asking.ask(company) is None
    assert asking.answered == []


async def test_the_second_format_counts_into_the_limit(asking: Asking) -> None:
    async def refuse_then_hang(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
        if request.content_type == "application/json":
            return await hang(request, fields)
        return web.Response(status=415)

    asking.crm.behave = refuse_then_hang
    company = domain(integration(asking.crm.url), contact_timeout_s=0.2)
    async with asyncio.timeout(30):
        assert await asking.ask(company) is None
    assert len(asking.crm.came) == 2


async def test_a_crm_that_is_not_to_be_asked_is_not(asking: Asking) -> None:
    url = asking.crm.url
    assert await asking.ask(domain(None)) is None
    assert await asking.ask(domain(integration(url, enabled=False))) is None
    assert await asking.ask(domain(integration(url, commands=Commands(contact=False)))) is None
    assert asking.crm.came == []


async def test_a_silent_crm_is_logged_once_without_its_secrets(
    asking: Asking, capsys: pytest.CaptureFixture[str]
) -> None:
    asking.crm.behave = status(500)
    for _ in range(3):
        await asking.ask()
    asking.crm.behave = says(b"{}")
    for _ in range(3):
        await asking.ask()
    said = capsys.readouterr().out
    assert said.count("does not say who is calling") == 1
    assert said.count("says who is calling again") == 1
    assert TOKEN not in said
