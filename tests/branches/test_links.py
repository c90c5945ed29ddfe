"""A connection to another PBX where something else answers: said for what it is, nothing kept."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from vpbx.branches import BranchSecrets
from vpbx.branches.links import BranchLinks
from vpbx.branches.proof import derive, proof
from vpbx.clock import ManualClock
from vpbx.db import Database
from vpbx.directory import Branch, BranchStatus, Directory, Secrets

KEY = "16faeb17-be58-43e8-be9f"
ONE, TWO = "one.example", "two.example"
PEOPLE = json.dumps({"people": [{"login": "mallory", "name": "M", "ext": "711"}], "sip": ""})

Sync = Callable[[], Awaitable[Branch]]


class Peer:
    """What answers at the other side's address: as `challenge` and `exchange` say."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.challenge: Callable[[], web.StreamResponse] = lambda: web.json_response(
            {"challenge": "1.a.b"}
        )
        self.exchange: Callable[[dict[str, str]], web.StreamResponse] = self.answer
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        """What happens while it makes up its mind."""

    def answer(self, told: dict[str, str], content: str = PEOPLE, key: str = KEY) -> web.Response:
        """Answer as who holds `key`."""
        given = {name: told[name] for name in ("challenge", "counter")}
        body = content.encode()
        made = proof(derive(key, ONE, TWO), by=TWO, to=ONE, content=body, **given)
        return web.json_response({"proof": made, "content": content})

    async def on_challenge(self, request: web.Request) -> web.StreamResponse:
        if self.meanwhile is not None:
            await self.meanwhile()
        return self.challenge()

    async def on_exchange(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        return self.exchange(self.asked[-1])


@pytest.fixture
async def peer() -> AsyncIterator[tuple[Peer, str]]:
    made, app = Peer(), web.Application()
    app.router.add_post("/branch/v1/challenge", made.on_challenge)
    app.router.add_post("/branch/v1/exchange", made.on_exchange)
    async with TestServer(app) as server:
        yield made, f"http://127.0.0.1:{server.port}"


@pytest.fixture
async def directory(sqlite_database: Database, tmp_path: Path) -> AsyncIterator[Directory]:
    opened = Directory(sqlite_database, secrets=Secrets.from_file(tmp_path / "key"))
    await opened.start()
    yield opened
    await opened.stop()


@pytest.fixture
async def links(directory: Directory, peer: tuple[Peer, str]) -> BranchLinks:
    """What looks after one connection, to the peer."""
    await directory.companies.add(ONE, "Europe/Moscow", "adm1n-pass")
    domain = await directory.domain(ONE)
    assert domain is not None
    await directory.branches.add(domain, {"domain": TWO, "name": "Two", "key": KEY})
    await directory.branches.set_address(domain, TWO, {"url": peer[1]})
    return BranchLinks(
        directory, ManualClock(), BranchSecrets(directory), lambda: "", lambda name: frozenset()
    )


@pytest.fixture
def sync(directory: Directory, links: BranchLinks) -> Sync:
    """Exchange with the peer, and say how the connection stands."""

    async def exchange() -> Branch:
        current = await directory.domain(ONE)
        assert current is not None
        return await links.sync(current, TWO)

    return exchange


def html(status: int) -> web.Response:
    return web.Response(status=status, text="<html>It works!</html>", content_type="text/html")


def text(body: str | bytes, **headers: str) -> web.Response:
    data = body if isinstance(body, bytes) else body.encode()
    return web.Response(body=data, headers={"Content-Type": "application/json", **headers})


def redirected() -> web.Response:
    return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/secret"})


async def test_who_holds_the_key_is_believed(sync: Sync) -> None:
    done = await sync()
    assert (done.status, [each.login for each in done.members]) == (
        BranchStatus.SUCCESS,
        ["mallory"],
    )


async def test_a_connection_that_is_deleted_while_it_fails_is_no_fault(
    directory: Directory, sync: Sync, peer: tuple[Peer, str]
) -> None:
    domain = await directory.domain(ONE)
    assert domain is not None
    peer[0].challenge = lambda: html(500)
    peer[0].meanwhile = lambda: directory.branches.delete(domain, TWO)
    assert (await sync()).domain == TWO  # as it was; raises nothing
    assert (await directory.current(domain)).settings.branches == {}


async def test_an_address_that_changes_during_an_exchange_is_tried_at_once(
    directory: Directory, links: BranchLinks, peer: tuple[Peer, str]
) -> None:
    domain = await directory.domain(ONE)
    assert domain is not None
    tried = asyncio.Event()

    async def challenge(request: web.Request) -> web.StreamResponse:
        tried.set()
        return html(404)

    app = web.Application()
    app.router.add_post("/branch/v1/challenge", challenge)
    async with TestServer(app) as elsewhere:
        url = f"http://127.0.0.1:{elsewhere.port}"

        async def move() -> None:
            await directory.branches.set_address(domain, TWO, {"url": url})

        peer[0].meanwhile = move
        links.start()
        try:
            async with asyncio.timeout(30):
                await tried.wait()
        finally:
            await links.stop()


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (lambda: html(200), "no vpbx"),
        (lambda: html(404), "it answers 404"),
        (lambda: html(500), "it answers 500"),
        (redirected, "it answers 302"),
        (lambda: text("[1]"), "no vpbx"),
        (lambda: text("[" * 100_000), "no vpbx"),
        (lambda: text('{"challenge": {"a": 1}}'), "no vpbx"),
        (lambda: text(gzip.compress(b"{}" * 9999), **{"Content-Encoding": "gzip"}), "no vpbx"),
        (lambda: text(b" " * (5 << 20)), "too long"),
        (lambda: web.json_response({"reason": "slower"}, status=429), "it answers 429 slower"),
    ],
)
async def test_what_is_no_pbx_is_said_to_be_none(
    sync: Sync, peer: tuple[Peer, str], what: Callable[[], web.Response], reason: str
) -> None:
    peer[0].challenge = what
    done = await sync()
    assert (done.status, done.members) == (BranchStatus.WAITING, ())
    assert reason in done.reason
    assert peer[0].asked == []  # and was told nothing


