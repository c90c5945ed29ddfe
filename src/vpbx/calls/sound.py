"""What one leg and we have told each other about sound: SDP into codecs and addresses, and back.

There is no transcoding, so both legs of a call speak the same codecs, under the payload numbers
one of them gave: the called side is offered what the caller offered, the caller is answered
what the called side answered. A description we write gets a new version only when it changed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from vpbx.media import RtpPeer
from vpbx.sip import (
    AudioCodec,
    MalformedSdp,
    MediaDescription,
    NothingInCommon,
    Sdp,
    build,
    codecs_of,
    direction_answer,
)

__all__ = ["OUR_CODECS", "Sound", "Unusable"]

OUR_CODECS = (
    AudioCodec("PCMA", 8),
    AudioCodec("PCMU", 0),
    AudioCodec("telephone-event", 101, fmtp="0-16"),
)
"""What is offered where nobody has said yet what the other side can do."""

_EVENT = "telephone-event"
_PLAIN = frozenset(("RTP/AVP", "RTP/AVPF"))

Unusable = (MalformedSdp, NothingInCommon)
"""What reading a description may raise: the answer to it is 488."""


class Sound:
    """One leg's half. `address` tells where its media comes to on our side; it is asked only
    when a description is written, as late as can be (see `vpbx.media` on why)."""

    __slots__ = (
        "_address",
        "_key",
        "_session_id",
        "_version",
        "codecs",
        "held",
        "local",
        "peer",
        "source",
    )

    def __init__(self, address: Callable[[], tuple[str, int]]) -> None:
        self.codecs: tuple[AudioCodec, ...] = ()
        """What this leg speaks: offered by it at first, then agreed with it."""
        self.peer: RtpPeer | None = None
        """Where its media goes to."""
        self.held = False
        """Whether it has put us on hold."""
        self.local: str = ""
        """Our description towards it."""
        self.source: Callable[[str], tuple[str, bool]] | None = None
        """Tells where media may come from (`Session.media_source`)."""
        self._address = address
        self._session_id = 0
        self._version = 0
        self._key: tuple[object, ...] = ()

    @property
    def voice(self) -> AudioCodec | None:
        """The voice codec both will use unless somebody changes their mind."""
        return next((codec for codec in self.codecs if codec.name != _EVENT), None)

    def speaks(self, codec: AudioCodec | None) -> bool:
        """Say whether this leg has agreed to `codec`."""
        return codec is None or any(
            codec.name == own.name and codec.clock_rate == own.clock_rate for own in self.codecs
        )

    def hear(self, text: str, allowed: Sequence[AudioCodec] | None = None) -> None:
        """Take the leg's offer, or its answer to what offered `allowed`.

        Raises one of `Unusable` and changes nothing when there is no voice codec we (and
        `allowed`) know.
        """
        sdp = Sdp.parse(text)
        audio = sdp.audio
        if audio is None or audio.protocol not in _PLAIN:
            raise NothingInCommon("no plain audio stream")
        codecs = _codecs_of(audio)
        if allowed is not None:
            names = {(codec.name, codec.clock_rate) for codec in allowed}
            codecs = tuple(codec for codec in codecs if (codec.name, codec.clock_rate) in names)
        if all(codec.name == _EVENT for codec in codecs):
            raise NothingInCommon("no voice codec in common")
        self.codecs = codecs
        self.held = audio.held
        self.peer = self._peer(audio, codecs)

    def _peer(self, audio: MediaDescription, codecs: Sequence[AudioCodec]) -> RtpPeer:
        events = [codec.payload for codec in codecs if codec.name == _EVENT]
        signalled, behind_nat = self.source(audio.address) if self.source else ("", False)
        return RtpPeer(
            host=audio.address,
            port=audio.port,
            payloads=tuple(codec.payload for codec in codecs if codec.name != _EVENT),
            dtmf_payload=events[0] if events else None,
            ptime_ms=audio.ptime_ms,
            listens=not audio.held,
            signalled=signalled,
            behind_nat=behind_nat,
        )

    def describe(self, codecs: Sequence[AudioCodec], ptime_ms: int = 20) -> str:
        """Return our offer of `codecs` to this leg."""
        return self._write(tuple(codecs), "sendrecv", ptime_ms, None)

    def answer(self, offer: str, codecs: Sequence[AudioCodec], ptime_ms: int = 20) -> str:
        """Return our answer to `offer` (already heard): `codecs`, its direction mirrored.

        Streams we do not take are refused in their places (RFC 3264 §6).
        """
        sdp = Sdp.parse(offer)
        return self._write(tuple(codecs), direction_answer(sdp.direction), ptime_ms, sdp)

    def twin(self) -> Sound:
        """Return a copy, for one more leg that is sent the same offer."""
        twin = Sound(self._address)
        twin.local, twin._key = self.local, self._key
        twin._session_id, twin._version = self._session_id, self._version
        return twin

    def _write(
        self, codecs: tuple[AudioCodec, ...], direction: str, ptime_ms: int, offer: Sdp | None
    ) -> str:
        shape = _shape(offer)
        key = (codecs, direction, ptime_ms, shape)
        if key != self._key:
            self._key = key
            self._version += 1
            self._session_id = self._session_id or random.getrandbits(48)
            host, port = self._address()
            text = build(
                host,
                port,
                codecs,
                direction,
                session_id=self._session_id,
                version=self._version,
                ptime=ptime_ms,
            )
            self.local = text if not shape or offer is None else _fit(text, offer)
        return self.local


_read: dict[tuple[object, ...], tuple[AudioCodec, ...]] = {}
_READ_LIMIT = 1024


def _codecs_of(audio: MediaDescription) -> tuple[AudioCodec, ...]:
    """`codecs_of`, remembered: a phone says the same of each of its calls."""
    key = (audio.formats, audio.lines)
    codecs = _read.get(key)
    if codecs is None:
        if len(_read) >= _READ_LIMIT:
            _read.clear()
        codecs = _read[key] = codecs_of(audio)
    return codecs


def _shape(offer: Sdp | None) -> tuple[str, ...]:
    """Return what an answer to `offer` must mirror; nothing for one plain audio stream."""
    if offer is None or (len(offer.media) == 1 and offer.media[0].protocol == "RTP/AVP"):
        return ()
    return tuple(str(media) for media in offer.media)


def _fit(text: str, offer: Sdp) -> str:
    """Put our single audio stream into the place the offer has it in, refuse the others."""
    head, _, ours = text.partition("m=audio")
    parts = [head]
    for media in offer.media:
        if media is offer.audio:
            parts.append("m=audio" + ours.replace("RTP/AVP", media.protocol, 1))
        else:
            formats = " ".join(media.formats)
            parts.append(f"m={media.kind} 0 {media.protocol} {formats}\r\n")
    return "".join(parts)
