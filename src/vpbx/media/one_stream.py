"""Whoever speaks, an encrypted leg hears one stream: one SSRC, whose numbers and times go on.

Music, a prompt, a colleague after a transfer, who whispers: each comes with an SSRC, numbers and
timestamps of its own. To a desk phone that is nothing new. A browser plays a track, and a track
is an SSRC (RFC 8834 §4.1, RFC 9429 §5.10): once others have spoken it may stay silent for the
rest of the call. So we are one source towards such a leg (RFC 3550 §7.1), and what is passed on
is numbered anew where the speaker changes. Standard library only: the SRTP process loads it.
"""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass

CNAME = "vpbx"
_HEADER = struct.Struct("!BBHII")
_REPORT = struct.Struct("!I")
_DROPOUT, _MISORDER = 3000, 100
"""RFC 3550 appendix A.1."""
_RATE = 8000
_EARLY_S, _LATE_S = 0.1, 0.3
"""So far the clock of a speaker may be from ours and still count as going on."""
_EVENT_S = 10.0
"""The timestamp of a telephone-event is that of its beginning (RFC 4733 §2.1)."""
_MOST_SOURCES = 8
_SR, _RR, _SDES = 200, 201, 202
_SR_BYTES, _RR_BYTES, _BLOCK_BYTES = 28, 8, 24
_MARKER = 0x80


@dataclass(slots=True)
class _Source:
    """One who speaks; what is added to their numbers and times, modulo 2^16 and 2^32."""

    ssrc: int
    highest: int = 0
    cycles: int = 0
    """How often their numbers have begun anew, times 2^16 (RFC 3550 appendix A.1)."""
    add_number: int = 0
    add_time: int = 0
    timestamp: int = 0
    """The one heard last."""

    def count(self, number: int) -> None:
        """Note the number that is the highest now."""
        if number < self.highest:
            goes_on = (number - self.highest) & 0xFFFF < 0x8000
            self.cycles = (self.cycles + 0x10000 if goes_on else 0) & 0xFFFF0000
        self.highest = number

    def counted(self, number: int) -> int:
        """Return a number that was heard, with its cycles, as RTCP has it."""
        whole = self.cycles + self.highest - ((self.highest - number) & 0xFFFF)
        return whole if whole >= 0 else number


