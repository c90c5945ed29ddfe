"""What is mixed: RTP of several codecs to 8 kHz samples and back, 20 ms at a time.

G.711 by tables; G.722 and Opus by libav. What was mixed has the band of a telephone.
"""

from __future__ import annotations

import random
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from operator import add
from typing import TypeAlias

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.fifo import AudioFifo
from av.audio.resampler import AudioResampler

from . import g711
from .rtp import RATE, Packet

__all__ = ["FRAME", "MIXABLE", "Buffer", "Hearing", "Samples", "Speech", "mixed"]

Samples: TypeAlias = "array[int]"

FRAME = RATE // 50
"""Samples in 20 ms."""
_G711 = {"PCMA": g711.PCMA, "PCMU": g711.PCMU}
_AV = {"G722": ("g722", 16000), "OPUS": ("libopus", 48000)}
MIXABLE = frozenset((*_G711, *_AV))
"""Codecs, by their names in SDP, upper case."""
_TICKS = {"OPUS": 960}
"""By how much the RTP timestamp grows in 20 ms, where that is not by 160 (G.722 counts as if it
had 8 kHz, RFC 3551 §4.5.2)."""
_ENOUGH, _MOST, _KEPT = 2 * FRAME, 12 * FRAME, 3 * FRAME
_OLD = 0x8000


def mixed(one: Samples, other: Samples) -> Samples:
    """Return both together, as long as the shorter one."""
    total = map(add, one, other)
    return array("h", [-32768 if s < -32768 else 32767 if s > 32767 else s for s in total])


class Buffer:
    """What came from somebody and is still to be heard: evens out when packets come.

    It is played once 40 ms are there, and never grows beyond 240 ms.
    """

    def __init__(self) -> None:
        self._samples: deque[Samples] = deque()
        self._length = 0
        self._plays = False

    def put(self, samples: Samples) -> None:
        """Add what has come."""
        self._samples.append(samples)
        self._length += len(samples)
        if self._length > _MOST:
            while self._length > _KEPT:
                self._length -= len(self._samples.popleft())

    def take(self, many: int = FRAME) -> Samples:
        """Return the next samples, by default 20 ms; silence where there is nothing."""
        self._plays = self._length >= (many if self._plays else max(many, _ENOUGH))
        if not self._plays:
            return array("h", bytes(2 * many))
        taken = self._samples.popleft()
        while len(taken) < many:
            taken = taken + self._samples.popleft()
        self._length -= many
        if len(taken) > many:
            self._samples.appendleft(taken[many:])
            taken = taken[:many]
        return taken


class _AvDecoder:
    def __init__(self, codec: str) -> None:
        name, rate = _AV[codec]
        context = av.CodecContext.create(name, "r")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate, context.layout = rate, "mono"
        self._context = context
        self._resampler = AudioResampler(format="s16", layout="mono", rate=RATE)

    def __call__(self, payload: bytes) -> Samples:
        samples = array("h")
        try:
            for frame in self._context.decode(av.Packet(payload)):
                for part in self._resampler.resample(frame):
                    samples.frombytes(bytes(part.planes[0])[: 2 * part.samples])
        except av.FFmpegError:
            pass  # a packet that is broken
        return samples


class _AvEncoder:
    def __init__(self, codec: str) -> None:
        name, rate = _AV[codec]
        context = av.CodecContext.create(name, "w")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate, context.layout, context.format = rate, "mono", "s16"
        if codec == "OPUS":
            context.options = {"application": "voip", "frame_duration": "20"}
        self._context, self._size = context, rate // 50
        self._resampler = AudioResampler(format="s16", layout="mono", rate=rate)
        self._fifo = AudioFifo()
        self._at = 0

    def __call__(self, samples: Samples) -> bytes:
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples))
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate, frame.pts = RATE, None
        for part in self._resampler.resample(frame):
            part.pts = None
            self._fifo.write(part)
        ready = self._fifo.read(self._size)
        if ready is None:
            return b""
        ready.pts = None
        return b"".join(bytes(packet) for packet in self._context.encode(ready))


class Hearing:
    """Takes the packets of one party, in whichever codecs come."""

    def __init__(self) -> None:
        self._decoders: dict[str, Callable[[bytes], Samples]] = {}
        self._last: tuple[int, int] | None = None

    def hear(self, packet: Packet, codec: str) -> Samples:
        """Return the sound of a packet; nothing when it comes late or twice."""
        if self._last is not None and self._last[0] == packet.ssrc:
            ahead = (packet.sequence - self._last[1]) & 0xFFFF
            if ahead == 0 or ahead >= _OLD:
                return array("h")
        self._last = packet.ssrc, packet.sequence
        law = _G711.get(codec)
        if law is not None:
            return g711.decode(law, packet.payload)
        if codec not in self._decoders:
            self._decoders[codec] = _AvDecoder(codec)
        return self._decoders[codec](packet.payload)


class Speech:
    """A stream of RTP that is made here."""

    def __init__(self) -> None:
        self._ssrc = random.getrandbits(32)
        self._sequence = random.getrandbits(16)
        self._timestamp = random.getrandbits(32)
        self._encoders: dict[str, Callable[[Samples], bytes]] = {}
        self._marker = True

    def say(self, samples: Samples, payload_type: int, codec: str) -> bytes:
        """Return the packet of the next 20 ms; "" while an encoder gathers."""
        payload = self._encode(samples, codec)
        marker, self._marker = self._marker, False
        packet = self._packet(payload_type, self._timestamp, payload, marker) if payload else b""
        self._timestamp = (self._timestamp + _TICKS.get(codec, FRAME)) & 0xFFFFFFFF
        return packet

    def over(self, packet: Packet, samples: Samples, codec: str) -> bytes:
        """Return a packet of another stream with this sound in the place of its own; "" while an
        encoder gathers."""
        payload = self._encode(samples, codec)
        return bytes(replace(packet, payload=payload)) if payload else b""

    def _encode(self, samples: Samples, codec: str) -> bytes:
        law = _G711.get(codec)
        if law is not None:
            return g711.encode(law, samples)
        if codec not in self._encoders:
            self._encoders[codec] = _AvEncoder(codec)
        return self._encoders[codec](samples)

    def _packet(self, payload_type: int, timestamp: int, payload: bytes, marker: bool) -> bytes:
        self._sequence = (self._sequence + 1) & 0xFFFF
        packet = Packet(payload_type, self._sequence, timestamp, self._ssrc, payload, marker)
        return bytes(packet)
