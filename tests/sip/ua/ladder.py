"""Two sides of a ladder: a stack with an owner that notes what it hears, and a scripted peer.

The stack runs on real UDP but on a hand-turned clock, so that nothing waits for timers. The
peer sends what the test says, be it right or wrong, and reads what the stack sends.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import count
from typing import cast

from vpbx.clock import ManualClock
from vpbx.sip import (
    AudioCodec,
    Hop,
    Listen,
    Request,
    Response,
    ServerTransaction,
    Session,
    SipStack,
    StackConfig,
    Target,
    build,
    make_response,
)
from vpbx.sip.message import parse_message

LOOPBACK = (Listen("udp", "127.0.0.1", 0),)
PATIENCE_S = 5.0


def sdp(session_id: int = 1, version: int = 1, direction: str = "sendrecv") -> str:
    codecs = [AudioCodec("PCMA", 8), AudioCodec("telephone-event", 101, fmtp="0-15")]
    return build("127.0.0.1", 4000, codecs, direction, session_id=session_id, version=version)


OURS = sdp(1)
THEIRS = sdp(2)


class Owner:
    """Application and listener: notes everything, answers when the test says so."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []
        self.sessions: list[Session] = []
        self.transactions: list[ServerTransaction] = []
        self.on_call: Callable[[Session], None] | None = None
        self.on_event: Callable[[str, Session], None] | None = None
        self._bell = asyncio.Event()

    @property
    def session(self) -> Session:
        return self.sessions[-1]

    def names(self) -> list[str]:
        return [str(event[0]) for event in self.heard]

    async def hears(self, name: str, times: int = 1) -> tuple[object, ...]:
        """Wait until something was heard so often; return the last of it."""
        async with asyncio.timeout(PATIENCE_S):
            while self.names().count(name) < times:
                self._bell.clear()
                await self._bell.wait()
        return [event for event in self.heard if event[0] == name][times - 1]

    def _note(self, name: str, session: Session | None, *details: object) -> None:
        self.heard.append((name, *details))
        self._bell.set()
        if self.on_event is not None and session is not None:
            self.on_event(name, session)

    def on_invite(self, session: Session) -> None:
        session.listener = self
        self.sessions.append(session)
        if self.on_call is not None:
            self.on_call(session)
        self._note("invite", session, session.remote_sdp)

    def on_progress(self, session: Session, response: Response, sdp: str | None) -> None:
        self._note("progress", session, response.code, sdp)

    def on_answer(self, session: Session, response: Response, sdp: str | None) -> None:
        self._note("answer", session, response.code, sdp)

    def on_failure(
        self, session: Session, code: int, reason: str, response: Response | None
    ) -> None:
        self._note("failure", session, code, reason)

    def on_established(self, session: Session, sdp: str | None) -> None:
        self._note("established", session, sdp)

    def on_offer(self, session: Session, sdp: str | None) -> None:
        self._note("offer", session, sdp)

    def on_repeated(self, session: Session) -> None:
        """Nothing is new."""

    def on_reanswer(self, session: Session, code: int, sdp: str | None) -> None:
        self._note("reanswer", session, code, sdp)

    def on_request(self, *arguments: object) -> None:
        """Of a session (session, tx), or outside of dialogs (tx)."""
        tx = arguments[-1]
        assert isinstance(tx, ServerTransaction)
        self.transactions.append(tx)
        self._note("request", None, tx.request.method)

    def on_end(self, session: Session, cause: str) -> None:
        self._note("end", session, str(cause))


