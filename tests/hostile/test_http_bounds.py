"""HTTP clients that send too much, too slowly, too many at once, or never end."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import websockets

from vpbx.app import DataDir
from vpbx.app.certificate import Identities
from vpbx.app.http import HttpListener
from vpbx.app.http_bounds import Bounds, Connections, Turnstile, source_of
from vpbx.config import Endpoint, ServeConfig

HEAD = b"GET /a HTTP/1.1\r\nHost: a.example\r\n"
REQUEST = HEAD + b"\r\n"
CHUNKED = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class App:
    """Answers with what it was sent, and remembers how many it answered at once."""

    hold: asyncio.Event | None = None
    seen: list[dict[str, Any]] = field(default_factory=list)
    running: int = 0
    most: int = 0
    size: int = 0
    """Bytes to add to each answer."""
    reads_body: bool = True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (event := await receive())["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": event["text"]})
            return
        self.running += 1
        self.most = max(self.most, self.running)
        self.seen.append(scope)
        try:
            body, more = b"", self.reads_body
            while more:
                event = await receive()
                if event["type"] == "http.disconnect":
                    return
                body, more = body + event["body"], event["more_body"]
            if self.hold is not None:
                await self.hold.wait()
            text = body + b"." * self.size
            length = (b"content-length", str(len(text)).encode())
            await send({"type": "http.response.start", "status": 200, "headers": [length]})
            await send({"type": "http.response.body", "body": text})
        finally:
            self.running -= 1


@dataclass
class Site:
    app: App
    port: int
    connections: Connections
    trust: ssl.SSLContext | None

    async def left_alone(self) -> None:
        """Wait until nobody is connected."""
        async with asyncio.timeout(30):
            while len(self.connections):
                await asyncio.sleep(0.01)

    async def connect(self) -> Client:
        return Client(*await asyncio.open_connection("127.0.0.1", self.port, ssl=self.trust))


class Client:
    """A client that writes bytes and reads answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        """Send, or find out that nobody listens any more."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError:
            pass

    async def answer(self) -> tuple[int, bytes]:
        """Return the status and body of the next answer."""
        async with asyncio.timeout(30):
            head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            return int(head.split()[1]), await self._reader.readexactly(length)

    async def ended(self) -> bool:
        """Wait for the end of the connection; whether nothing came before it."""
        async with asyncio.timeout(30):
            try:
                return not await self._reader.read()
            except OSError:
                return True

    @property
    def is_open(self) -> bool:
        return not (self._reader.at_eof() or self._reader.exception())

    def close(self) -> None:
        self._writer.close()


Start = Callable[..., Any]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start a listener: `await start(app, tls=True, head_s=0.2)`."""
    listeners = []

    async def start_one(app: App | None = None, *, tls: bool = False, **bounds: Any) -> Site:
        context = trust = None
        if tls:
            DataDir(tmp_path).prepare()
            context = Identities(ServeConfig(data=tmp_path)).context
            trust = ssl.create_default_context(cafile=tmp_path / "tls" / "certificate.pem")
        connections = Connections(Bounds(**bounds))
        listener = HttpListener(Endpoint("127.0.0.1", 0), tls=context, connections=connections)
        listener.bind()
        app = app or App()
        await listener.start(app)
        listeners.append(listener)
        return Site(app, listener.endpoint.port, connections, trust)

    yield start_one
    for listener in listeners:
        await listener.stop()


@asynccontextmanager
async def flowing(client: Client, block: bytes) -> AsyncIterator[None]:
    """Keep sending `block` until the end of the context."""

    async def flow() -> None:
        while client.is_open:
            await client.send(block)
            await asyncio.sleep(0)

    task = asyncio.create_task(flow())
    try:
        yield
    finally:
        task.cancel()


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(
    ("first", "block"),
    [
        (HEAD + b"X-Long: ", b"x" * 65536),
        (b"GET /", b"x" * 65536),
        (HEAD, b"X-Many: y\r\n" * 4000),
        (HEAD, b"X:\r\n" * 4000),
        (b"", b"\r\n" * 30000),
        (HEAD + b"X-Long: ", b"x" * 1000),
        (CHUNKED + b"1\r\n{\r\n0\r\n", b"X-Trailer: y\r\n" * 4000),
        (CHUNKED + b"1\r\n{\r\n0\r\nX-Trailer: ", b"y" * 65536),
        (CHUNKED + b"1;extension=", b"y" * 65536),
    ],
    ids=["header", "url", "headers", "empty", "blank", "bits", "trailers", "trailer", "extension"],
)
async def test_what_never_ends_is_refused_and_the_client_can_read_why(
    start: Start, first: bytes, block: bytes, tls: bool
) -> None:
    site = await start(tls=tls)
    client = await site.connect()
    await client.send(first)
    async with flowing(client, block):
        status, body = await client.answer()
        assert status == 431
        assert "too large" in json.loads(body)["message"]
        await client.ended()
    await site.left_alone()


