"""From pcap files to each side's sound, everything at its moment.

RTPProxy records both sides into one pcap file: packets as they came, with the time they came
at and the port of ours they came to, which tells the sides apart. They are placed by RTP
timestamp (so network jitter is not heard, loss and suppressed silence stay as long as they
were), anchored by arrival time where a stream begins (a late start, another phone taking
over, a new SSRC).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import TypeAlias

from . import g711

_FILE_HEADER = 24
_LOOKED_THROUGH = 65_536
"""Bytes: eight seconds in which one side speaks."""
_MAGIC = 0xA1B2C3D4
_RECORD = struct.Struct("<IIII")
_RTP_AT = 14 + 20 + 8  # Ethernet, IP without options, UDP: what RTPProxy writes before RTP
_PORT_RTP = struct.Struct("!H4xBBHII")
_PORT_BEFORE = 6  # UDP's destination port, length and checksum
_PORTS = re.compile(r"[^.]*\.(\d+)\.(\d+)\.rtp")

G722, OPUS = 9, "opus"
_CLOCK = {"PCMU": 8000, "PCMA": 8000, "G722": 8000, OPUS: 48000}
_STATIC = {g711.PCMU: "PCMU", g711.PCMA: "PCMA", G722: "G722"}
_FIRST_DYNAMIC = 96
_EVENT_BYTES = 4
_REANCHOR_S = 0.4
"""How far a packet may be from where its timestamp puts it before that is not believed."""


@dataclass(slots=True)
class Run:
    """Packets of one codec that follow each other without a gap."""

    codec: str
    start_s: float
    """Since the beginning of the timeline's epoch (that of the arrival times)."""
    payloads: list[bytes]


Captured: TypeAlias = tuple[float, int, int, int, int, bytes, int]
"""Of a packet: arrival time, payload type, sequence, timestamp, SSRC, payload, port of ours."""


def packets(file: Path) -> Iterator[Captured]:
    """Yield the packets of a file in the order they came.

    A file cut short (a crash, a full disk) gives what is whole.
    """
    data = file.read_bytes()
    if len(data) < _FILE_HEADER or int.from_bytes(data[:4], "little") != _MAGIC:
        return
    at, end = _FILE_HEADER, len(data)
    record, rtp = _RECORD.unpack_from, _PORT_RTP.unpack_from
    while at + 16 + _RTP_AT + 12 <= end:
        seconds, micros, length, _ = record(data, at)
        start = at + 16 + _RTP_AT
        at += 16 + length
        if at > end or length < _RTP_AT + 12:
            continue
        port, first, second, sequence, timestamp, ssrc = rtp(data, start - _PORT_BEFORE)
        start += 12
        if first != 0x80:
            if first >> 6 != 2:
                continue
            start += 4 * (first & 0x0F)
            if first & 0x10:
                start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
        stop = at - data[at - 1] if first & 0x20 else at
        if stop > start:
            arrived = seconds + micros / 1e6
            yield arrived, second & 0x7F, sequence, timestamp, ssrc, data[start:stop], port


def codec_of(payload_type: int, payload: bytes, names: Mapping[int, str]) -> str | None:
    """Return the codec of a packet, None for what is no voice.

    Of the codecs the switch lets through only Opus and telephone-event have dynamic types,
    and an event is four bytes long, which a packet of Opus practically never is.
    """
    name = _STATIC.get(payload_type) or names.get(payload_type)
    if name is None and payload_type >= _FIRST_DYNAMIC and len(payload) != _EVENT_BYTES:
        name = OPUS
    return name if name in _CLOCK else None


def holds_voice(file: Path) -> bool:
    """Say whether a file becomes a recording that can be heard; digits and comfort noise cannot.

    Others are told of a recording before it is made. Nobody presses keys for as long as a longer
    file lasts, and says nothing. OSError: it cannot be read.
    """
    size = file.stat().st_size
    return size > _LOOKED_THROUGH or (
        size > _FILE_HEADER
        and any(codec_of(packet[1], packet[5], {}) is not None for packet in packets(file))
    )


def runs(files: Iterable[Path], names: Mapping[int, str]) -> tuple[list[Run], list[Run]]:
    """Return the sound of sides A and B as runs in order of time."""
    sides: tuple[list[Captured], list[Captured]] = ([], [])
    for file in files:
        ports = _PORTS.fullmatch(file.name)
        if ports is None:
            continue  # nobody could say whose it is
        port_a, port_b = map(int, ports.groups())
        for packet in packets(file):
            if packet[6] == port_a:
                sides[0].append(packet)
            elif packet[6] == port_b:
                sides[1].append(packet)
    return _runs(sides[0], names), _runs(sides[1], names)


def _runs(side: list[Captured], names: Mapping[int, str]) -> list[Run]:
    side.sort(key=itemgetter(0))
    found: list[Run] = []
    for _, stream in groupby(side, key=itemgetter(4)):
        _place(list(stream), names, found)
    found.sort(key=lambda run: run.start_s)
    return found


def _place(
    stream: list[Captured],
    names: Mapping[int, str],
    found: list[Run],
) -> None:
    """Add the runs of one stream (one SSRC) to `found`."""
    anchor_s, anchor_ts, seen = 0.0, -1, -1
    expected: tuple[str, int] | None = None
    run: Run | None = None
    for arrived, payload_type, sequence, timestamp, _, payload, _ in _in_sequence(stream):
        codec = codec_of(payload_type, payload, names)
        if codec is None or sequence == seen:
            continue
        seen = sequence
        clock = _CLOCK[codec]
        ahead = (timestamp - anchor_ts + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        start_s = anchor_s + ahead / clock
        if anchor_ts < 0 or abs(arrived - start_s) > _REANCHOR_S:
            anchor_s, anchor_ts, start_s = arrived, timestamp, arrived
            run = None
        if run is None or expected != (codec, timestamp):
            run = Run(codec, start_s, [])
            found.append(run)
        run.payloads.append(payload)
        expected = (codec, timestamp + _ticks(codec, payload) & 0xFFFFFFFF)


def _in_sequence(stream: list[Captured]) -> list[Captured]:
    """Put packets that overtook each other back in order; duplicates become neighbours."""
    high, last, keys = 0, stream[0][2], []
    for packet in stream:
        sequence = packet[2]
        step = (sequence - last + 0x8000 & 0xFFFF) - 0x8000
        high += step
        last = sequence
        keys.append(high)
    if all(a < b for a, b in pairwise(keys)):
        return stream
    order = sorted(range(len(stream)), key=keys.__getitem__)
    return [stream[index] for index in order]


def _ticks(codec: str, payload: bytes) -> int:
    """Return how much later, in RTP time, the packet after this one begins."""
    return opus_samples(payload) if codec == OPUS else len(payload)


_OPUS_SILK_MS = (10, 20, 40, 60)
_OPUS_CELT_MS = (2.5, 5, 10, 20)


def opus_samples(packet: bytes) -> int:
    """Return the length of an Opus packet in samples at 48 kHz (RFC 6716 §3.1)."""
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        frame_ms: float = _OPUS_SILK_MS[config & 3]
    elif config < 16:
        frame_ms = (10, 20)[config & 1]
    else:
        frame_ms = _OPUS_CELT_MS[config & 3]
    frames = (1, 2, 2, packet[1] & 0x3F if len(packet) > 1 else 0)[code]
    return int(48 * frame_ms * frames)