@pytest.mark.parametrize(
    "how", ["another key", "repeated", "our own proof", "changed", "none", "surrogates"]
)
async def test_what_proves_nothing_changes_nothing(
    sync: Sync, peer: tuple[Peer, str], how: str
) -> None:
    """Replayed, reflected, altered: the connection is an error, its people are those of before."""
    made = peer[0]
    before = await sync()
    assert before.status is BranchStatus.SUCCESS
    forged = PEOPLE.replace("mallory", "eve")

    def exchange(told: dict[str, str]) -> web.Response:
        answers: dict[str, Any] = {
            "another key": lambda: made.answer(told, forged, "another-key-of-theirs"),
            "repeated": lambda: made.answer(made.asked[0], forged),
            "our own proof": lambda: web.json_response(
                {"proof": told["proof"], "content": told["content"]}
            ),
            "changed": lambda: text(made.answer(told).text.replace("mallory", "eve")),  # type: ignore[union-attr]
            "none": lambda: web.json_response({"content": forged}),
            "surrogates": lambda: text('{"proof": "\\ud800", "content": "\\ud800"}'),
        }
        made_up: web.Response = answers[how]()
        return made_up

    made.exchange = exchange
    done = await sync()
    assert done.status is BranchStatus.ERROR
    assert [each.login for each in done.members] == ["mallory"]
    assert ("prove the key" in done.reason) is (how != "surrogates")


async def test_a_directory_that_is_none_is_an_error_though_it_is_proved(
    sync: Sync, peer: tuple[Peer, str]
) -> None:
    peer[0].exchange = lambda told: peer[0].answer(told, "[]")
    done = await sync()
    assert done.status is BranchStatus.ERROR
    assert "no directory" in done.reason