async def test_head_of_60_kib_and_200_headers_pass(start: Start) -> None:
    site = await start()
    client = await site.connect()
    lines = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 300) for i in range(199))
    assert 60_000 < len(lines) < 64 * 1024 - len(HEAD)
    for _ in range(2):
        await client.send(HEAD + lines + b"\r\n")
        assert await client.answer() == (200, b"")
    assert len(site.app.seen[0]["headers"]) == 200


async def test_trailers_are_read_over(start: Start) -> None:
    site = await start()
    client = await site.connect()
    await client.send(CHUNKED + b"3\r\nabc\r\n0\r\nX-API-KEY: k\r\nHost: b\r\n\r\n" + REQUEST)
    assert await client.answer() == (200, b"abc")
    assert await client.answer() == (200, b"")
    assert [name for name, _ in site.app.seen[0]["headers"]] == [b"host", b"transfer-encoding"]


async def test_body_in_chunks_of_one_byte_is_taken(start: Start) -> None:
    site = await start()
    client = await site.connect()
    await client.send(CHUNKED + b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n")
    assert await client.answer() == (200, b"x" * 50_000)


async def test_pipelined_requests_are_answered_one_after_the_other(start: Start) -> None:
    site = await start()
    client = await site.connect()
    count = 3000
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            client.send(
                b"".join(
                    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n%04d" % i
                    for i in range(count)
                )
            )
        )
        for i in range(count):
            assert await client.answer() == (200, b"%04d" % i)
    assert site.app.most == 1


async def test_requests_that_pile_up_behind_a_chunked_body_are_bounded(start: Start) -> None:
    site = await start(App(hold=asyncio.Event()))
    client = await site.connect()
    await client.send(CHUNKED + b"1\r\nx\r\n0\r\n\r\n" + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 40)
    assert await client.ended()
    assert len(site.app.seen) == 1


@pytest.mark.parametrize("trickle", [False, True])
async def test_head_that_is_not_whole_in_time_ends_the_connection(
    start: Start, trickle: bool
) -> None:
    site = await start(head_s=0.5)
    for first in (b"", HEAD):
        client = await site.connect()
        await client.send(first)
        if trickle:
            while client.is_open:
                await client.send(b"x")
                await asyncio.sleep(0.02)
        assert await client.ended()
    await site.left_alone()


async def test_tls_handshake_that_never_ends_is_given_up(start: Start) -> None:
    site = await start(tls=True, handshake_s=0.5)
    site.trust = None
    silent, talker = await site.connect(), await site.connect()
    await talker.send(b"\x16\x03\x01\x02\x00\x01")
    await silent.ended()
    await talker.ended()
    await site.left_alone()


async def test_plain_http_at_the_tls_port_is_ended(start: Start) -> None:
    site = await start(tls=True)
    site.trust = None
    client = await site.connect()
    await client.send(REQUEST)
    await client.ended()
    await site.left_alone()


async def test_idle_connection_is_closed(start: Start) -> None:
    site = await start(idle_s=1, head_s=30)
    client = await site.connect()
    await client.send(REQUEST)
    assert await client.answer() == (200, b"")
    assert await client.ended()


async def test_slow_body_is_refused_and_a_steady_one_is_not(start: Start) -> None:
    site = await start(body_s=1, body_rate=60)
    post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
    slow, steady = await site.connect(), await site.connect()
    await slow.send(post)
    await steady.send(post)
    for _ in range(20):
        await slow.send(b"x")
        await steady.send(b"x" * 50)
        await asyncio.sleep(0.15)
    status, body = await slow.answer()
    assert (status, json.loads(body)) == (408, {"message": "The request did not arrive in time"})
    assert await steady.answer() == (200, b"x" * 1000)


