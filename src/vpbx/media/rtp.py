"""RTP by hand (RFC 3550) with telephone events (RFC 4733): one end of a call.

`RtpEndpoint` is the mouth and ear of a simulated phone or carrier and of the tests. The
switch itself never touches a media packet from Python: `MediaEngine` does that.
"""

from __future__ import annotations

import asyncio
import random
import struct
from array import array
from collections import Counter, deque
from collections.abc import Sequence
from typing import cast

from vpbx.frozen import dataclass

from . import g711
from .signal import RATE, dominant_frequency, goertzel, rms, tone

__all__ = [
    "EVENTS",
    "RATE",
    "Packet",
    "RtpEndpoint",
    "dominant_frequency",
    "goertzel",
    "rms",
    "tone",
    "tone_frames",
]

EVENTS = "0123456789*#ABCD"
"""RFC 4733 event codes 0 to 15."""
_HEADER = struct.Struct("!BBHII")
_EVENT = struct.Struct("!BBH")
_VOLUME = 10
_END = 0x80
_HEARD_PACKETS = 3000
"""A minute at 20 ms: what an endpoint remembers of what it heard."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    def __bytes__(self) -> bytes:
        second = self.payload_type | (0x80 if self.marker else 0)
        return _HEADER.pack(0x80, second, self.sequence, self.timestamp, self.ssrc) + self.payload

    @classmethod
    def parse(cls, data: bytes) -> Packet | None:
        """Return the packet in `data`; None when that is no RTP version 2."""
        if len(data) < _HEADER.size or data[0] >> 6 != 2:
            return None
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        start = _HEADER.size + 4 * (first & 0x0F)
        if first & 0x10:
            if len(data) < start + 4:
                return None
            start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
        end = len(data) - (data[-1] if first & 0x20 else 0)
        if end < start:
            return None
        payload = data[start:end]
        return cls(second & 0x7F, sequence, timestamp, ssrc, payload, bool(second & 0x80))


def event_payloads(digit: str, tone_ms: int) -> list[bytes]:
    """Return the payloads of a digit, one each 20 ms, the last one three times (RFC 4733 §2.5)."""
    event = EVENTS.index(digit)
    packets = max(1, tone_ms // 20)
    payloads = [_EVENT.pack(event, _VOLUME, 160 * n) for n in range(1, packets + 1)]
    return payloads + [_EVENT.pack(event, _VOLUME | _END, 160 * packets)] * 3


def tone_frames(frequency: float, payload_type: int = g711.PCMA, ptime_ms: int = 20) -> list[bytes]:
    """Return a second of a tone as G.711 payloads, seamless when repeated (whole Hz)."""
    data = g711.encode(payload_type, tone(frequency, 1.0))
    size = RATE * ptime_ms // 1000
    return [data[start : start + size] for start in range(0, len(data), size)]


class RtpEndpoint(asyncio.DatagramProtocol):
    """A socket that speaks and listens as a phone does.

    `await RtpEndpoint.open()`; put `.local` into the SDP; `connect(host, port)` with what the
    other SDP says; `send_tone(425)` (or `send_frames`), `send_digits("12#")`, `stop()`;
    then ask `frequency()`, `digits`, `received`, `payloads`. `close()` at the end.
    """

    def __init__(self, payload_type: int, dtmf_payload: int) -> None:
        self.payload_type = payload_type
        self.dtmf_payload = dtmf_payload
        self.remote: tuple[str, int] | None = None
        self.sent = 0
        """RTP packets sent."""
        self.received = 0
        """RTP packets received."""
        self.payloads: Counter[int] = Counter()
        """Packets received, by payload type."""
        self.sources: Counter[tuple[str, int]] = Counter()
        """Packets received, by where they came from."""
        self.digits = ""
        """RFC 4733 digits received, in order."""
        self.last_received_at: float | None = None
        """Loop time of the last packet."""
        self.heard: deque[Packet] = deque(maxlen=_HEARD_PACKETS)
        """The last minute of sound packets, as they came."""
        self._transport: asyncio.DatagramTransport | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._ssrc = random.getrandbits(32)
        self._sequence = random.getrandbits(15)
        self._timestamp = random.getrandbits(31)
        self._frames: Sequence[bytes] = ()
        self._position = 0
        self._repeat = True
        self._step = 160
        self._ptime_s = 0.02
        self._next_at = 0.0
        self._marker = True
        self._events: deque[tuple[bytes, bool]] = deque()
        self._event_timestamp = 0
        self._last_event: int | None = None
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    @classmethod
    async def open(
        cls,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        payload_type: int = g711.PCMA,
        dtmf_payload: int = 101,
    ) -> RtpEndpoint:
        """Bind a socket (`port` 0: a free one) and begin to listen."""
        endpoint = cls(payload_type, dtmf_payload)
        await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: endpoint, local_addr=(host, port)
        )
        return endpoint

    @property
    def local(self) -> tuple[str, int]:
        """Address and port, for the SDP."""
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")[:2]
        return host, port

    def connect(self, host: str, port: int, *, payload_type: int | None = None) -> None:
        """Send there from now on, in `payload_type` when given."""
        self.remote = (host, port)
        if payload_type is not None:
            self.payload_type = payload_type

    def send_tone(self, frequency: float) -> None:
        """Send G.711 of a tone (whole Hz) until `stop`; `payload_type` is 0 or 8."""
        self.send_frames(tone_frames(frequency, self.payload_type))

    def send_frames(
        self,
        frames: Sequence[bytes],
        *,
        repeat: bool = True,
        timestamp_step: int = 160,
        ptime_ms: int = 20,
    ) -> None:
        """Send these payloads, one each `ptime_ms`, from now on instead of what was sent."""
        self._frames, self._position, self._repeat = frames, 0, repeat
        self._step, self._ptime_s = timestamp_step, ptime_ms / 1000
        self._marker = True
        self._start()

    def send_digits(self, digits: str, *, tone_ms: int = 100, pause_ms: int = 60) -> None:
        """Send RFC 4733 events, one after another; sound pauses meanwhile."""
        for digit in digits.upper():
            payloads = event_payloads(digit, tone_ms)
            self._events.extend((payload, n == 0) for n, payload in enumerate(payloads))
            self._events.extend([(b"", False)] * (pause_ms // 20))
        self._start()

    def stop(self) -> None:
        """Send nothing more."""
        self._frames = ()
        self._events.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """Stop and free the socket."""
        self.stop()
        if self._transport is not None:
            self._transport.close()
        for _, waiter in self._waiters:
            waiter.cancel()

    @property
    def sending(self) -> bool:
        """Whether packets are still to be sent."""
        return self._timer is not None

    def pcm(self, seconds: float = 60.0) -> array[int]:
        """Return the G.711 sound of the last packets heard, at most `seconds` of it."""
        packets = [p for p in self.heard if p.payload_type in (g711.PCMA, g711.PCMU)]
        sound = array("h")
        for packet in packets[-int(seconds / 0.02) :]:
            sound.extend(g711.decode(packet.payload_type, packet.payload))
        return sound

    def frequency(self, seconds: float = 0.5) -> float:
        """Return the loudest tone of the last `seconds` heard, 0.0 when there was no sound."""
        return dominant_frequency(self.pcm(seconds))

    def forget(self) -> None:
        """Forget what was heard so far."""
        self.heard.clear()
        self.payloads.clear()
        self.sources.clear()
        self.digits = ""
        self.received = 0

    async def hear(self, packets: int = 1, timeout_s: float = 5.0) -> None:
        """Wait until `packets` more have come; TimeoutError when they do not."""
        waiter: asyncio.Future[None] = self._loop.create_future()
        entry = (self.received + packets, waiter)
        self._waiters.append(entry)
        try:
            await asyncio.wait_for(waiter, timeout_s)
        finally:
            self._waiters.remove(entry)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def error_received(self, exc: Exception) -> None:
        """Ignore port-unreachable answers: the other end may not listen yet."""

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        packet = Packet.parse(data)
        if packet is None:
            return
        self.received += 1
        self.payloads[packet.payload_type] += 1
        self.sources[(addr[0], addr[1])] += 1
        self.last_received_at = self._loop.time()
        if packet.payload_type == self.dtmf_payload:
            self._event_received(packet)
        else:
            self.heard.append(packet)
        for count, waiter in self._waiters:
            if self.received >= count and not waiter.done():
                waiter.set_result(None)

    def _event_received(self, packet: Packet) -> None:
        if packet.timestamp == self._last_event or len(packet.payload) < _EVENT.size:
            return
        self._last_event = packet.timestamp
        if packet.payload[0] < len(EVENTS):
            self.digits += EVENTS[packet.payload[0]]

    def _start(self) -> None:
        if self._timer is None:
            self._next_at = self._loop.time()
            self._timer = self._loop.call_soon(self._tick)

    def _tick(self) -> None:
        if self._events:
            self._send_event()
        elif self._position < len(self._frames):
            self._send(self.payload_type, self._timestamp, self._frames[self._position])
            self._position += 1
            if self._repeat:
                self._position %= len(self._frames)
        else:
            self._timer = None
            return
        self._timestamp = (self._timestamp + self._step) & 0xFFFFFFFF
        # Late ticks are made up for, but never more than a few at once.
        self._next_at = max(self._next_at + self._ptime_s, self._loop.time() - 0.1)
        self._timer = self._loop.call_at(self._next_at, self._tick)

    def _send_event(self) -> None:
        payload, first = self._events.popleft()
        if not payload:
            return
        if first:
            self._event_timestamp = self._timestamp
            self._marker = True
        self._send(self.dtmf_payload, self._event_timestamp, payload)

    def _send(self, payload_type: int, timestamp: int, payload: bytes) -> None:
        if self.remote is None or self._transport is None or self._transport.is_closing():
            return
        packet = Packet(payload_type, self._sequence, timestamp, self._ssrc, payload, self._marker)
        self._marker = False
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._transport.sendto(bytes(packet), self.remote)
        self.sent += 1