class OneStream:
    """What a leg is sent. `rates` (payload type → clock rate in Hz, 8000 where it is not there)
    and `events` (the payload type of telephone-event) are as its description says."""

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        self.rates: dict[int, int] = {}
        self.events: int | None = None
        self._sources: dict[int, _Source] = {}
        self._now: _Source | None = None
        self._number = secrets.randbelow(1 << 15)
        self._time, self._at = secrets.randbelow(1 << 31), 0.0
        """The newest timestamp that was sent, and when."""
        self._spoken = False

    def pass_on(self, data: bytes, now: float) -> bytes:
        """Return an RTP packet as one of the stream; struct.error: it is none."""
        first, second, number, timestamp, ssrc = _HEADER.unpack_from(data)
        source, kind = self._now, second & 0x7F
        step = (number - source.highest) & 0xFFFF if source is not None else 0
        if source is None or source.ssrc != ssrc or _DROPOUT <= step < 0x10000 - _MISORDER:
            source, step = self._turn(ssrc, number, timestamp, kind, now), 0
            if kind != self.events:
                second |= _MARKER
        if step < _DROPOUT:
            source.count(number)
            source.timestamp = timestamp
        out = (number + source.add_number) & 0xFFFF
        time = (timestamp + source.add_time) & 0xFFFFFFFF
        if step < _DROPOUT:
            self._number = out
            if kind != self.events:
                self._time, self._at, self._spoken = time, now, True
        return _HEADER.pack(first, second, out, time, self.ssrc) + data[_HEADER.size :]

    def _turn(self, ssrc: int, number: int, timestamp: int, kind: int, now: float) -> _Source:
        """Let another one speak (or one begin anew): where do their numbers and times go on?"""
        known = self._sources.pop(ssrc, None)
        source = known or _Source(ssrc)
        source.add_number = (self._number + 1 - number) & 0xFFFF
        rate = self.rates.get(kind, _RATE)
        due = self._time + (int((now - self._at) * rate) if self._spoken else 0)
        if known is None or not self._goes_on(known, timestamp, kind, due, rate):
            source.add_time = (due - timestamp) & 0xFFFFFFFF
        source.count(number)
        self._sources[ssrc] = self._now = source
        if len(self._sources) > _MOST_SOURCES:
            del self._sources[next(iter(self._sources))]
        return source

    def _goes_on(self, known: _Source, timestamp: int, kind: int, due: int, rate: int) -> bool:
        """Say whether the times of who spoke before can be counted on from there."""
        if kind == self.events and timestamp == known.timestamp:
            return True  # the same key press, whoever else spoke meanwhile
        ahead = (timestamp + known.add_time - due + 0x80000000) % (1 << 32) - 0x80000000
        late_s = _EVENT_S if kind == self.events else _LATE_S
        return -late_s * rate <= ahead <= _EARLY_S * rate

    def report(self, data: bytes) -> bytes:
        """Return RTCP of who speaks as that of the stream; "" where nothing of it is for it.

        What they say of themselves is ours now: SSRC and CNAME; that somebody leaves (BYE) is
        nobody's business, and feedback and extensions would mean another stream than ours.
        """
        kept = b""
        for kind, padded in _packets(data):
            packet = _unpadded(padded)  # only the last of all may be (§6.4.1): that is our name
            begin = {_SR: _SR_BYTES, _RR: _RR_BYTES}.get(kind)
            if begin is None or len(packet) < begin + _BLOCK_BYTES * (packet[0] & 31):
                continue
            if kind == _SR:
                (ssrc,) = _REPORT.unpack_from(packet, 4)
                source = self._now
                if source is not None and source.ssrc == ssrc:
                    (time,) = _REPORT.unpack_from(packet, 16)
                    time = (time + source.add_time) & 0xFFFFFFFF
                    ours = _REPORT.pack(self.ssrc)
                    middle, rest = packet[8:16], packet[20:]
                    kept += packet[:4] + ours + middle + _REPORT.pack(time) + rest
            else:
                kept += packet[:4] + _REPORT.pack(self.ssrc) + packet[8:]
        return kept + self._name() if kept else b""

    def _name(self) -> bytes:
        item = bytes((1, len(CNAME))) + CNAME.encode() + b"\0"
        item += bytes(-len(item) % 4)
        words = (4 + len(item)) // 4
        return bytes((0x81, _SDES)) + struct.pack("!H", words) + _REPORT.pack(self.ssrc) + item

    def heard_of(self, data: bytes) -> bytes:
        """Return RTCP of the leg with what it says of the stream said of who speaks."""
        source = self._now
        if source is None:
            return data
        out = bytearray()
        for kind, packet in _packets(data):
            begin = {_SR: _SR_BYTES, _RR: _RR_BYTES}.get(kind)
            changed = bytearray(packet)
            if begin is not None:
                for at in range(begin, begin + _BLOCK_BYTES * (packet[0] & 31), _BLOCK_BYTES):
                    if at + _BLOCK_BYTES > len(packet):
                        break
                    (ssrc,) = _REPORT.unpack_from(packet, at)
                    if ssrc == self.ssrc:
                        (highest,) = _REPORT.unpack_from(packet, at + 8)
                        highest = (highest - source.add_number) & 0xFFFF
                        _REPORT.pack_into(changed, at, source.ssrc)
                        _REPORT.pack_into(changed, at + 8, source.counted(highest))
            out += changed
        return bytes(out)


def _unpadded(packet: bytes) -> bytes:
    """Return an RTCP packet without its padding; of one that is wrongly
    padded too little to be one."""
    if not packet[0] & 0x20:
        return packet
    size = len(packet) - packet[-1]
    if size < 4 or size % 4 or size == len(packet):
        return packet[:1]
    words = (size // 4 - 1).to_bytes(2, "big")
    return bytes((packet[0] & ~0x20, packet[1])) + words + packet[4:size]


def _packets(data: bytes) -> list[tuple[int, bytes]]:
    """Split compound RTCP into (type, packet); what is cut off is left out."""
    found, at = [], 0
    while at + 4 <= len(data) and data[at] >> 6 == 2:
        end = at + 4 * (1 + int.from_bytes(data[at + 2 : at + 4], "big"))
        if end > len(data):
            break
        found.append((data[at + 1], data[at:end]))
        at = end
    return found