async def test_body_that_the_application_does_not_read_yet_is_not_called_slow(
    start: Start,
) -> None:
    hold = asyncio.Event()
    app = App()

    async def late(scope: Any, receive: Any, send: Any) -> None:
        await hold.wait()
        await app(scope, receive, send)

    site = await start(late, body_s=0.5, body_rate=1000 * 1000)
    client = await site.connect()
    size = 300_000
    await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(client.send(b"x" * size))
        await asyncio.sleep(1.5)
        hold.set()
        status, body = await client.answer()
    assert (status, len(body)) == (200, size)


async def test_answer_that_nobody_takes_is_given_up(start: Start) -> None:
    site = await start(App(size=20_000_000), stalled_s=0.5)
    client = await site.connect()
    await client.send(REQUEST)
    await site.left_alone()


async def test_body_that_was_refused_may_not_go_on_for_ever(start: Start) -> None:
    site = await start(App(reads_body=False), unwanted_bytes=100_000)
    client = await site.connect()
    await client.send(CHUNKED)
    assert await client.answer() == (200, b"")
    async with flowing(client, b"8000\r\n" + b"x" * 0x8000 + b"\r\n"):
        await client.ended()
    await site.left_alone()


async def test_newcomer_takes_the_place_of_who_has_waited_longest(start: Start) -> None:
    site = await start(per_source=3)
    waiting = [await site.connect() for _ in range(3)]
    for client in waiting:
        await client.send(HEAD)
    newcomer = await site.connect()
    await newcomer.send(REQUEST)
    assert await newcomer.answer() == (200, b"")
    assert await waiting[0].ended()
    await waiting[1].send(b"\r\n")
    assert await waiting[1].answer() == (200, b"")


@pytest.mark.parametrize("bound", ["per_source", "total"])
async def test_who_is_being_served_is_not_put_out(start: Start, bound: str) -> None:
    hold = asyncio.Event()
    site = await start(App(hold=hold), **{bound: 2})
    served = [await site.connect() for _ in range(2)]
    for client in served:
        await client.send(REQUEST)
    async with asyncio.timeout(30):
        while site.app.running < 2:
            await asyncio.sleep(0.01)
    newcomer = await site.connect()
    status, body = await newcomer.answer()
    assert (status, "at once" in json.loads(body)["message"]) == (503, True)
    hold.set()
    for client in served:
        assert await client.answer() == (200, b"")


async def test_trusted_proxy_is_not_counted_as_one_source() -> None:
    connections = Connections(Bounds(per_source=1), trusted=["127.0.0.0/8"])

    class Idle:
        queued = False
        is_waiting = False

        def __init__(self, source: str) -> None:
            self.source = source

        def dismiss(self) -> None: ...
        def step(self) -> bool:
            return False

        def look(self, now: float) -> None: ...

    assert [connections.admit(Idle("127.0.0.1")) for _ in range(3)] == [True] * 3
    assert [connections.admit(Idle("192.0.2.1")) for _ in range(3)] == [True, False, False]


def test_source_is_an_address_or_an_ipv6_network_of_one_customer() -> None:
    assert source_of("192.0.2.1") == source_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert source_of("2001:db8::1") == source_of("2001:db8::ffff:1") == "2001:db8::"
    assert source_of("2001:db8:0:1::1") != source_of("2001:db8::1")
    assert source_of("fe80::1%eth0") == "fe80::"


async def test_work_of_many_is_spread_over_turns_and_everybody_has_a_part() -> None:
    turnstile = Turnstile(Bounds(turn_requests=2, turn_s=60), asyncio.get_running_loop())
    done: list[tuple[int, int]] = []

    class Guest:
        source = ""
        queued = False
        is_waiting = False

        def __init__(self, name: int) -> None:
            self.name, self.left = name, 3

        def dismiss(self) -> None: ...
        def look(self, now: float) -> None: ...
        def step(self) -> bool:
            turnstile.begun += 1
            self.left -= 1
            done.append((turn, self.name))
            return self.left > 0

    for name in range(4):
        turnstile.enter(Guest(name))
    for turn in range(20):  # noqa: B007
        await asyncio.sleep(0)
    assert [name for _, name in done] == [0, 1, 2, 3] * 3
    per_turn = [sum(at == t for at, _ in done) for t in range(20)]
    assert max(per_turn) == 2


async def test_websocket_speaks_on_through_the_same_door(start: Start) -> None:
    site = await start(tls=False)
    async with websockets.connect(f"ws://127.0.0.1:{site.port}/w") as socket:
        for word in ("one", "two"):
            await socket.send(word)
            assert await socket.recv() == word
    client = await site.connect()
    await client.send(REQUEST)
    assert await client.answer() == (200, b"")
    client.close()
    await site.left_alone()