class Peer(asyncio.DatagramProtocol):
    """A scripted user agent on a UDP socket of its own."""

    def __init__(self) -> None:
        self._inbox: asyncio.Queue[Request | Response] = asyncio.Queue()
        self._transport: asyncio.DatagramTransport | None = None
        self._seen: set[bytes] = set()
        self._branches = count(1)
        self.stack_port = 0
        self.port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The selector loop's transport does not say that it is a DatagramTransport.
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._inbox.put_nowait(parse_message(data))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    @property
    def hop(self) -> Hop:
        return Hop("udp", "127.0.0.1", self.port)

    @property
    def target(self) -> Target:
        return Target(f"sip:bob@127.0.0.1:{self.port}", self.hop)

    @property
    def contact(self) -> str:
        return f"Contact: <sip:peer@127.0.0.1:{self.port}>"

    def send(self, text: str) -> None:
        assert self._transport is not None
        self._transport.sendto(text.encode(), ("127.0.0.1", self.stack_port))

    async def receive(self) -> Request | Response:
        async with asyncio.timeout(PATIENCE_S):
            return await self._inbox.get()

    async def gets(self, what: str | int) -> Request | Response:
        """The next message, but 100 and requests sent again, must be this method or code."""
        while True:
            message = await self.receive()
            if isinstance(message, Response):
                if message.code != 100:
                    break
            elif message.method == "ACK" or bytes(message) not in self._seen:
                self._seen.add(bytes(message))
                break
        found = message.method if isinstance(message, Request) else message.code
        assert found == what, f"{found} instead of {what}"
        return message

    async def gets_request(self, method: str) -> Request:
        message = await self.gets(method)
        assert isinstance(message, Request)
        return message

    async def gets_response(self, code: int) -> Response:
        message = await self.gets(code)
        assert isinstance(message, Response)
        return message

    def gets_nothing(self) -> None:
        """Nothing but 100 has come that was not read."""
        while not self._inbox.empty():
            message = self._inbox.get_nowait()
            assert isinstance(message, Response), message.start_line()
            assert message.code == 100, message.start_line()

    def request(
        self,
        method: str,
        *,
        cseq: int,
        call_id: str = "call-1",
        from_: str = "<sip:peer@acme.example>;tag=their",
        to: str = "<sip:701@acme.example>",
        headers: Sequence[str] = (),
        body: str = "",
        branch: str = "",
        uri: str = "sip:701@127.0.0.1",
    ) -> str:
        """Send a request; return its branch."""
        branch = branch or f"z9hG4bKp{next(self._branches)}"
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch={branch};rport",
            f"From: {from_}",
            f"To: {to}",
            f"Call-ID: {call_id}",
            f"CSeq: {cseq} {method}",
            "Max-Forwards: 70",
            *headers,
        ]
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body.encode())}")
        self.send("\r\n".join([*lines, "", body]))
        return branch

    def invite(
        self,
        *,
        cseq: int = 1,
        body: str = THEIRS,
        headers: Sequence[str] = (),
        to: str = "",
        **more: str,
    ) -> str:
        to = to or "<sip:701@acme.example>"
        return self.request(
            "INVITE", cseq=cseq, headers=[self.contact, *headers], body=body, to=to, **more
        )

    def respond(
        self,
        request: Request,
        code: int,
        *,
        tag: str = "their",
        headers: Sequence[str] = (),
        body: str = "",
        contact: str = "",
    ) -> None:
        """Answer a request of the stack."""
        message = make_response(request, code, to_tag=tag)
        for line in (contact or self.contact, *headers):
            name, _, value = line.partition(": ")
            message.headers.add(name, value)
        if body:
            message.body = body.encode()
            message.headers.set("Content-Type", "application/sdp")
        self.send(bytes(message).decode())


class Stage:
    """A stack on a hand-turned clock, its owner, and a peer."""

    def __init__(self, stack: SipStack, clock: ManualClock, owner: Owner, peer: Peer) -> None:
        self.stack = stack
        self.clock = clock
        self.owner = owner
        self.peer = peer

    def call(self, **more: object) -> Session:
        """Call the peer."""
        arguments: dict[str, object] = {"sdp": OURS, "listener": self.owner, **more}
        session = self.stack.invite(
            self.peer.target,
            from_='"Ann" <sip:ann@acme.example>',
            to="<sip:bob@acme.example>",
            **arguments,  # type: ignore[arg-type]
        )
        self.owner.sessions.append(session)
        return session

    async def quiet(self) -> None:
        """Let everything under way between the two arrive."""
        for _ in range(5):
            await asyncio.sleep(0.001)

    async def nothing_left(self) -> None:
        """Time passes, and nobody remembers anything."""
        await self.quiet()
        for _ in range(20):
            self.clock.advance(10)
            await asyncio.sleep(0)
        assert self.stack.sessions == 0
        assert not len(self.stack.dialogs)
        assert self.stack.under_way == 0
        assert self.stack.layer.transactions == 0
        assert timers(self.clock) == 0


def timers(clock: ManualClock) -> int:
    """How many calls a clock still has to make."""
    return sum(timer.callback is not None for _, _, timer in clock._heap)


@contextlib.asynccontextmanager
async def stage(**config: object) -> AsyncIterator[Stage]:
    clock, owner = ManualClock(), Owner()
    stack = SipStack(StackConfig(listens=LOOPBACK, **config), owner, clock=clock)  # type: ignore[arg-type]
    await stack.start()
    loop = asyncio.get_running_loop()
    _, peer = await loop.create_datagram_endpoint(Peer, local_addr=("127.0.0.1", 0))
    peer.stack_port = stack.listens[0].port
    try:
        yield Stage(stack, clock, owner, peer)
    finally:
        await stack.stop(0)
        peer.close()
