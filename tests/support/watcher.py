"""A phone that subscribes: a socket that proves its password and answers NOTIFYs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import xml.etree.ElementTree as ElementTree
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from vpbx.sip import Credentials, Hop, Request, Response, make_response
from vpbx.sip.digest import Challenge, DigestAnswer
from vpbx.sip.message import new_branch, new_call_id, new_tag, parse_message

_INFO = "{urn:ietf:params:xml:ns:dialog-info}"
_PIDF = "{urn:ietf:params:xml:ns:pidf}"
PATIENCE_S = 10.0
_AGAIN_S = 0.5


@dataclass
class Told:
    """One NOTIFY."""

    request: Request

    @property
    def state(self) -> str:
        return self.request.headers["Subscription-State"]

    @property
    def body(self) -> str:
        return self.request.body.decode()

    @property
    def root(self) -> ElementTree.Element:
        assert self.request.headers["Content-Type"] == "application/dialog-info+xml"
        return ElementTree.fromstring(self.request.body)

    @property
    def version(self) -> int:
        return int(self.root.attrib["version"])

    @property
    def full(self) -> bool:
        return {"full": True, "partial": False}[self.root.attrib["state"]]

    @property
    def online(self) -> bool:
        basic = self.root.find(f"{_PIDF}status/{_PIDF}basic")
        assert basic is not None
        return {"open": True, "closed": False}[str(basic.text)]

    @property
    def dialogs(self) -> list[ElementTree.Element]:
        return self.root.findall(f"{_INFO}dialog")

    @property
    def states(self) -> list[str]:
        return [str(dialog.findtext(f"{_INFO}state")) for dialog in self.dialogs]

    def remote(self) -> tuple[str, str]:
        """Who is at the other end of the only dialog: name and URI; "" when it does not say."""
        found = self.dialogs[0].find(f"{_INFO}remote/{_INFO}identity")
        return ("", "") if found is None else (found.get("display", ""), str(found.text))


@dataclass
class Subscribed:
    """A subscription as the phone holds it."""

    response: Response
    resource: str
    event: str
    call_id: str
    from_: str
    to: str
    cseq: itertools.count[int] = field(default_factory=lambda: itertools.count(10))

    @property
    def code(self) -> int:
        return self.response.code


class Watcher(asyncio.DatagramProtocol):
    """A phone of `login`. `answers`: what it says to NOTIFYs; 0: nothing."""

    def __init__(self, login: str, hop: Hop, domain: str, password: str) -> None:
        self.login, self.domain = login, domain
        self.answers = 200
        self.notifies: asyncio.Queue[Told] = asyncio.Queue()
        self._credentials = Credentials(login, password)
        self._hop = hop
        self._responses: dict[str, asyncio.Future[Response]] = {}
        self._seen: set[tuple[str, str]] = set()
        self._answer: DigestAnswer | None = None

    async def start(self, host: str = "127.0.0.1") -> Watcher:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=(host, 0))
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)
        self.port = transport.get_extra_info("sockname")[1]

    def close(self) -> None:
        self.transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = parse_message(data)
        if isinstance(message, Response):
            waiting = self._responses.get(message.branch)
            if waiting is not None and not waiting.done() and message.code >= 200:
                waiting.set_result(message)
            return
        if self.answers:
            self.respond(message, self.answers)
        key = message.call_id, message.headers["CSeq"]
        if key not in self._seen:
            self._seen.add(key)
            self.notifies.put_nowait(Told(message))

    def respond(self, request: Request, code: int) -> None:
        self.write(bytes(make_response(request, code)))

    def write(self, data: bytes) -> None:
        self.transport.sendto(data, (self._hop.host, self._hop.port))

    def _contact(self) -> str:
        return f"<sip:{self.login}@127.0.0.1:{self.port}>"

    def _via(self) -> str:
        return f"SIP/2.0/{self._hop.transport.upper()} 127.0.0.1:{self.port}"

    async def told(self) -> Told:
        """Return the next NOTIFY."""
        return await asyncio.wait_for(self.notifies.get(), PATIENCE_S)

    async def subscribe(
        self,
        resource: str = "",
        event: str = "dialog",
        *,
        expires_s: int | None = 600,
        headers: Sequence[str] = (),
        host: str = "",
        contact: str = "",
        sender: str = "",
        proves: bool = True,
        challenged: bool = False,
    ) -> Subscribed:
        """Begin a subscription; a challenge is answered once, and asked for if `challenged`."""
        at = f"{resource}@" if resource else ""
        uri = f"sip:{at}{host or self.domain}"
        made = Subscribed(
            response=Response(0),
            resource=uri,
            event=event,
            call_id=new_call_id(),
            from_=f"<sip:{sender or self.login}@{self.domain}>;tag={new_tag()}",
            to=f"<{uri}>",
        )
        await self._ask(made, expires_s, headers, contact, proves, fresh=challenged)
        if made.code == 200:
            made.to = made.response.headers["To"]
        return made

    async def again(
        self, made: Subscribed, expires_s: int | None = 600, *, proves: bool = False
    ) -> Response:
        """Refresh a subscription, or end it (0); without a password unless `proves`."""
        await self._ask(made, expires_s, (), "", proves, fresh=True)
        return made.response

    async def _ask(
        self,
        made: Subscribed,
        expires_s: int | None,
        headers: Sequence[str],
        contact: str,
        proves: bool,
        *,
        fresh: bool = False,
    ) -> None:
        told = [f"Event: {made.event}"] if made.event else []
        told += [] if expires_s is None else [f"Expires: {expires_s}"]
        told += [contact or f"Contact: {self._contact()}", *headers]
        if fresh:
            self._answer = None
        for _ in range(2):
            more = []
            if proves and self._answer is not None:
                more = [f"Authorization: {self._answer.value('SUBSCRIBE', made.resource)}"]
            made.response = await self._send(made, [*told, *more])
            challenges = made.response.headers.getlist("WWW-Authenticate")
            challenge = Challenge.choose(challenges)
            if made.code != 401 or not proves or challenge is None:
                return
            self._answer = DigestAnswer(challenge, self._credentials)

    async def _send(self, made: Subscribed, headers: Sequence[str]) -> Response:
        branch = new_branch()
        lines = [
            f"SUBSCRIBE {made.resource} SIP/2.0",
            f"Via: {self._via()};branch={branch};rport",
            f"From: {made.from_}",
            f"To: {made.to}",
            f"Call-ID: {made.call_id}",
            f"CSeq: {next(made.cseq)} SUBSCRIBE",
            "Max-Forwards: 70",
            *headers,
            "Content-Length: 0",
        ]
        waiting: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._responses[branch] = waiting
        data = "\r\n".join([*lines, "", ""]).encode()
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:  # sent again until it is answered, as by any phone
                    self.write(data)
                    done, _ = await asyncio.wait([waiting], timeout=_AGAIN_S)
                    if done:
                        return waiting.result()
        finally:
            del self._responses[branch]


class StreamWatcher(Watcher, asyncio.Protocol):
    """The same over TCP."""

    def __init__(self, login: str, hop: Hop, domain: str, password: str) -> None:
        super().__init__(login, hop, domain, password)
        self._came = b""

    async def start(self, host: str = "127.0.0.1") -> StreamWatcher:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, self._hop.host, self._hop.port)
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.stream = cast("asyncio.Transport", transport)
        self.port = transport.get_extra_info("sockname")[1]

    def data_received(self, data: bytes) -> None:
        self._came += data
        while (end := self._came.find(b"\r\n\r\n")) >= 0:
            length = int(self._came[:end].rpartition(b"Content-Length:")[2].split(b"\r\n")[0])
            if len(self._came) < end + 4 + length:
                return
            message, self._came = self._came[: end + 4 + length], self._came[end + 4 + length :]
            self.datagram_received(message, ("", 0))

    def write(self, data: bytes) -> None:
        self.stream.write(data)

    def close(self) -> None:
        self.stream.abort()


class WebWatcher(Watcher):
    """A browser: over WebSocket, with a Contact that names no place (RFC 7118 §5)."""

    def _contact(self) -> str:
        return f"<sip:{self.login}@df7jal23ls0d.invalid;transport=ws>"

    def _via(self) -> str:
        return "SIP/2.0/WS df7jal23ls0d.invalid"

    async def open(self, url: str) -> None:
        self._socket = await connect(url, subprotocols=[Subprotocol("sip")])
        self._loop = asyncio.get_running_loop()
        self._writes: set[asyncio.Task[None]] = set()
        self._reader = self._loop.create_task(self._read())
        self.port = 0

    async def leave(self) -> None:
        """Close the page."""
        self._reader.cancel()
        await self._socket.close()

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in self._socket:
                data = text.encode() if isinstance(text, str) else text
                self.datagram_received(data, ("", 0))

    def write(self, data: bytes) -> None:
        task = self._loop.create_task(self._socket.send(data.decode()))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)


Make: TypeAlias = Callable[..., Awaitable[Watcher]]
