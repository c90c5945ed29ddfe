"""A third one at a talk of two: hears both, and is heard by nobody, one of them, or both.

    mode    | one of the two  | the other one  | the third
    LISTEN  | the other one   | the one        | both
    WHISPER | + the third     | the one        | both
    BARGE   | + the third     | + the third    | both

What nobody speaks into is passed on packet by packet, as it came. What the third one speaks into
is the same packets with both voices in them: a browser would not hear another SSRC and then the
first one again. Only where none come (somebody whose phone sends nothing while they are silent)
a stream is made here, with an SSRC of its own, as prompts have one. Digits are passed on.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from array import array
from collections.abc import Callable

from .listeners import Address, read
from .model import MediaError, Mode, RtpPeer, Side
from .rtp import Packet
from .session import MediaSession
from .splice import Splice
from .voices import MIXABLE, Buffer, Hearing, Samples, Speech, mixed

__all__ = ["CodecOf", "ThirdParty"]

CodecOf = Callable[[Side, int], str]
"""(who takes it, payload type) → codec as in SDP, upper case; "": nobody knows."""

_STATIC = {0: "PCMU", 8: "PCMA", 9: "G722"}
_TICK_S, _LATE_S = 0.02, 0.1
_SILENT_TICKS = 6
"""For so many no packet has come: the next one is made here."""


class _Lane:
    """What one of the two is sent: what the other says, as it came or with the third in it."""

    def __init__(self, send: Callable[[bytes], None], voice: Callable[[], tuple[int, str]]) -> None:
        self._send = send
        self._voice = voice
        """What it is spoken to in, while the other one has said nothing."""
        self._last: tuple[int, str] | None = None
        self._speech, self._third = Speech(), Buffer()
        self._waited = 0
        self.mixes = False

    def mix(self, wanted: bool) -> None:
        """Have the third one speak into it from now on, or not."""
        if wanted and not self.mixes:
            self._speech, self._third, self._waited = Speech(), Buffer(), 0
        self.mixes = wanted

    def take(self, data: bytes, packet: Packet | None, codec: str, samples: Samples) -> None:
        """Take a packet of the other one."""
        if packet is None or codec not in MIXABLE:
            self._send(data)
            return
        self._last, self._waited = (packet.payload_type, codec), 0
        if not self.mixes:
            self._send(data)
        elif samples:
            sound = mixed(samples, self._third.take(len(samples)))
            self._send(self._speech.over(packet, sound, codec) or data)

    def hear_third(self, samples: Samples) -> None:
        """Take what the third one says."""
        if self.mixes:
            self._third.put(samples)

    def tick(self) -> None:
        """Send 20 ms of the third one where the other one sends nothing."""
        self._waited += 1
        if not self.mixes or self._waited < _SILENT_TICKS:
            return
        payload_type, codec = self._last or self._voice()
        if codec in MIXABLE:
            packet = self._speech.say(self._third.take(), payload_type, codec)
            if packet:
                self._send(packet)


class ThirdParty:
    """Made by `join`; `close` leaves the two as they were."""

    def __init__(self, session: MediaSession, side: Side, codec_of: CodecOf, host: str) -> None:
        self._session, self._side, self._codec_of = session, side, codec_of
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.bind((host, 0))
        except OSError:
            self._socket.close()
            raise
        self._host = host
        self._address: Address = self._socket.getsockname()
        self._splice: Splice | None = None
        self._hears_near, self._hears_far, self._hears_third = Hearing(), Hearing(), Hearing()
        self._near_voice, self._far_voice = Buffer(), Buffer()
        self._to_near = _Lane(self._send_near, lambda: self._first_voice(side))
        self._to_far = _Lane(self._send_far, lambda: self._first_voice(side.other))
        self._speech = Speech()
        self._to: Address | None = None
        self._takes: Callable[[], RtpPeer | None] = lambda: None
        self._timer: asyncio.Handle | None = None
        self._next_at = 0.0
        self._closed = False
        self.mode = Mode.LISTEN

    @classmethod
    async def join(
        cls, session: MediaSession, spliced: Side, codec_of: CodecOf, host: str
    ) -> ThirdParty:
        """Stand beside the two of `session`, in the way of `spliced`. MediaError: that cannot
        be."""
        try:
            third = cls(session, spliced, codec_of, host)
        except OSError as error:
            raise MediaError(f"no socket for who listens: {error}") from error
        try:
            third._splice = await session.splice(spliced, third._near_spoke, third._far_spoke)
        except BaseException:
            third._socket.close()
            raise
        third._loop.add_reader(third._socket.fileno(), third._third_spoke)
        third._next_at = third._loop.time()
        third._timer = third._loop.call_soon(third._tick)
        return third

    def set_mode(self, mode: Mode, whom: Side) -> None:
        """Be heard by nobody, by `whom`, or by both, from now on."""
        self.mode = mode
        for lane, receiver in ((self._to_near, self._side), (self._to_far, self._side.other)):
            whispers = mode is Mode.WHISPER and receiver is whom
            lane.mix(not self._closed and (mode is Mode.BARGE or whispers))

    def peer(self, of: RtpPeer) -> RtpPeer:
        """Return whom to point the other side of the third one's session to, who speaks as `of`."""
        return RtpPeer(*self._address, of.payloads, of.dtmf_payload, of.ptime_ms)

    def seat(self, port: int, takes: Callable[[], RtpPeer | None]) -> None:
        """Send what both say to that port of the third one's session, as `takes` describes who
        hears it there, and hear nobody but that port."""
        self._to, self._takes = (self._host, port), takes

    def close(self) -> None:
        """Leave; idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._to_near.mix(False)
        self._to_far.mix(False)
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        self._session.unsplice(self._side)

    # -- what comes ------------------------------------------------------------------------------

    def _near_spoke(self, data: bytes) -> None:
        self._spoke(data, self._side.other, self._hears_near, self._near_voice, self._to_far)

    def _far_spoke(self, data: bytes) -> None:
        self._spoke(data, self._side, self._hears_far, self._far_voice, self._to_near)

    def _spoke(
        self, data: bytes, receiver: Side, hearing: Hearing, voice: Buffer, lane: _Lane
    ) -> None:
        packet = None if self._closed else Packet.parse(data)
        codec = self._codec(receiver, packet.payload_type) if packet is not None else ""
        samples: Samples = array("h")
        if packet is not None and codec in MIXABLE:
            samples = hearing.hear(packet, codec)
            voice.put(samples)
        lane.take(data, packet, codec, samples)

    def _third_spoke(self) -> None:
        if self._closed:
            return
        for data, source in read(self._socket)[0]:
            packet = Packet.parse(data) if source == self._to else None
            codec = _STATIC.get(packet.payload_type, "") if packet is not None else ""
            if packet is not None and codec:
                samples = self._hears_third.hear(packet, codec)
                self._to_near.hear_third(samples)
                self._to_far.hear_third(samples)

    def _codec(self, receiver: Side, payload_type: int) -> str:
        return _STATIC.get(payload_type) or self._codec_of(receiver, payload_type)

    def _first_voice(self, receiver: Side) -> tuple[int, str]:
        """Return what a side is spoken to in before it was spoken to."""
        for payload_type in self._session.takes(receiver):
            codec = self._codec(receiver, payload_type)
            if codec in MIXABLE:
                return payload_type, codec
        return 0, ""

    # -- what goes -------------------------------------------------------------------------------

    def _send_near(self, packet: bytes) -> None:
        if self._splice is not None:
            self._splice.to_near(packet)

    def _send_far(self, packet: bytes) -> None:
        if self._splice is not None:
            self._splice.to_far(packet)

    def _tick(self) -> None:
        if self._splice is not None:
            self._splice.look()
        self._third_spoke()
        self._to_near.tick()
        self._to_far.tick()
        self._tell_third()
        # Late ticks are made up for, but never more than a few at once.
        now = self._loop.time()
        self._next_at = max(self._next_at + _TICK_S, now - _LATE_S)
        self._timer = self._loop.call_at(self._next_at, self._tick)

    def _tell_third(self) -> None:
        sound = mixed(self._near_voice.take(), self._far_voice.take())
        takes, to = self._takes(), self._to
        if takes is None or to is None:
            return
        for payload_type in takes.payloads:
            codec = _STATIC.get(payload_type)
            if codec is not None:
                with contextlib.suppress(OSError):
                    self._socket.sendto(self._speech.say(sound, payload_type, codec), to)
                return
