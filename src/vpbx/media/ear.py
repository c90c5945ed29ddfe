"""Listening to one side of a session: how long it has spoken, and for how long it is silent.

A socket of ours stands where the other side would be; RTPProxy sends it what the side says.
G.711 and G.722 are measured; of other codecs every packet that is not plainly comfort noise
counts as sound.
"""

from __future__ import annotations

from collections.abc import Callable

import av
from av.audio.codeccontext import AudioCodecContext

from . import g711
from .conversion import G722
from .datagrams import Datagrams
from .listeners import comes_from
from .model import RtpPeer

__all__ = ["Ear"]

_HEADER = 12
_LOUD = 250
"""Mean amplitude of 16-bit samples above which there is sound: about -42 dBFS."""
_NOISE_BYTES = 8
"""What an encoder sends while nothing is said (discontinuous transmission) is shorter."""
_PACKET_S = 0.02


class Ear(Datagrams):
    """Open it with `open`, send a side's sound to `peer`, close it at the end."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._heard_at = now()
        self._source = "", 0
        self.sound_s = 0.0
        """How much was said, pauses left out."""
        self._loudness = {
            payload: tuple(abs(sample) for sample in g711.decode_table(payload))
            for payload in (g711.PCMA, g711.PCMU)
        }
        self._g722: AudioCodecContext | None = None

    @classmethod
    async def open(cls, host: str, now: Callable[[], float]) -> Ear:
        """Listen on an address that RTPProxy reaches; `OSError` if it cannot."""
        ear = cls(now)
        await ear.listen(host)
        return ear

    def peer(self, of: RtpPeer, source: tuple[str, int]) -> RtpPeer:
        """Return whom to point the other side's media to, for a side that speaks as `of`.

        `source`: where the sound will come from (`MediaSession.source`); all else is nobody's.
        """
        self._source = source
        host, port = self.address
        return RtpPeer(host, port, of.payloads, of.dtmf_payload, of.ptime_ms)

    @property
    def silent_s(self) -> float:
        """How long nothing has been said, up to now."""
        return self._now() - self._heard_at

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not comes_from(addr, self._source) or len(data) <= _HEADER:
            return
        if self._is_sound(data[1] & 0x7F, data[_HEADER:]):
            self.sound_s += _PACKET_S
            self._heard_at = self._now()

    def _is_sound(self, payload: int, sound: bytes) -> bool:
        table = self._loudness.get(payload)
        if table is not None:
            return sum(table[byte] for byte in sound) > _LOUD * len(sound)
        if payload == G722:
            return self._g722_is_loud(sound)
        return len(sound) > _NOISE_BYTES

    def _g722_is_loud(self, sound: bytes) -> bool:
        if self._g722 is None:
            decoder = av.CodecContext.create("g722", "r")
            assert isinstance(decoder, AudioCodecContext)
            decoder.sample_rate, decoder.layout = 16000, "mono"
            self._g722 = decoder
        total = samples = 0
        for frame in self._g722.decode(av.Packet(sound)):
            values = memoryview(bytes(frame.planes[0])).cast("h")[: frame.samples]
            total += sum(map(abs, values))
            samples += frame.samples
        return bool(samples) and total > _LOUD * samples
