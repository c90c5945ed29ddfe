"""UDPTL: the packets of T.38 over UDP (ITU-T T.38 §9.1), each with copies of those before it.

A datagram holds a sequence number, one IFP packet (what the fax modems say) and, for those that
were lost, the packets before it once more (redundancy) or parity of them (§9.1.4): of groups of
packets, each exclusive-or'ed, so that one packet lost of each group can be made anew. We send
redundancy and read both. Pure values; whatever the network sends either parses or is `Junk`.
"""

from __future__ import annotations

from collections import deque

from vpbx.frozen import dataclass

__all__ = ["Arrivals", "Junk", "Sender", "parse"]

MAX_IFP_BYTES = 1024
_MAX_COPIES = 64
_MAX_COVERED = 128
"""Packets that the parity of one datagram speaks of, at most; others are kept as long."""
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
    parity: tuple[bytes, ...] = ()
    """One of each group; group `m` holds each `len(parity)`-th packet, the latest of them the
    one with number `number - len(parity) + m`."""
    span: int = 0
    """How many packets are in a group."""

    def group(self, which: int) -> range:
        """Return how far before this one the packets of a group are, the latest first."""
        apart = len(self.parity)
        return range(apart - which, apart - which + self.span * apart, apart)


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
        try:
            span, parity = _parity(reader)
        except Junk:  # the packet itself is whole
            return Datagram(number, ifp)
        return Datagram(number, ifp, parity=parity, span=span)
    count = reader.length()
    if count > _MAX_COPIES:
        raise Junk("too many copies")
    return Datagram(number, ifp, tuple(reader.packet() for _ in range(count)))


def _parity(reader: _Reader) -> tuple[int, tuple[bytes, ...]]:
    """Read how many packets are in a group, and the parity of each group."""
    if reader.take(1) != b"\x01":
        raise Junk("a number of more than one byte")
    span, groups = reader.take(1)[0], reader.length()
    if span * groups > _MAX_COVERED or groups > _MAX_COPIES:
        raise Junk("parity of too many packets")
    return span, tuple(reader.packet() for _ in range(groups))


class Arrivals:
    """Puts what arrives into order: each packet once, lost ones from later copies or parity."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._strange = 0
        self._kept: dict[int, bytes] = {}
        """The last packets by number, for who sends parity of them."""

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
            self._kept.clear()
        self._strange = 0
        self._next = (datagram.number + 1) % _TURN
        before = dict(enumerate(datagram.before[:ahead], 1))
        if datagram.parity:
            before = self._made_anew(datagram, ahead)
        packets = [
            ((datagram.number - back) % _TURN, ifp)
            for back, ifp in sorted(before.items(), reverse=True)
            if ifp
        ]
        packets.append((datagram.number, datagram.ifp))
        self._keep(packets)
        return packets

    def _made_anew(self, datagram: Datagram, ahead: int) -> dict[int, bytes]:
        """Return those of the `ahead` packets missing before a datagram that its parity gives:
        by how far before it they are."""
        found = {}
        for which, parity in enumerate(datagram.parity):
            group = {
                back: self._kept.get((datagram.number - back) % _TURN)
                for back in datagram.group(which)
            }
            lost = [back for back, ifp in group.items() if ifp is None]
            if len(lost) == 1 and lost[0] <= ahead:
                whole = bytearray(parity)
                for ifp in group.values():
                    for at, byte in enumerate((ifp or b"")[: len(whole)]):
                        whole[at] ^= byte
                found[lost[0]] = bytes(whole)
        return found

    def _keep(self, packets: list[tuple[int, bytes]]) -> None:
        for number, ifp in packets:
            self._kept.pop(number, None)
            self._kept[number] = ifp
        while len(self._kept) > _MAX_COVERED:
            del self._kept[next(iter(self._kept))]


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
