"""HTTP listeners inside the server's loop."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from vpbx.app import DataDir
from vpbx.app.certificate import Identities
from vpbx.app.http import AsgiApp, HttpListener, with_metrics
from vpbx.config import Endpoint, ServeConfig


def saying(text: bytes) -> AsgiApp:
    async def app(scope, receive, send):  # type: ignore[no-untyped-def]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text})

    return app


async def get(url: str, tls: ssl.SSLContext | bool = True) -> str:
    async with aiohttp.ClientSession() as session, session.get(url, ssl=tls) as answer:
        return await answer.text()


async def test_listener_on_port_0_says_which_it_got_and_answers() -> None:
    listener = HttpListener(Endpoint("127.0.0.1", 0))
    listener.bind()
    await listener.start(saying(b"hello"))
    assert await get(f"http://{listener.endpoint}/") == "hello"
    await listener.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await get(f"http://{listener.endpoint}/")


async def test_listener_speaks_tls_with_the_servers_certificate(tmp_path: Path) -> None:
    DataDir(tmp_path).prepare()
    tls = Identities(ServeConfig(data=tmp_path)).context
    trust = ssl.create_default_context(cafile=tmp_path / "tls" / "certificate.pem")
    listener = HttpListener(Endpoint("127.0.0.1", 0), tls=tls)
    listener.bind()
    await listener.start(saying(b"hello"))
    assert await get(f"https://{listener.endpoint}/", trust) == "hello"
    await listener.stop()


async def test_taken_port_raises_at_once() -> None:
    first = HttpListener(Endpoint("127.0.0.1", 0))
    first.bind()
    with pytest.raises(OSError, match="in use"):
        HttpListener(first.endpoint).bind()
    await first.stop()


async def test_request_that_never_ends_does_not_delay_the_stop() -> None:
    reached = asyncio.Event()

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]
        reached.set()
        await asyncio.sleep(60)

    listener = HttpListener(Endpoint("127.0.0.1", 0))
    listener.bind()
    await listener.start(app)
    request = asyncio.create_task(get(f"http://{listener.endpoint}/"))
    await reached.wait()
    async with asyncio.timeout(30):
        await listener.stop()
    assert await request == "Internal Server Error"


async def test_metrics_are_shown_to_this_machine() -> None:
    registry = CollectorRegistry()
    Counter("vpbx_things", "Things", registry=registry).inc()
    app = with_metrics(saying(b"app"), registry)
    listener = HttpListener(Endpoint("127.0.0.1", 0))
    listener.bind()
    await listener.start(app)
    assert "vpbx_things_total 1.0" in await get(f"http://{listener.endpoint}/metrics")
    assert await get(f"http://{listener.endpoint}/other") == "app"
    await listener.stop()


@pytest.mark.parametrize(
    ("client", "headers"),
    [("203.0.113.5", []), ("127.0.0.1", [(b"x-forwarded-for", b"203.0.113.5")])],
)
async def test_metrics_are_hidden_from_others(
    client: str, headers: list[tuple[bytes, bytes]]
) -> None:
    sent = []

    async def send(message):  # type: ignore[no-untyped-def]
        sent.append(message)

    scope = {"type": "http", "path": "/metrics", "client": (client, 1), "headers": headers}
    await with_metrics(saying(b"app"), CollectorRegistry())(scope, None, send)  # type: ignore[arg-type]
    assert sent[-1]["body"] == b"app"
