"""RTCP as far as it tells of quality: sender and receiver reports (RFC 3550 §6.4)."""

from __future__ import annotations

import struct

from vpbx.frozen import dataclass

__all__ = ["Block", "Reports", "parse"]

_VERSION = 2
_SENDER, _RECEIVER, _LAST_TYPE = 200, 201, 223
_HEADER = struct.Struct("!BBHI")
_SENDER_INFO = struct.Struct("!IIIII")
_BLOCK = struct.Struct("!IIIIII")
_MOST_BYTES = 1500


@dataclass(frozen=True, slots=True)
class Block:
    """What somebody says of what it receives from one source."""

    ssrc: int
    fraction: int
    """Of the packets since its last report, those lost, in 256ths."""
    lost: int
    """Packets lost since it began to receive; negative: more came than were sent."""
    highest: int
    """Sequence number received last, with the count of its wraps above 16 bits."""
    jitter: int
    """In units of the codec's clock."""
    lsr: int
    """The middle of the NTP time in the sender report that it had last; 0: it had none."""
    dlsr: int
    """How long ago it had that, in 65,536ths of a second."""


@dataclass(frozen=True, slots=True)
class Reports:
    """What a compound packet says."""

    ssrc: int
    """Of who sent it."""
    stamp: int
    """The middle of the NTP time of its sender report; 0: there is none in it."""
    blocks: tuple[Block, ...]


def parse(data: bytes) -> Reports | None:
    """Return what a compound packet says; None where it is none (RFC 3550 A.2)."""
    if not 8 <= len(data) <= _MOST_BYTES or len(data) % 4 or data[1] not in (_SENDER, _RECEIVER):
        return None
    at, ssrc, stamp = 0, int.from_bytes(data[4:8], "big"), 0
    blocks: list[Block] = []
    while at < len(data):
        if len(data) - at < 4:
            return None
        first, kind, words = data[at], data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 4 * (words + 1)
        if first >> 6 != _VERSION or not _SENDER <= kind <= _LAST_TYPE or end > len(data):
            return None
        if first & 0x20 and end != len(data):
            return None  # only the last one may be padded
        if kind in (_SENDER, _RECEIVER):
            found = _report(data, at, end)
            if found is None:
                return None
            stamp = found[0] or stamp
            blocks += found[1]
        at = end
    return Reports(ssrc, stamp, tuple(blocks))


def _report(data: bytes, at: int, end: int) -> tuple[int, list[Block]] | None:
    stamp, start = 0, at + _HEADER.size
    if data[at + 1] == _SENDER:
        if end - start < _SENDER_INFO.size:
            return None
        seconds, fraction = struct.unpack_from("!II", data, start)
        stamp = (seconds & 0xFFFF) << 16 | fraction >> 16
        start += _SENDER_INFO.size
    many = data[at] & 0x1F
    if end - start < many * _BLOCK.size:
        return None
    blocks = []
    for place in range(start, start + many * _BLOCK.size, _BLOCK.size):
        ssrc, lost, highest, jitter, lsr, dlsr = _BLOCK.unpack_from(data, place)
        signed = (lost & 0xFFFFFF ^ 0x800000) - 0x800000
        blocks.append(Block(ssrc, lost >> 24, signed, highest, jitter, lsr, dlsr))
    return stamp, blocks
