"""Codecs compared: the same is the same name and clock rate, whatever its payload number."""

from __future__ import annotations

from collections.abc import Iterable

from vpbx.sip import AudioCodec, MediaDescription
from vpbx.sip import codecs_of as sip_codecs_of

EVENT = "telephone-event"

# Loops, and no generators: with those the comparisons of one call took a hundred frames.


def events_of(codecs: Iterable[AudioCodec]) -> int | None:
    """Return the number of telephone-event; None: it is not among them."""
    for codec in codecs:
        if codec.name == EVENT:
            return codec.payload
    return None


def only_events(codecs: Iterable[AudioCodec]) -> bool:
    """Say whether there is no voice codec."""
    for codec in codecs:  # noqa: SIM110
        if codec.name != EVENT:
            return False
    return True


def same(one: AudioCodec, other: AudioCodec) -> bool:
    """Say whether they are one codec, whatever its number."""
    return one.name == other.name and one.clock_rate == other.clock_rate


def like(codec: AudioCodec, codecs: Iterable[AudioCodec]) -> AudioCodec | None:
    """Return the same codec as one of these has it."""
    for one in codecs:
        if same(one, codec):
            return one
    return None


def among(codec: AudioCodec, codecs: Iterable[AudioCodec]) -> bool:
    """Say whether one of these is the same codec."""
    for one in codecs:  # noqa: SIM110
        if codec.name == one.name and codec.clock_rate == one.clock_rate:
            return True
    return False


_read: dict[tuple[object, ...], tuple[AudioCodec, ...]] = {}
_READ_LIMIT = 1024


def codecs_of(audio: MediaDescription) -> tuple[AudioCodec, ...]:
    """`vpbx.sip.codecs_of`, remembered: a phone says the same of each of its calls."""
    key = (audio.formats, audio.lines)
    codecs = _read.get(key)
    if codecs is None:
        if len(_read) >= _READ_LIMIT:
            _read.clear()
        codecs = _read[key] = sip_codecs_of(audio)
    return codecs
