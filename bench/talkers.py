"""A carrier and phones that speak: many calls at once, with RTP both ways, every packet counted.

`python -m bench.talkers` reads a `Plan` as JSON from its input and prints a line of JSON as each
phase begins (`talking`, `over`) and its `counts` at the end. Not more SIP than that needs.
"""

from __future__ import annotations

import json
import random
import re
import select
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

FRAME_S, FRAME_BYTES = 0.02, 160
_SLICES = 4
"""So many parts of a frame's time share the packets of one frame."""
_SETUP_S, _DRAIN_S, _AGAIN_S = 30.0, 1.0, 1.0
_HEADER = struct.Struct("!BBHII")
_SDP = (
    "v=0\r\no=bench 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
)


@dataclass
class Plan:
    """What is to happen."""

    pbx: int
    carrier: int
    phones: int
    calls: list[tuple[str, str]]
    """Called and calling number of each."""
    rate: int = 50
    talk_s: float = 20.0
    ring_s: float = 0.3
    answers: list[str] | None = None
    """The phones that answer, by the user of their Contact; the others only ring. None: all."""
    sound: bool = True


@dataclass
class Counts:
    """What came of it."""

    answered: int = 0
    ended: int = 0
    legs: int = 0
    """Phones that rang."""
    rang_ms: list[float] = field(default_factory=list)
    """Of each phone, from the call's INVITE to its own."""
    sent: int = 0
    received: int = 0
    carrier_heard: int = 0
    """Packets that those who called received in `talk_s`."""


