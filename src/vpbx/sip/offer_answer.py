"""Offer and answer, RFC 3264: whose turn it is, and which codecs two sides share.

`OfferAnswer` is one dialog's state:

    state         event          becomes
    STABLE        SEND_OFFER     LOCAL_OFFER
    STABLE        RECEIVE_OFFER  REMOTE_OFFER
    LOCAL_OFFER   RECEIVE_ANSWER STABLE
    LOCAL_OFFER   FAIL           STABLE, as it was before the offer (RFC 3261 §14.1)
    REMOTE_OFFER  SEND_ANSWER    STABLE
    REMOTE_OFFER  FAIL           STABLE, as it was before the offer

Everything else is out of turn: `OutOfTurn`, which becomes a 491 or a 500 (RFC 3311 §5.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum, auto

from vpbx.sip.sdp import AudioCodec, MediaDescription, Sdp

CODEC_NAMES = ("PCMA", "PCMU", "G722", "opus", "telephone-event")
_CANONICAL = {name.lower(): name for name in CODEC_NAMES}
_STATIC = {
    0: AudioCodec("PCMU", 0),
    8: AudioCodec("PCMA", 8),
    9: AudioCodec("G722", 9),
}
_CLOCK_RATES = {"PCMA": (8000,), "PCMU": (8000,), "G722": (8000,), "opus": (48000,)}
_EVENT = "telephone-event"


class NothingInCommon(ValueError):
    """Two sides share no voice codec: 488."""


class OutOfTurn(Exception):
    """An offer or answer came when the state does not allow one."""


class OfferState(Enum):
    __hash__ = object.__hash__  # Enum's own is written in Python, and these find the next state

    STABLE = auto()
    LOCAL_OFFER = auto()
    """We offered and wait for the answer."""
    REMOTE_OFFER = auto()
    """They offered and wait for ours."""


class OfferEvent(Enum):
    __hash__ = object.__hash__

    SEND_OFFER = auto()
    RECEIVE_OFFER = auto()
    SEND_ANSWER = auto()
    RECEIVE_ANSWER = auto()
    FAIL = auto()


_TABLE = {
    (OfferState.STABLE, OfferEvent.SEND_OFFER): OfferState.LOCAL_OFFER,
    (OfferState.STABLE, OfferEvent.RECEIVE_OFFER): OfferState.REMOTE_OFFER,
    (OfferState.LOCAL_OFFER, OfferEvent.RECEIVE_ANSWER): OfferState.STABLE,
    (OfferState.LOCAL_OFFER, OfferEvent.FAIL): OfferState.STABLE,
    (OfferState.REMOTE_OFFER, OfferEvent.SEND_ANSWER): OfferState.STABLE,
    (OfferState.REMOTE_OFFER, OfferEvent.FAIL): OfferState.STABLE,
}


class OfferAnswer:
    """The descriptions in force and the one on the table, as texts."""

    __slots__ = ("_pending", "local", "remote", "state")

    def __init__(self) -> None:
        self.state = OfferState.STABLE
        self.local: str | None = None
        """What we agreed to last; None before the first answer."""
        self.remote: str | None = None
        self._pending: str | None = None

    def _move(self, event: OfferEvent) -> None:
        state = _TABLE.get((self.state, event))
        if state is None:
            raise OutOfTurn(f"{event.name} in {self.state.name}")
        self.state = state

    def send_offer(self, sdp: str) -> None:
        self._move(OfferEvent.SEND_OFFER)
        self._pending = sdp

    def receive_offer(self, sdp: str) -> None:
        self._move(OfferEvent.RECEIVE_OFFER)
        self._pending = sdp

    def send_answer(self, sdp: str) -> None:
        self._move(OfferEvent.SEND_ANSWER)
        self.remote, self.local, self._pending = self._pending, sdp, None

    def receive_answer(self, sdp: str) -> None:
        self._move(OfferEvent.RECEIVE_ANSWER)
        self.local, self.remote, self._pending = self._pending, sdp, None

    def fail(self) -> None:
        """Take the offer on the table back, if there is one."""
        if self.state is not OfferState.STABLE:
            self._move(OfferEvent.FAIL)
            self._pending = None

    @property
    def stable(self) -> bool:
        return self.state is OfferState.STABLE

    @property
    def offered_by_us(self) -> str | None:
        """Our offer that waits for its answer."""
        return self._pending if self.state is OfferState.LOCAL_OFFER else None

    @property
    def offered_to_us(self) -> str | None:
        """Their offer that waits for our answer."""
        return self._pending if self.state is OfferState.REMOTE_OFFER else None


def codecs_of(sdp: Sdp | MediaDescription) -> tuple[AudioCodec, ...]:
    """Return the codecs of the audio stream we know, in the describer's order.

    Static payload types need no rtpmap (RFC 3551 §6). Empty without an audio stream.
    """
    media = sdp.audio if isinstance(sdp, Sdp) else sdp
    if media is None:
        return ()
    maps = dict(_by_payload(media.attributes("rtpmap")))
    formats = dict(_by_payload(media.attributes("fmtp")))
    codecs = []
    for text in dict.fromkeys(media.formats):
        if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) < 128):
            continue
        payload = int(text)
        codec = _mapped(payload, maps[payload]) if payload in maps else _STATIC.get(payload)
        if codec is not None:
            codecs.append(_with(codec, formats.get(payload, "").rstrip(",; ")))
    return tuple(codecs)


def _with(codec: AudioCodec, fmtp: str) -> AudioCodec:
    if codec.fmtp == fmtp:
        return codec
    return AudioCodec(codec.name, codec.payload, codec.clock_rate, fmtp)


def _by_payload(values: Iterable[str]) -> Iterable[tuple[int, str]]:
    for value in values:
        number, *rest = value.split(None, 1)[:2] or [""]
        if number.isascii() and number.isdigit() and len(number) < 4:
            yield int(number), "".join(rest).strip()


def _mapped(payload: int, rtpmap: str) -> AudioCodec | None:
    """Return the codec an rtpmap names; a static type's own where the map cannot be read."""
    name, *rest = (word.strip(" ,;") for word in rtpmap.split("/"))
    rate = rest[0] if rest else ""
    known = _CANONICAL.get(name.lower())
    if known is None:
        return None if name else _STATIC.get(payload)
    if not (rate.isascii() and rate.isdigit() and len(rate) < 7):
        static = _STATIC.get(payload)
        if known == _EVENT:
            return AudioCodec(known, payload)
        return static if static is not None and static.name == known else None
    if known == "G722" and rate == "16000":
        rate = "8000"  # what it is, where RFC 3551 §4.5.2 wants the historic mistake
    if int(rate) not in _CLOCK_RATES.get(known, (int(rate),)):
        return None
    return AudioCodec(known, payload, int(rate))


def common(offered: Sequence[AudioCodec], ours: Sequence[AudioCodec]) -> tuple[AudioCodec, ...]:
    """Return what an answer may list: their payload numbers and order, our parameters.

    Telephone-event stays for the clock rates of the voice codecs that stay (RFC 4733 §2.5.1.1),
    or, with phones that offer none of those, as it is. Raises `NothingInCommon` when no voice
    codec stays.
    """
    known = {(codec.name, codec.clock_rate): codec for codec in ours}
    shared = [
        _with(codec, known[codec.name, codec.clock_rate].fmtp)
        for codec in offered
        if (codec.name, codec.clock_rate) in known
    ]
    rates = {codec.clock_rate for codec in shared if codec.name != _EVENT}
    if not rates:
        raise NothingInCommon("no voice codec in common")
    if not any(codec.name == _EVENT and codec.clock_rate in rates for codec in shared):
        rates = {codec.clock_rate for codec in shared}
    return tuple(codec for codec in shared if codec.clock_rate in rates)
