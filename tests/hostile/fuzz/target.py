"""A SIP stack that takes calls, fed with messages as they come from the network.

What it sends goes over a real socket to one of ours, which reads To tags out of it, so that
recorded dialogs go on with the right ones.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from structlog.testing import capture_logs

from tests.hostile.fuzz.chance import Chance
from tests.hostile.fuzz.sdp import description
from tests.support.effort import effort
from vpbx.clock import ManualClock
from vpbx.sip import (
    Hop,
    Listen,
    ServerTransaction,
    Session,
    SessionAdapter,
    SipStack,
    StackConfig,
    make_response,
)
from vpbx.sip.message import MalformedMessage, parse_message

OUR_SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 8\r\n"
)
SLOW_S = 0.25
"""One message may not take longer, by processor time."""
_TO_TAG = re.compile(rb"\r\nTo:[^\r\n]*;tag=([^;\r\n]+)")


class Finding(AssertionError):
    """A message that did harm."""

    def __init__(self, what: str, data: bytes) -> None:
        super().__init__(what)
        self.what = what
        self.data = data


class _Talker(SessionAdapter):
    """The other end: answers offers with a fair description."""

    def on_offer(self, session: Session, sdp: str | None) -> None:
        session.answer(OUR_SDP)


class _Taker:
    """Rings, answers or rejects, by chance."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self.sessions: list[Session] = []

    def on_invite(self, session: Session) -> None:
        session.listener = _Talker()
        if self._chance.maybe(0.2):
            session.reject(486)
            return
        if self._chance.maybe(0.5):
            session.ring(183, OUR_SDP)
        if self._chance.maybe(0.8):
            session.accept(OUR_SDP)
        self.sessions.append(session)

    def on_request(self, tx: ServerTransaction) -> None:
        tx.respond(make_response(tx.request, 200))


@dataclass
class SipTarget:
    """The stack, our socket, and the dialogs that go on."""

    chance: Chance
    clock: ManualClock = field(default_factory=ManualClock)
    count: int = 0

    async def start(self) -> None:
        self.app = _Taker(self.chance)
        listens = (Listen("udp", "127.0.0.1", 0), Listen("tcp", "127.0.0.1", 0))
        self.stack = SipStack(StackConfig(listens=listens), self.app, clock=self.clock)
        await self.stack.start()
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.bind(("127.0.0.1", 0))
        self.hop = Hop("udp", *self.sock.getsockname())

    async def stop(self) -> None:
        await self.stack.stop(0)
        self.sock.close()

    def take(self, data: bytes) -> None:
        """Give the stack a message; `Finding` when that does harm."""
        self.count += 1
        with effort() as spent, capture_logs() as logs:
            self.stack.layer.receive(data, self.hop)
        faults = [entry for entry in logs if entry["log_level"] in ("error", "critical")]
        if faults:
            raise Finding(f"sip: {faults[0]['event']}: {faults[0].get('exception', '')}", data)
        if spent.total_s > SLOW_S:
            raise Finding(f"sip: took {spent.total_s * 1000:.0f} ms", data)
        if not self.count % 100:
            self.settle()

    def settle(self) -> None:
        """Let time pass, read what was sent, and end some calls."""
        with capture_logs() as logs:
            self.clock.advance(1)
            while self.app.sessions and self.chance.maybe(0.6):
                self.app.sessions.pop(0).hangup()
        faults = [entry for entry in logs if entry["log_level"] in ("error", "critical")]
        if faults:
            raise Finding(f"sip, some time after: {faults[0]}", b"")
        self.answers()

    def answers(self) -> list[bytes]:
        """Read what the stack has sent to us."""
        found = []
        while True:
            try:
                found.append(self.sock.recv(65_535))
            except BlockingIOError:
                return found

    def dialog(self, spoil: Sequence[bytes]) -> None:
        """A call as phones make it, one of its messages broken; the stack's tag is taken up."""
        chance, self._call = self.chance, f"call{self.count}x{self.chance.getrandbits(32):x}"
        broken = chance.randrange(8)
        tag = ""
        steps = ("INVITE", "ACK", "INFO", "INVITE", "ACK", "UPDATE", "PRACK", "BYE")
        for number, method in enumerate(steps):
            data = self._in_dialog(method, number, tag)
            if number == broken:
                data = chance.mutated(data, spoil)
            self.answers()
            self.take(data)
            for answer in self.answers():
                if (found := _TO_TAG.search(answer)) and self._call.encode() in answer:
                    tag = found[1].decode("latin-1")

    def _in_dialog(self, method: str, number: int, tag: str) -> bytes:
        body = {
            "INVITE": OUR_SDP if self.chance.maybe() else description(self.chance),
            "INFO": "Signal=5\r\nDuration=160\r\n",
            "UPDATE": description(self.chance) if self.chance.maybe() else "",
        }.get(method, "")
        kind = "application/dtmf-relay" if method == "INFO" else "application/sdp"
        lines = [
            f"{method} sip:bob@127.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.hop.port};branch=z9hG4bK{self._call}{number};rport",
            "Max-Forwards: 70",
            "From: <sip:ann@127.0.0.1>;tag=a",
            f"To: <sip:bob@127.0.0.1>{';tag=' + tag if tag else ''}",
            f"Call-ID: {self._call}",
            f"CSeq: {number if method == 'ACK' else number + 1} {method}",
            f"Contact: <sip:ann@127.0.0.1:{self.hop.port}>",
            "Supported: 100rel, timer",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body.encode('utf-8', 'replace'))}",
        ]
        return "\r\n".join([*lines, "", body]).encode("utf-8", "replace")

    async def is_well(self) -> None:
        """A fair request is answered as ever, and what was taken has been let go of."""
        self.clock.advance(200)
        self.answers()
        fair = (
            "OPTIONS sip:bob@127.0.0.1 SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.hop.port};branch=z9hG4bKfair;rport\r\n"
            "From: <sip:ann@127.0.0.1>;tag=a\r\nTo: <sip:bob@127.0.0.1>\r\nCall-ID: fair\r\n"
            "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
        self.take(fair.encode())
        assert any(b"SIP/2.0 200" in answer for answer in self.answers())
        for session in self.app.sessions:
            session.hangup()
        for _ in range(200):  # names that are being looked up take real time
            self.clock.advance(200)
            if not self._left():
                break
            await asyncio.sleep(0.05)
        assert not self._left()

    def _left(self) -> list[int]:
        """What the stack still holds: transactions, sessions, dialogs."""
        left = [self.stack.layer.transactions, self.stack.sessions, len(self.stack.dialogs)]
        return left if any(left) else []


def reads(data: bytes) -> bool:
    """Whether a message parses: what does not is half of the fun, and no more."""
    try:
        parse_message(data)
    except MalformedMessage:
        return False
    return True
