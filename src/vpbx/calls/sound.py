"""What one leg and we have told each other about sound: SDP into codecs and addresses, and back.

There is no transcoding and no renumbering of packets, so both legs of a call speak the same
codecs, and each is told the payload numbers of the other: the called side is offered what the
caller offered, the caller is answered what the called side answered. A number that was once
told to a leg means the same codec for that leg's life (RFC 3264 §8.3.2); where that gets into
the way of telephone-event, its digits are caught and made anew (`Bridge`).
A description we write gets a new version only when it changed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from vpbx.calls.codecs import EVENT, among, codecs_of, events_of, like, only_events, same
from vpbx.calls.encryption import PLAIN, PLAIN_WIRE, DtlsWay, Encryption, Wire
from vpbx.media import RtpPeer
from vpbx.sip import (
    AudioCodec,
    MalformedSdp,
    MediaDescription,
    NothingInCommon,
    Sdp,
    build,
    direction_answer,
)

__all__ = ["OUR_CODECS", "Sound", "Unusable"]

_RATE = 8000
_OUR_EVENTS = AudioCodec(EVENT, 101, fmtp="0-16")

OUR_CODECS = (AudioCodec("PCMA", 8), AudioCodec("PCMU", 0), _OUR_EVENTS)
"""What is offered where nobody has said yet what the other side can do."""

_DYNAMIC = range(96, 128)

Unusable = (MalformedSdp, NothingInCommon)
"""What reading a description may raise: the answer to it is 488."""


class Sound:
    """One leg's half. `address` tells where its media comes to on our side; it is asked only
    when a description is written, as late as can be (see `vpbx.media` on why)."""

    __slots__ = (
        "_address",
        "_audio",
        "_before",
        "_heard",
        "_key",
        "_meanings",
        "_offers",
        "_secure_address",
        "_session_id",
        "_version",
        "_wire",
        "codecs",
        "encryption",
        "held",
        "local",
        "source",
        "told",
    )

    def __init__(
        self,
        address: Callable[[], tuple[str, int]],
        secure_address: Callable[[], tuple[str, int]] | None = None,
        dtls_way: Callable[[bool], DtlsWay] | None = None,
    ) -> None:
        self.codecs: tuple[AudioCodec, ...] = ()
        """What this leg takes, under its own numbers: offered by it at first, then agreed."""
        self.told: tuple[AudioCodec, ...] = ()
        """What it was told to send, under the numbers we gave."""
        self.held = False
        """Whether it has put us on hold."""
        self.local: str = ""
        """Our description towards it."""
        self.source: Callable[[str], tuple[str, bool]] | None = None
        """Tells where media may come from (`Session.media_source`)."""
        self.encryption = Encryption(dtls_way, relay=secure_address is not None)
        """How its packets are protected."""
        self._wire = PLAIN_WIRE
        """How packets travel, as the description says that it was sent last."""
        self._offers: tuple[tuple[str, Wire], ...] = ()
        """What a first offer says, in the order in which it is tried."""
        self._secure_address = secure_address
        self._audio: MediaDescription | None = None
        self._heard: tuple[AudioCodec, ...] = ()
        """All it has described last, as far as we know the codecs."""
        self._before: tuple[AudioCodec, ...] = ()
        self._meanings: dict[int, str] = {}
        """Every number ever told to it, and the codec it stands for."""
        self._address = address
        self._session_id = 0
        self._version = 0
        self._key: tuple[object, ...] = ()

    @property
    def voice(self) -> AudioCodec | None:
        """The voice codec both will use unless somebody changes their mind."""
        for codec in self.codecs:
            if codec.name != EVENT:
                return codec
        return None

    def speaks(self, codec: AudioCodec | None) -> bool:
        """Say whether this leg has agreed to `codec`."""
        return codec is None or among(codec, self.codecs)

    @property
    def described(self) -> bool:
        """Whether it has described its sound: `peer` is not None."""
        return self._audio is not None

    @property
    def ptime_ms(self) -> int:
        """How much sound it wants in a packet."""
        return self._audio.ptime_ms if self._audio is not None else 20

    @property
    def digits_taken(self) -> int | None:
        """Payload number of the telephone-events it takes; None: it takes none."""
        return events_of(self.codecs)

    @property
    def digits_come_as(self) -> int | None:
        """Payload number of the telephone-events it sends; None: it sends none."""
        told = events_of(self.told)
        return self.digits_taken if told is None else told

    @property
    def peer(self) -> RtpPeer | None:
        """Where its media goes to and what may come from it; None before it described any."""
        audio = self._audio
        if audio is None:
            return None
        signalled, behind_nat = self.source(audio.address) if self.source else ("", False)
        return RtpPeer(
            host=audio.address,
            port=audio.port,
            payloads=tuple([codec.payload for codec in self.codecs if codec.name != EVENT]),
            dtmf_payload=self.digits_taken,
            ptime_ms=audio.ptime_ms,
            rates=tuple([(c.payload, c.clock_rate) for c in self.codecs if c.clock_rate != _RATE]),
            sends=tuple([codec.payload for codec in self.told]),
            sends_dtmf=events_of(self.told),
            listens=not self.held,
            srtp=self.encryption.srtp,
            dtls=self.encryption.dtls_peer,
            relayed=self._wire.through_relay and not self.encrypted,
            signalled=signalled,
            behind_nat=behind_nat,
        )

    def hear(self, text: str, allowed: Sequence[AudioCodec] | None = None) -> None:
        """Take the leg's offer, or its answer to what offered `allowed`.

        Raises one of `Unusable` and changes nothing when there is no voice codec we (and
        `allowed`) know.
        """
        sdp = Sdp.parse(text)
        audio, codecs = self._best(sdp)
        agreed = codecs
        if allowed is not None:
            told = self.told
            agreed = tuple(
                [
                    codec
                    for codec in codecs
                    if among(codec, allowed) or (codec.name == EVENT and among(codec, told))
                ]
            )
        if only_events(agreed):
            raise NothingInCommon("no voice codec in common")
        self.encryption.expect(sdp, audio)
        self._audio, self._heard, self.codecs = audio, codecs, agreed
        self.told = tuple([codec for codec in self.told if among(codec, codecs)])
        self.encryption.agree(sdp, audio, answers=allowed is not None)
        ice = self.encryption.ice
        self.held = audio.direction in ("sendonly", "inactive") if ice else audio.held

    @property
    def encrypted(self) -> bool:
        """Whether its packets are encrypted by keys from descriptions, both ways."""
        return self.encryption.with_keys

    def _best(self, sdp: Sdp) -> tuple[MediaDescription, tuple[AudioCodec, ...]]:
        """Return the audio stream to talk through, and its codecs: an encrypted one where that
        can be, else the first plain one. NothingInCommon: there is none."""
        plain: tuple[MediaDescription, tuple[AudioCodec, ...]] | None = None
        reason = "no audio stream"
        for media in sdp.media:
            if media.kind != "audio" or not media.port:
                continue
            dtls = self.encryption.dtls_of(sdp, media)
            secure = dtls is not None or self.encryption.keys_of(media)
            if not secure and (self.encryption.browser or media.protocol not in PLAIN):
                reason = f"no audio stream we can use, only {media.protocol[:32]}"
                continue
            if ":" in media.address and (dtls is None or not dtls.ice):
                reason = "only IPv6 addresses"
                continue
            codecs = codecs_of(media)
            if only_events(codecs):
                reason = "no voice codec in common"
            elif media.protocol not in PLAIN:
                return media, codecs
            else:
                plain = plain or (media, codecs)
        if plain is None:
            raise NothingInCommon(reason)
        return plain

    def describe(self, codecs: Sequence[AudioCodec], ptime_ms: int = 20) -> str:
        """Return our offer of `codecs` to this leg, telephone-event always among them.

        A first offer is encrypted where keys may be exchanged. RTP/SAVP has keys by SDES, which
        desk phones know, and a fingerprint beside them: there are phones that insist on DTLS,
        take this, and answer with theirs. Those that want it by its own name (RFC 5764 §8) refuse
        it and find that in `otherwise`, and last the same without encryption. Later offers say
        what was agreed.
        """
        with_events = (*codecs, *(() if among(_OUR_EVENTS, codecs) else (_OUR_EVENTS,)))
        numbered: list[AudioCodec] = []
        for codec in with_events:
            taken = {one.payload for one in numbered}
            number = self._number(codec, taken)
            numbered.append(codec if number == codec.payload else replace(codec, payload=number))
        self._before = self.told
        wire = self.encryption.later_offer(self._audio)
        if wire is not None:
            return self._write(tuple(numbered), "sendrecv", ptime_ms, wire, None)
        wires = self.encryption.first_offers()
        written = [
            (self._write(tuple(numbered), "sendrecv", ptime_ms, wire, None), wire) for wire in wires
        ]
        self._offers = tuple(reversed(written))
        return self.local

    @property
    def otherwise(self) -> tuple[str, ...]:
        """What to offer, one after the other, where the first offer is refused as such."""
        return tuple(text for text, _ in self._offers[1:])

    def settled_for(self, local: str | None) -> None:
        """Note that `local` is what the leg has answered: one of our offers."""
        wire = next((wire for text, wire in self._offers if text == local), None)
        if local is not None and wire is not None:
            self.encryption.settled_for(wire)
            self._wire, self.local = wire, local

    def refused(self) -> None:
        """What we offered last was refused: what was agreed before stays."""
        if self._before:
            self.told, self._before, self._key = self._before, (), ()

    def _number(self, codec: AudioCodec, taken: set[int]) -> int:
        """Return the number to offer a codec under: its own, unless that means another one."""
        means = self._meanings.get(codec.payload, codec.name)
        if codec.payload not in taken and means == codec.name:
            return int(codec.payload)
        own = (number for number, name in self._meanings.items() if name == codec.name)
        wishes: Iterable[int] = (*own, *_DYNAMIC)
        for number in wishes:
            if number not in taken and self._meanings.get(number, codec.name) == codec.name:
                return number
        return int(codec.payload)

    def answer(self, offer: str, codecs: Sequence[AudioCodec], ptime_ms: int = 20) -> str:
        """Return our answer to `offer` (already heard): what of it the other side, which takes
        `codecs`, can take too, under the other side's numbers; its direction mirrored.

        Streams we do not take are refused in their places (RFC 3264 §6).
        """
        told = []
        for codec in codecs:
            own = like(codec, self._heard)
            if own is None:
                continue
            if self._may_tell(codec):
                told.append(codec)
            elif codec.name == EVENT or own.payload == codec.payload:
                told.append(own)
        if not among(_OUR_EVENTS, told):
            told += [codec for codec in self._heard if codec.name == EVENT][:1]
        self.codecs = tuple([codec for codec in self._heard if among(codec, told)])
        direction = direction_answer(self._audio.heard_direction if self._audio else "")
        wire = self.encryption.answer(self._audio)
        return self._write(tuple(told), direction, ptime_ms, wire, Sdp.parse(offer))

    def _may_tell(self, codec: AudioCodec) -> bool:
        """Whether its number means no other codec to this leg, neither by us nor by itself."""
        number = codec.payload
        for one in self._heard:
            if one.payload == number and not same(one, codec):
                return False
        return self._meanings.get(number, codec.name) == codec.name

    def move(
        self,
        address: Callable[[], tuple[str, int]],
        secure_address: Callable[[], tuple[str, int]] | None,
    ) -> None:
        """Let its media come to another place of ours from the next description on."""
        self._address, self._secure_address, self._key = address, secure_address, ()
        self.encryption.relay = secure_address is not None

    def origin(self) -> tuple[int, int]:
        """Return session id and version for a description of something else than sound, which
        is sent in place of ours; the next of ours is news then."""
        self._session_id = self._session_id or random.getrandbits(48)
        self._version += 1
        self._key = ()
        return self._session_id, self._version

    def twin(self) -> Sound:
        """Return a copy, for one more leg that is sent the same offer."""
        twin = Sound(self._address, self._secure_address)
        twin.encryption = self.encryption.twin()
        twin.local, twin.told, twin._key = self.local, self.told, self._key
        twin._meanings = dict(self._meanings)
        twin._session_id, twin._version = self._session_id, self._version
        return twin

    def _write(
        self,
        codecs: tuple[AudioCodec, ...],
        direction: str,
        ptime_ms: int,
        wire: Wire,
        offer: Sdp | None,
    ) -> str:
        self.told, self._wire = codecs, wire
        for codec in codecs:
            self._meanings[codec.payload] = codec.name
        shape = self._shape(offer)
        key = (codecs, direction, ptime_ms, wire, shape)
        if key != self._key:
            self._key = key
            self._version += 1
            self._session_id = self._session_id or random.getrandbits(48)
            secure = self._secure_address if wire.through_relay else None
            by_ice = self.encryption.port_of_ice if wire.dtls else None
            host, port = by_ice or (secure or self._address)()
            text = build(
                host,
                port,
                codecs,
                direction,
                session_id=self._session_id,
                version=self._version,
                ptime=ptime_ms,
                protocol=wire.protocol,
                attributes=[*(str(line) for line in wire.keys), *wire.dtls],
            )
            if wire.session:
                head, m, rest = text.partition("m=audio")
                text = "".join((head, *(f"{line}\r\n" for line in wire.session), m, rest))
            self.local = text if not shape or offer is None else self._fit(text, offer)
        return self.local

    def _shape(self, offer: Sdp | None) -> tuple[str, ...]:
        """Return what an answer to `offer` must mirror; nothing for one plain audio stream."""
        if offer is None or (len(offer.media) == 1 and offer.media[0].protocol == "RTP/AVP"):
            return ()
        return tuple(str(media) for media in offer.media)

    def _fit(self, text: str, offer: Sdp) -> str:
        """Put our single audio stream where the offer has it, refuse the others."""
        head, _, ours = text.partition("m=audio")
        parts = [head]
        taken = False
        for media in offer.media:
            if media == self._audio and not taken:
                taken = True
                parts.append("m=audio" + ours)
            else:
                formats = " ".join(media.formats)
                parts.append(f"m={media.kind} 0 {media.protocol} {formats}\r\n")
        return "".join(parts)