class Mouth:
    """One end's RTP: sends silence, counts what comes."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]
        self.to: int | None = None
        self.sent = self.received = 0
        self._ssrc, self._sequence = random.getrandbits(32), 0

    def speak(self) -> None:
        if self.to is None:
            return
        self._sequence += 1
        number = self._sequence
        head = _HEADER.pack(0x80, 8, number & 0xFFFF, number * FRAME_BYTES, self._ssrc)
        try:
            self.socket.sendto(head + bytes([0xD5]) * FRAME_BYTES, ("127.0.0.1", self.to))
            self.sent += 1
        except OSError:
            pass

    def listen(self) -> None:
        while True:
            try:
                packet = self.socket.recv(2048)
            except OSError:
                return
            self.received += packet[:1] == b"\x80"


class Talkers:
    """The whole play: one thread, one loop."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.counts = plan, Counts()
        self._carrier, self._phones = self._bind(plan.carrier), self._bind(plan.phones)
        self._mouths: list[Mouth] = []
        self._callers: dict[str, dict[str, Any]] = {}
        self._legs: dict[str, dict[str, Any]] = {}
        self._due: list[tuple[float, Callable[[], None]]] = []
        self._began: dict[str, float] = {}
        self._next_frame = 0.0
        self._slice = 0

    @staticmethod
    def _bind(port: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        sock.bind(("127.0.0.1", port))
        sock.setblocking(False)
        return sock

    def run(self) -> Counts:
        """Place the calls, talk, hang up."""
        for number, (called, calling) in enumerate(self.plan.calls):
            self._later(number / self.plan.rate, self._inviting(number, called, calling))
        placed_s = len(self.plan.calls) / self.plan.rate
        self._go(lambda: self.counts.answered == len(self.plan.calls), placed_s + _SETUP_S)
        say("talking", answered=self.counts.answered)
        before = self._carrier_received()
        self._go(lambda: False, self.plan.talk_s)
        self.counts.carrier_heard = self._carrier_received() - before
        say("over")
        self.plan.sound = False
        self._go(lambda: False, _DRAIN_S)
        for caller in self._callers.values():
            if caller["answered"]:
                self._send(self._carrier, self._request(caller, "BYE", 2))
        answered = self.counts.answered
        self._go(lambda: self.counts.ended == answered, 5.0)
        self._go(lambda: False, _DRAIN_S)
        self.counts.sent = sum(mouth.sent for mouth in self._mouths)
        self.counts.received = sum(mouth.received for mouth in self._mouths)
        return self.counts

    def _carrier_received(self) -> int:
        return sum(caller["mouth"].received for caller in self._callers.values())

    def _later(self, delay_s: float, what: Callable[[], None]) -> None:
        self._due.append((time.monotonic() + delay_s, what))

    def _go(self, done: Callable[[], bool], for_s: float) -> None:
        until = time.monotonic() + for_s
        while not done() and (now := time.monotonic()) < until:
            select.select([self._carrier, self._phones], [], [], 0.001)
            self._read(self._carrier, self._to_carrier)
            self._read(self._phones, self._to_phone)
            ripe = [what for at, what in self._due if at <= now]
            self._due = [entry for entry in self._due if entry[0] > now]
            for what in ripe:
                what()
            if now >= self._next_frame:
                self._next_frame = max(self._next_frame + FRAME_S / _SLICES, now - FRAME_S)
                self._slice = (self._slice + 1) % _SLICES
                for mouth in self._mouths[self._slice :: _SLICES]:
                    if self.plan.sound:
                        mouth.speak()
                    mouth.listen()

    def _read(self, sock: socket.socket, take: Callable[[str], None]) -> None:
        for _ in range(100):
            try:
                data = sock.recv(65_535)
            except OSError:
                return
            take(data.decode())

    def _send(self, sock: socket.socket, text: str) -> None:
        sock.sendto(text.encode(), ("127.0.0.1", self.plan.pbx))

    # -- the carrier

    def _inviting(self, number: int, called: str, calling: str) -> Callable[[], None]:
        def invite() -> None:
            mouth = Mouth()
            self._mouths.append(mouth)
            call_id = f"talk{number}-{random.getrandbits(40):x}"
            caller = {"id": call_id, "called": called, "calling": calling, "mouth": mouth}
            caller |= {"answered": False, "to": f"<sip:{called}@127.0.0.1>", "heard": False}
            caller["target"] = f"sip:{called}@127.0.0.1:{self.plan.pbx}"
            self._callers[call_id] = caller
            self._began.setdefault(calling, time.monotonic())
            text = self._request(caller, "INVITE", 1, _SDP.format(port=mouth.port))

            def again() -> None:
                if not caller["heard"]:
                    self._send(self._carrier, text)
                    self._later(_AGAIN_S, again)

            again()

        return invite

    def _request(self, caller: dict[str, Any], method: str, cseq: int, sdp: str = "") -> str:
        own = f"127.0.0.1:{self.plan.carrier}"
        kind = "Content-Type: application/sdp\r\n" if sdp else ""
        return (
            f"{method} {caller['target']} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {own};branch=z9hG4bK{caller['id']}{method}\r\n"
            f"From: <sip:{caller['calling']}@{own}>;tag=c{caller['id']}\r\nTo: {caller['to']}\r\n"
            f"Call-ID: {caller['id']}\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n"
            f"Contact: <sip:{caller['calling']}@{own}>\r\n{kind}"
            f"Content-Length: {len(sdp)}\r\n\r\n{sdp}"
        )

    def _to_carrier(self, text: str) -> None:
        caller = self._callers.get(header(text, "Call-ID"))
        if text.startswith("BYE"):
            self._send(self._carrier, response(text, "200 OK"))
            if caller is not None:
                caller["answered"] = False
                self.counts.ended += 1
            return
        if caller is None:
            return
        caller["heard"] = True
        cseq = header(text, "CSeq")
        if cseq.endswith("BYE"):
            self.counts.ended += 1
        elif text.startswith("SIP/2.0 2") and cseq.endswith("INVITE"):
            caller["to"] = header(text, "To")
            found = re.search(r"<(sip:[^>]+)>", header(text, "Contact"))
            caller["target"] = found[1] if found else caller["target"]
            caller["mouth"].to = media_port(text)
            self._send(self._carrier, self._request(caller, "ACK", 1))
            if not caller["answered"]:
                caller["answered"] = True
                self.counts.answered += 1
        elif re.match(r"SIP/2.0 [3-6]", text) and cseq.endswith("INVITE"):
            caller["to"] = header(text, "To")
            self._send(self._carrier, self._request(caller, "ACK", 1))

    # -- the phones

    def _to_phone(self, text: str) -> None:
        call_id, method = header(text, "Call-ID"), text.partition(" ")[0]
        leg = self._legs.get(call_id)
        if method == "INVITE":
            if leg is not None:
                if leg["said"]:
                    self._send(self._phones, leg["said"])
                return
            self._ring(call_id, text)
        elif method == "BYE":
            self._send(self._phones, response(text, "200 OK"))
        elif method == "CANCEL":
            self._send(self._phones, response(text, "200 OK"))
            if leg is not None and not leg["answered"]:
                leg["over"] = True
                said = response(leg["invite"], "487 Request Terminated", leg["tag"])
                self._send(self._phones, said)

    def _ring(self, call_id: str, text: str) -> None:
        user = re.match(r"INVITE sip:([^@;> ]+)", text)
        tag = f";tag=p{random.getrandbits(40):x}"
        leg = {"invite": text, "tag": tag, "answered": False, "over": False}
        self._legs[call_id] = leg
        self.counts.legs += 1
        calling = re.search(r"sip:([^@;>]+)", header(text, "From"))
        if calling and calling[1] in self._began:
            took_s = time.monotonic() - self._began[calling[1]]
            self.counts.rang_ms.append(took_s * 1000)
        leg["said"] = response(text, "180 Ringing", tag, contact=self.plan.phones)
        self._send(self._phones, str(leg["said"]))
        answers = self.plan.answers
        if answers is None or (user is not None and user[1] in answers):
            self._later(self.plan.ring_s, lambda: self._answer(leg))

    def _answer(self, leg: dict[str, Any]) -> None:
        if leg["over"]:
            return
        mouth = Mouth()
        self._mouths.append(mouth)
        mouth.to = media_port(leg["invite"])
        leg["answered"] = True
        sdp = _SDP.format(port=mouth.port)
        leg["said"] = response(leg["invite"], "200 OK", leg["tag"], self.plan.phones, sdp)
        self._send(self._phones, leg["said"])


def header(text: str, name: str) -> str:
    """Return the first header of that name."""
    found = re.search(rf"^{name}: *(.*?)\r$", text, re.MULTILINE | re.IGNORECASE)
    return found[1] if found else ""


def media_port(text: str) -> int | None:
    """Return the audio port of a description."""
    found = re.search(r"^m=audio (\d+)", text, re.MULTILINE)
    return int(found[1]) if found and found[1] != "0" else None


def response(request: str, status: str, tag: str = "", contact: int = 0, sdp: str = "") -> str:
    """Answer a request."""
    lines = [f"SIP/2.0 {status}"]
    for line in request.partition("\r\n\r\n")[0].split("\r\n")[1:]:
        name = line.partition(":")[0].lower()
        if name in ("via", "from", "call-id", "cseq", "record-route"):
            lines.append(line)
        elif name == "to":
            lines.append(line + tag)
    if contact:
        lines.append(f"Contact: <sip:phone@127.0.0.1:{contact}>")
    if sdp:
        lines.append("Content-Type: application/sdp")
    return "\r\n".join([*lines, f"Content-Length: {len(sdp)}", "", sdp])


def say(phase: str, **more: Any) -> None:
    """Tell whoever runs this."""
    print(json.dumps({"phase": phase, **more}), flush=True)


if __name__ == "__main__":
    said = json.loads(sys.stdin.readline())
    say("counts", **asdict(Talkers(Plan(**said)).run()))
