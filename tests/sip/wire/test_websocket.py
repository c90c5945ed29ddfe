"""SIP over WebSocket (RFC 7118): a real HTTP server hands over real connections."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from vpbx.clock import LoopClock
from vpbx.sip.layer import LayerConfig, TransactionLayer
from vpbx.sip.message import Request, make_response
from vpbx.sip.transport import Limits

from .conftest import Users

OPTIONS = (
    "OPTIONS sip:acme.example SIP/2.0\r\n"
    "Via: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks{n}\r\n"
    "From: <sip:ann@acme.example>;tag=1\r\nTo: <sip:acme.example>\r\n"
    "Call-ID: ws-{n}\r\nCSeq: {n} OPTIONS\r\nMax-Forwards: 70\r\n"
    "Contact: <sip:abc@df7jal23ls0d.invalid;transport=ws>\r\nContent-Length: 0\r\n\r\n"
)


@dataclass
class Web:
    """A transaction layer behind an HTTP server."""

    layer: TransactionLayer
    users: Users
    url: str

    def browser(self, **options: Any) -> connect:
        return connect(self.url, **{"subprotocols": ["sip"], **options})


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    users = Users()
    layer = TransactionLayer(
        LayerConfig(
            listens=(), limits=Limits(message_bytes=8000, connections_per_source=3, silent_s=0.4)
        ),
        clock=LoopClock(),
        on_request=users.take,
        on_ack=lambda request, hop: users.acks.append((request, hop)),
        on_stray_response=users.strays.append,
    )
    await layer.start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await layer.serve_websocket(scope, receive, send)

    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, lifespan="off", log_level="critical", ws="websockets-sansio")
    )
    serving = asyncio.create_task(server.serve([sock]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield Web(layer, users, f"ws://127.0.0.1:{sock.getsockname()[1]}/sip")
    await layer.stop()
    server.should_exit = True
    await serving


async def text(browser: ClientConnection) -> str:
    async with asyncio.timeout(30):
        got = await browser.recv()
    return got if isinstance(got, str) else got.decode()


async def test_a_request_of_a_browser_is_answered_on_its_connection(web: Web) -> None:
    web.users.on_request = lambda tx: tx.respond(make_response(tx.request, 200))
    async with web.browser() as browser:
        assert browser.subprotocol == "sip"
        await browser.send(OPTIONS.format(n=1))
        answer = await text(browser)
        await browser.send(OPTIONS.format(n=2).encode())  # a binary message is one as well
        again = await text(browser)
    assert answer.startswith("SIP/2.0 200 OK")
    assert "z9hG4bK56sdasks1" in answer
    assert "z9hG4bK56sdasks2" in again
    assert web.users.requests[0].hop.transport == "ws"


async def test_a_browser_is_reached_by_its_connection_and_by_nothing_else(web: Web) -> None:
    failed: list[str] = []

    class Hears:
        def on_response(self, tx: object, response: object) -> None: ...
        def on_timeout(self, tx: object) -> None: ...
        def on_transport_error(self, tx: object, reason: str) -> None:
            failed.append(reason)

    async with web.browser() as browser:
        await browser.send(OPTIONS.format(n=1))
        async with asyncio.timeout(30):
            while not web.users.requests:
                await asyncio.sleep(0.01)
        hop = web.users.requests[0].hop
        invite = Request("MESSAGE", "sip:abc@df7jal23ls0d.invalid;transport=ws")
        for name, value in (
            ("From", "<sip:pbx@acme.example>;tag=2"),
            ("To", "<sip:ann@acme.example>"),
            ("Call-ID", "out"),
            ("CSeq", "1 MESSAGE"),
        ):
            invite.headers.add(name, value)
        web.layer.request(invite, hop, Hears())  # type: ignore[arg-type]
        received = await text(browser)
        assert received.startswith("MESSAGE sip:abc@df7jal23ls0d.invalid;transport=ws SIP/2.0\r\n")
        assert "Via: SIP/2.0/WS " in received
    async with asyncio.timeout(30):
        while web.layer.ping(hop):
            await asyncio.sleep(0.01)
    web.layer.request(invite, hop, Hears())  # type: ignore[arg-type]
    async with asyncio.timeout(30):
        while not failed:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("subprotocols", [None, ["chat"]])
async def test_one_that_does_not_speak_sip_is_refused(
    web: Web, subprotocols: list[str] | None
) -> None:
    with pytest.raises(InvalidStatus):
        async with web.browser(subprotocols=subprotocols):
            pass


async def test_keep_alives_are_answered(web: Web) -> None:
    async with web.browser() as browser:
        await browser.send(OPTIONS.format(n=1))
        await browser.send("\r\n\r\n")
        assert await text(browser) == "\r\n"
        await browser.send("\r\n")
        await (await browser.ping())


async def test_limits_hold_for_browsers_too(web: Web) -> None:
    """One who says nothing, one who says too much, and too many from one place."""
    async with web.browser() as silent:
        with pytest.raises(ConnectionClosed):
            await text(silent)
    async with web.browser() as loud:
        await loud.send("X" * 9000)
        with pytest.raises(ConnectionClosed):
            await text(loud)
        assert loud.close_code == 1009
    async with web.browser() as one, web.browser() as two, web.browser() as three:
        for browser in (one, two, three):
            await browser.send(OPTIONS.format(n=9))
        with pytest.raises(InvalidStatus):
            async with web.browser():
                pass


async def test_rubbish_harms_nobody(web: Web) -> None:
    web.users.on_request = lambda tx: tx.respond(make_response(tx.request, 200))
    async with web.browser() as browser:
        for rubbish in ("hello", "\0" * 100, b"\xff\xfe", "INVITE sip:x SIP/2.0\r\n\r\n", ""):
            await browser.send(rubbish)
        await browser.send(OPTIONS.format(n=5))
        async with asyncio.timeout(30):
            while "ws-5" not in await text(browser):
                pass
