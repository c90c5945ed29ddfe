"""A transaction layer on free ports, a plain UDP peer, and RFC 4475's messages."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvloop

from tests.support.corpus import SOURCES
from tests.support.corpus import torture as read_torture
from vpbx.clock import Clock, LoopClock, ManualClock
from vpbx.sip.layer import LayerConfig, TransactionLayer
from vpbx.sip.message import Request, Response, parse_message
from vpbx.sip.transaction import ClientTransaction, ServerTransaction
from vpbx.sip.transport import Hop, Listen


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run these tests on uvloop, as the product runs."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(params=SOURCES)
def torture(request: pytest.FixtureRequest) -> Callable[[str], bytes]:
    """Read a message of RFC 4475 by its name there: our own of that kind, and the RFC's."""
    return lambda name: read_torture(name, request.param)


@dataclass
class Users:
    """The user agents above a layer: they write down what they hear."""

    requests: list[ServerTransaction] = field(default_factory=list)
    acks: list[tuple[Request, Hop]] = field(default_factory=list)
    strays: list[Response] = field(default_factory=list)
    on_request: Callable[[ServerTransaction], None] | None = None

    def take(self, tx: ServerTransaction) -> None:
        self.requests.append(tx)
        if self.on_request is not None:
            self.on_request(tx)


@dataclass
class Listener:
    """A client's user: writes down what it hears."""

    responses: list[Response] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    happened: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def codes(self) -> list[int]:
        return [response.code for response in self.responses]

    def on_response(self, tx: ClientTransaction, response: Response) -> None:
        self.responses.append(response)
        self.happened.set()

    def on_timeout(self, tx: ClientTransaction) -> None:
        self.errors.append("timeout")
        self.happened.set()

    def on_transport_error(self, tx: ClientTransaction, reason: str) -> None:
        self.errors.append(reason)
        self.happened.set()

    async def hears(self, count: int = 1) -> None:
        """Wait until so many things have happened."""
        async with asyncio.timeout(30):
            while len(self.responses) + len(self.errors) < count:
                self.happened.clear()
                await self.happened.wait()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def make_listener() -> type[Listener]:
    return Listener


@dataclass
class Running:
    """A layer that runs, and what it told its users."""

    layer: TransactionLayer
    users: Users

    def hop(self, transport: str = "udp") -> Hop:
        """Return where it listens."""
        found = next(one for one in self.layer.listens if one.transport == transport)
        return Hop(transport, found.host, found.port)


RunLayer = Callable[..., Awaitable[Running]]


@pytest.fixture
async def run_layer() -> AsyncIterator[RunLayer]:
    """Start layers; they stop with the test. Keywords are LayerConfig's."""
    running: list[TransactionLayer] = []

    async def start(
        *transports: str, host: str = "127.0.0.1", clock: Clock | None = None, **settings: object
    ) -> Running:
        users = Users()
        asked = {name: settings.pop(name, None) for name in ("screen", "standing", "has_call")}
        tls = settings.pop("tls", None)
        listens = tuple(
            Listen(one, host, 0, tls if one == "tls" else None) for one in transports or ("udp",)
        )
        layer = TransactionLayer(
            LayerConfig(listens, **settings),
            clock=clock or LoopClock(),
            on_request=users.take,
            on_ack=lambda request, hop: users.acks.append((request, hop)),
            on_stray_response=lambda response, hop: users.strays.append(response),
            **asked,
        )
        await layer.start()
        running.append(layer)
        return Running(layer, users)

    yield start
    for layer in running:
        await layer.stop()


class Peer:
    """A plain UDP socket that sends bytes and reads answers."""

    def __init__(self, to: Hop) -> None:
        family = socket.AF_INET6 if ":" in to.host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self.host, self.port = self.sock.getsockname()[:2]
        self.to = to

    @property
    def hop(self) -> Hop:
        return Hop("udp", self.host, self.port)

    def send(self, data: bytes) -> None:
        self.sock.sendto(data, (self.to.host, self.to.port))

    async def read(self, timeout_s: float = 30) -> bytes:
        loop = asyncio.get_running_loop()
        return await asyncio.wait_for(loop.sock_recv(self.sock, 65535), timeout_s)

    async def answer(self, timeout_s: float = 30) -> Request | Response:
        return parse_message(await self.read(timeout_s))

    async def is_silent(self) -> bool:
        """Say that nothing comes, by an OPTIONS that is answered instead: no waiting."""
        self.send(
            b"OPTIONS sip:probe@x SIP/2.0\r\nVia: SIP/2.0/UDP probe;branch=z9hG4bKprobe;rport\r\n"
            b"To: <sip:p@x>\r\nFrom: <sip:p@x>;tag=p\r\nCall-ID: probe\r\nCSeq: 1 OPTIONS\r\n"
            b"Require: nothing-has-this\r\n\r\n"
        )
        return (await self.answer()).headers["Call-ID"] == "probe"


@pytest.fixture
async def make_peer() -> AsyncIterator[Callable[[Hop], Peer]]:
    peers: list[Peer] = []

    def make(to: Hop) -> Peer:
        peers.append(Peer(to))
        return peers[-1]

    yield make
    for peer in peers:
        peer.sock.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 and localhost, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", cert),
            *("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


@pytest.fixture
def tls_pair(certificate: tuple[Path, Path]) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a TLS server and of a client that trusts it."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*certificate)
    return server, ssl.create_default_context(cafile=str(certificate[0]))


def _message(method: str, **changes: str | None) -> bytes:
    headers = {
        "Via": "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKone;rport",
        "Max-Forwards": "70",
        "From": '"Ann" <sip:ann@example.org>;tag=from1',
        "To": "<sip:bob@example.com>",
        "Call-ID": "call1@example.org",
        "CSeq": f"1 {method}",
        "Contact": "<sip:ann@192.0.2.1>",
        "Content-Length": "0",
    }
    for name, value in changes.items():
        name = {"Call_ID": "Call-ID", "Max_Forwards": "Max-Forwards"}.get(name, name)
        headers.pop(name, None)
        if value is not None:
            headers[name] = value
    lines = [f"{method} sip:bob@example.com SIP/2.0"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.fixture
def make_request() -> Callable[..., bytes]:
    """Write a request; keywords replace headers (``_`` for ``-``), None leaves one out."""
    return _message
