"""UDPTL: the packets of T.38 over UDP (ITU-T T.38 §9.1), each with copies of those before it.

A datagram holds a sequence number, one IFP packet (what the fax modems say) and, for those that
were lost, the packets before it once more (redundancy) or parity of them, which is not used here.
Pure values; whatever the network sends either parses or is `Junk`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

__all__ = ["Arrivals", "Junk", "Sender", "parse"]

MAX_IFP_BYTES = 1024
_MAX_COPIES = 64
_PARITY = 0x80
_TURN = 0x10000
_AHEAD = 1024
"""A packet so far ahead is no successor: the peer has begun to count anew, or it is junk."""
_STRANGE = 4
"""So many in a row that do not follow mean that the peer has begun to count anew."""


class Junk(ValueError):
    """A datagram is no UDPTL."""


@dataclass(frozen=True, slots=True)
class Datagram:
    """`ifp` has number `number`; `before`: the ones before it, the latest first."""

    number: int
    ifp: bytes
    before: tuple[bytes, ...] = ()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise Junk("cut short")
        taken, self._at = self._data[self._at : end], end
        return taken

    def length(self) -> int:
        """Read a length as aligned PER writes it (X.691 §11.9); fragments are not taken."""
        first = self.take(1)[0]
        if first < 0x80:
            return first
        if first & 0x40:
            raise Junk("a length in fragments")
        return (first & 0x3F) << 8 | self.take(1)[0]

    def packet(self) -> bytes:
        length = self.length()
        if length > MAX_IFP_BYTES:
            raise Junk("a packet of too many bytes")
        return self.take(length)


def parse(data: bytes) -> Datagram:
    """Read a datagram; raises `Junk`."""
    reader = _Reader(data)
    number = int.from_bytes(reader.take(2), "big")
    ifp = reader.packet()
    if not ifp:
        raise Junk("nothing in it")
    if reader.take(1)[0] & _PARITY:
        return Datagram(number, ifp)
    count = reader.length()
    if count > _MAX_COPIES:
        raise Junk("too many copies")
    return Datagram(number, ifp, tuple(reader.packet() for _ in range(count)))


class Arrivals:
    """Puts what arrives into order: each packet once, lost ones from later copies."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._strange = 0

    def take(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the IFP packets, with their numbers, that a datagram brings; raises `Junk`."""
        datagram = parse(data)
        if self._next is None:
            self._next = datagram.number
        ahead = (datagram.number - self._next) % _TURN
        if ahead >= _AHEAD:
            late = _TURN - ahead < _AHEAD
            self._strange = 0 if late else self._strange + 1
            if self._strange < _STRANGE:
                return []
            ahead = 0
        self._strange = 0
        self._next = (datagram.number + 1) % _TURN
        missed = datagram.before[:ahead][::-1]
        packets = [
            ((datagram.number - back) % _TURN, ifp)
            for back, ifp in zip(range(len(missed), 0, -1), missed, strict=True)
            if ifp
        ]
        return [*packets, (datagram.number, datagram.ifp)]


class Sender:
    """Writes datagrams: each IFP packet with up to `copies` of the ones before it."""

    def __init__(self, copies: int = 3, most_bytes: int = 1400) -> None:
        self._number = 0
        self._most_bytes = most_bytes
        self._before: deque[bytes] = deque(maxlen=copies)

    def write(self, ifp: bytes) -> bytes:
        """Return the next datagram. Copies that would make it longer than may be are left out."""
        head = self._number.to_bytes(2, "big") + _length(len(ifp)) + ifp + b"\0"
        room = self._most_bytes - len(head) - 1
        copies = b""
        count = 0
        for earlier in self._before:
            copy = _length(len(earlier)) + earlier
            if len(copies) + len(copy) > room:
                break
            copies, count = copies + copy, count + 1
        self._before.appendleft(ifp)
        self._number = (self._number + 1) % _TURN
        return head + _length(count) + copies


def _length(count: int) -> bytes:
    return bytes([count]) if count < 0x80 else (0x8000 | count).to_bytes(2, "big")
