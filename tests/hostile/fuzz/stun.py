"""STUN (RFC 8489), RTP and RTCP datagrams, nearly right."""

from __future__ import annotations

import struct

from tests.hostile.fuzz.chance import Chance

_COOKIE = 0x2112A442
_TYPES = (0x0001, 0x0011, 0x0101, 0x0111, 0x0003, 0x0004, 0x0016, 0x3FFF, 0x0000)
_ATTRIBUTES = (
    *(0x0001, 0x0006, 0x0008, 0x0009, 0x000A, 0x0014, 0x0015, 0x0020, 0x0024, 0x0025),
    *(0x8022, 0x8023, 0x8028, 0x8029, 0x802A, 0xFFFF),
)


def stun(c: Chance) -> bytes:
    """A STUN message."""
    body = b""
    for _ in range(c.randint(0, 8)):
        value = c.randbytes(c.choice((0, 1, 4, 8, 20, 32, 300)))
        length = len(value) if c.maybe(0.8) else c.choice((0, 3, 0xFFFF, len(value) + 1))
        body += struct.pack("!HH", c.choice(_ATTRIBUTES), length) + value
        if c.maybe(0.9):
            body += bytes(-len(value) % 4)
    length = len(body) if c.maybe(0.8) else c.choice((0, 1, 0xFFFF, len(body) + 4))
    cookie = _COOKIE if c.maybe(0.9) else c.getrandbits(32)
    return struct.pack("!HHI", c.choice(_TYPES), length, cookie) + c.randbytes(12) + body


def rtp(c: Chance) -> bytes:
    """An RTP or RTCP packet."""
    first = c.choice((0x80, 0x80, 0x90, 0xB0, 0x8F, 0xA0, 0x00, 0xC0))
    kind = c.choice((0, 8, 101, 111, 200, 201, 203, 205, 255))
    header = struct.pack("!BBHII", first, kind, c.getrandbits(16), c.getrandbits(32), 7)
    return header[: c.choice((12, 12, 12, 0, 3, 11))] + c.randbytes(c.choice((0, 4, 160, 1400)))


def datagram(c: Chance) -> bytes:
    """Any of them, cut now and then."""
    data = stun(c) if c.maybe(0.7) else rtp(c)
    return data[: c.randint(0, len(data))] if c.maybe(0.1) else data
