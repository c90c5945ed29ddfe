"""Socket filters (classic BPF): the kernel drops what may not come to a media port.

A filter sees a datagram from its UDP header on; the IP header is reached by a negative offset.
What is loaded from beyond a packet's end drops it, so no length is checked.
"""

from __future__ import annotations

import socket
import struct
from functools import lru_cache
from typing import TypeAlias

Source: TypeAlias = tuple[str, int | None]
"""IPv4 address and UDP port; None: any port of it."""

_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE = 0x20, 0x28, 0x30
_AND, _EQUAL, _AT_LEAST, _RETURN = 0x54, 0x15, 0x35, 0x06
_SOURCE_ADDRESS = (-0x100000 + 12) & 0xFFFFFFFF
_SOURCE_PORT, _FIRST, _SECOND, _SSRC = 0, 8, 9, 16
_VERSION_MASK, _VERSION_2, _TYPE_MASK = 0xC0, 0x80, 0x7F
_RTCP_FIRST, _RTCP_LAST = 200, 211
_WHOLE = 0x40000
_INSTRUCTION = struct.Struct("=HBBI")
_NEXT = ""

NOTHING = _INSTRUCTION.pack(_RETURN, 0, 0, 0)
"""Lets nothing through."""
EVERYTHING = _INSTRUCTION.pack(_RETURN, 0, 0, _WHOLE)


class _Program:
    """Instructions whose jumps name labels and whose values may be filled in later."""

    def __init__(self) -> None:
        self._lines: list[tuple[int, int | None, str, str]] = []
        self._labels: dict[str, int] = {}

    def add(self, code: int, value: int | None, yes: str = _NEXT, no: str = _NEXT) -> None:
        """Add an instruction; value None: the next of those given to `_Template.fill`."""
        self._lines.append((code, value, yes, no))

    def label(self, name: str) -> None:
        """Name the next instruction."""
        self._labels[name] = len(self._lines)

    def sources(self, ports: tuple[bool, ...], *, checked: bool = True) -> None:
        """Drop a packet that is from none of the sources; `checked`: or not of RTP's version,
        and load its second byte."""
        for number, with_port in enumerate(ports):
            self.label(f"source {number}")
            following = f"source {number + 1}"
            self.add(_LOAD_WORD, _SOURCE_ADDRESS)
            self.add(_EQUAL, None, _NEXT if with_port else "check", following)
            if with_port:
                self.add(_LOAD_HALF, _SOURCE_PORT)
                self.add(_EQUAL, None, "check", following)
        self.label(f"source {len(ports)}")
        self.add(_RETURN, 0)
        self.label("check")
        if not checked:
            return
        self.add(_LOAD_BYTE, _FIRST)
        self.add(_AND, _VERSION_MASK)
        self.add(_EQUAL, _VERSION_2, _NEXT, "drop")
        self.add(_LOAD_BYTE, _SECOND)

    def end(self) -> _Template:
        """Add the two ends, "drop" and "take", and resolve the labels."""
        self.label("drop")
        self.add(_RETURN, 0)
        self.label("take")
        self.add(_RETURN, _WHOLE)
        return _Template(
            b"".join(
                _INSTRUCTION.pack(code, self._skip(yes, at), self._skip(no, at), value or 0)
                for at, (code, value, yes, no) in enumerate(self._lines)
            ),
            tuple(8 * at + 4 for at, line in enumerate(self._lines) if line[1] is None),
        )

    def _skip(self, name: str, at: int) -> int:
        return self._labels[name] - at - 1 if name else 0


class _Template:
    """A program with places for addresses, ports and an SSRC."""

    def __init__(self, program: bytes, places: tuple[int, ...]) -> None:
        self._program = program
        self._places = places

    def fill(self, values: list[int]) -> bytes:
        program = bytearray(self._program)
        for place, value in zip(self._places, values, strict=True):
            struct.pack_into("=I", program, place, value)
        return bytes(program)


@lru_cache(1024)
def _rtp(
    ports: tuple[bool, ...], payloads: tuple[int, ...], events: int | None, with_ssrc: bool
) -> _Template:
    program = _Program()
    program.sources(ports)
    program.add(_AND, _TYPE_MASK)
    if events is not None:
        program.add(_EQUAL, events, "take", _NEXT)
    if payloads:
        for payload in payloads:
            program.add(_EQUAL, payload, "type", _NEXT)
        program.add(_RETURN, 0)
    program.label("type")
    program.add(_LOAD_WORD, _SSRC)
    if with_ssrc:
        program.add(_EQUAL, None, "take", "drop")
    else:
        program.add(_RETURN, _WHOLE)
    return program.end()


@lru_cache(64)
def _udp(ports: tuple[bool, ...]) -> _Template:
    program = _Program()
    program.sources(ports, checked=False)
    program.add(_RETURN, _WHOLE)
    return program.end()


@lru_cache(64)
def _rtcp(ports: tuple[bool, ...]) -> _Template:
    program = _Program()
    program.sources(ports)
    program.add(_AT_LEAST, _RTCP_FIRST, _NEXT, "drop")
    program.add(_AT_LEAST, _RTCP_LAST + 1, "drop", "take")
    return program.end()


def _values(sources: tuple[Source, ...]) -> tuple[tuple[bool, ...], list[int]]:
    """Return which sources name a port, and the numbers of all of them."""
    values = []
    for host, port in sources:
        values.append(int.from_bytes(socket.inet_aton(host), "big"))
        if port is not None:
            values.append(port)
    return tuple(port is not None for _, port in sources), values


def rtp_filter(
    sources: tuple[Source, ...],
    payloads: tuple[int, ...] = (),
    ssrc: int | None = None,
    events: int | None = None,
) -> bytes:
    """Let RTP of these sources and payload types through (none given: of all types), with this
    SSRC when one is given; the type `events` with any SSRC."""
    ports, values = _values(sources)
    if ssrc is not None:
        values.append(ssrc)
    return _rtp(ports, payloads, events, ssrc is not None).fill(values)


def rtcp_filter(sources: tuple[Source, ...]) -> bytes:
    """Let RTCP of these sources through."""
    ports, values = _values(sources)
    return _rtcp(ports).fill(values)


def udp_filter(sources: tuple[Source, ...]) -> bytes:
    """Let whatever these sources send through."""
    ports, values = _values(sources)
    return _udp(ports).fill(values)
