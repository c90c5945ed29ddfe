"""RTCP as a phone sends it (RFC 3550 §6.4)."""

from __future__ import annotations

import struct

from vpbx.media.rtcp import Block

_VERSION = 2
_SENDER, _RECEIVER = 200, 201
_HEADER = struct.Struct("!BBHI")
_SENDER_INFO = struct.Struct("!IIIII")
_BLOCK = struct.Struct("!IIIIII")


def build_report(
    ssrc: int, blocks: tuple[Block, ...] = (), *, ntp: float | None = None, packets: int = 0
) -> bytes:
    """Return a report: of a sender where `ntp` (seconds since 1900) is given."""
    body = b""
    if ntp is not None:
        seconds = int(ntp)
        fraction = int((ntp - seconds) * (1 << 32))
        body = _SENDER_INFO.pack(seconds & 0xFFFFFFFF, fraction, 0, packets, packets * 160)
    for block in blocks:
        lost = block.fraction << 24 | block.lost & 0xFFFFFF
        body += _BLOCK.pack(block.ssrc, lost, block.highest, block.jitter, block.lsr, block.dlsr)
    kind = _RECEIVER if ntp is None else _SENDER
    words = (_HEADER.size + len(body)) // 4 - 1
    report = _HEADER.pack(_VERSION << 6 | len(blocks), kind, words, ssrc) + body
    name = b"\x01\x05phone\x00"
    return report + _HEADER.pack(_VERSION << 6 | 1, 202, 1 + len(name) // 4, ssrc) + name
