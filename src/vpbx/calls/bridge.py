"""The sound of a call: a media session and its two seats.

What a seat hears in the place of the other one is said in `covers`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import structlog

from vpbx.calls.covers import Covers
from vpbx.calls.encryption import DtlsWay
from vpbx.calls.fax_between import FaxBetween, wants_fax
from vpbx.calls.leg import Leg
from vpbx.calls.measured import Measured
from vpbx.calls.sound import Sound, Unusable
from vpbx.media import MediaEngine, MediaError, Recording, RtpPeer, Side

__all__ = ["Bridge"]

log = structlog.get_logger("vpbx.calls")

_DTMF_RELAY, _DIGIT_MS = "application/dtmf-relay", 160


class Bridge(Covers):
    """Media of one call. Every method that talks to the engine may raise `MediaError`."""

    __slots__ = (
        "_aimed",
        "_diverted",
        "_engine",
        "_fax",
        "_kept",
        "_peers",
        "_seats",
        "_watchers",
        "measured",
        "recording",
    )

    def __init__(self, engine: MediaEngine, language: str) -> None:
        super().__init__(language)
        self._engine = engine
        self.measured = Measured()
        self.recording = False
        self._kept: Recording | None = None
        self._seats: dict[Side, Leg] = {}
        self._peers: dict[Side, RtpPeer] = {}
        self._aimed: dict[Side, Leg] = {}
        """Whom each side's media go to: who sits there, or is heard before they do, or has left
        the seat and nobody has come since."""
        self._diverted: set[Side] = set()
        """Seats that dial something, while the other one hears music."""
        self._watchers: list[Callable[[], None]] = []
        self._fax: FaxBetween | None = None
        """What both seats speak in the place of sound, or one of them wants to."""

    async def open(self, callid: str, on_timeout: Callable[[], None]) -> None:
        """Reserve ports for both seats."""
        if self.session is None:
            self.session = await self._engine.open(
                callid, on_digit=self._pressed, on_timeout=on_timeout
            )

    def sound(self, side: Side) -> Sound:
        """Return a fresh `Sound` for a leg of `side`."""
        media = self._media

        def dtls_way(browser: bool) -> DtlsWay:
            if not browser:
                return DtlsWay(media.fingerprint, secrets.token_hex(8))
            return DtlsWay(media.fingerprint, *media.browser(side))

        way = dtls_way if media.knows_dtls else None
        return Sound(partial(media.local, side), self._secure_local(side), way)

    def _secure_local(self, side: Side) -> Callable[[], tuple[str, int]] | None:
        media = self._media
        return partial(media.secure_local, side) if media.knows_sdes else None

    # -- the seats -----------------------------------------------------------------------------

    async def seat(self, leg: Leg) -> None:
        """Let `leg` have the seat of its side: its sound goes there, its digits are heard."""
        self._leaves(leg.side, leg)
        self._seats[leg.side] = leg
        await self.aim()

    async def take_over(self, leg: Leg, side: Side) -> None:
        """Let a leg that sat at another bridge have a seat here; it is told by a re-INVITE."""
        media = self._media
        leg.side = side
        leg.sound.move(partial(media.local, side), self._secure_local(side))
        await self.change(leg)
        other = self._seats.get(side.other)
        leg.offer(other.sound.codecs if other is not None else leg.sound.codecs)

    async def change(self, leg: Leg) -> None:
        """Let `leg` have the seat of its side in the place of who sat there."""
        self.vacate(leg.side)
        await self.seat(leg)
        await self._settle(leg.side.other)

    def watch(self, parted: Callable[[], None]) -> Callable[[], None]:
        """Call `parted` when somebody leaves a seat, or the call is over; returns how to stop
        that, harmless twice."""
        self._watchers.append(parted)

        def unwatch() -> None:
            if parted in self._watchers:
                self._watchers.remove(parted)

        return unwatch

    def _tell_parted(self) -> None:
        for parted in tuple(self._watchers):
            parted()

    def vacate(self, side: Side, *, measured: bool = False) -> None:
        """Let nobody have the seat; whoever sits opposite is not held any more. `measured`: what
        was measured of who leaves has been noted."""
        self._tell_parted()
        self._to_sound(self._seats.get(side.other))
        if not measured:
            self._leaves(side)
        self._seats.pop(side, None)
        self._held.discard(side.other)
        if side in self._diverted:  # who dialled has gone, and with them what they began
            self._diverted.discard(side)
            self._loops.pop(side.other, None)
            if self.session is not None:
                self.session.overhear_no_more(side)

    def _leaves(self, side: Side, unless: Leg | None = None) -> None:
        """Have noted what was measured of who has a seat."""
        leg, session = self._seats.get(side), self.session
        if leg is not None and leg is not unless and session is not None and leg.session.answered:
            self.measured.over(leg, session.part(side))

    def measure(self) -> None:
        """Have noted what was measured of both seats; what comes now is another chapter's."""
        if self.session is not None and any(leg.session.answered for leg in self._seats.values()):
            self.measured.all_over(self._seats, self.session.parts())

    async def send_away(self, side: Side) -> None:
        """Vacate a seat whose leg goes on elsewhere: it is sent nothing more from here."""
        self.vacate(side)
        peer = self._peers.get(side)
        if peer is not None:
            await self.point(side, replace(peer, listens=False))

    async def aim(self, *, anew: Side | None = None) -> None:
        """Let the media engine know what was agreed with both seats; `anew`: one of them has
        said where it is, so what was learned of it counts no more."""
        for side, leg in self._seats.items():
            peer = leg.sound.peer
            self._aimed[side] = leg
            if peer is not None and self._misheard(side):
                peer = replace(peer, digits_hidden=True)
            await self.point(side, peer, anew=side is anew)

    async def preview(self, leg: Leg) -> None:
        """Let a leg be heard that has no seat yet: its early media."""
        self._aimed[leg.side] = leg
        await self.point(leg.side, leg.sound.peer)

    async def _point_again(self, leg: Leg) -> None:
        """Follow a leg without a seat that says where it is, unless somebody else is there by
        now: who has passed the other side on waits for a NOTIFY, and may say so meanwhile."""
        if self._aimed.get(leg.side) is leg:
            await self.point(leg.side, leg.sound.peer)

    async def point(self, side: Side, peer: RtpPeer | None, *, anew: bool = False) -> None:
        """Send the media for `side` to `peer` from now on."""
        if peer is not None and (anew or self._peers.get(side) != peer):
            self._peers[side] = peer
            await self._media.set_remote(side, peer, anew=anew)

    async def attend(self) -> None:
        """Hear the digits of a seat whose leg has been answered, though nothing is played yet."""
        await self._media.attend()

    def _pressed(self, side: Side, digit: str) -> None:
        leg = self._seats.get(side)
        if leg is not None:
            leg.pressed(digit)
            if self._misheard(side) and side not in self._diverted:
                self.carry(side.other, digit)

    def _misheard(self, side: Side) -> bool:
        """Whether the other seat would not understand the digits that this one sends by
        RFC 4733: it gave them another number, or speaks INFO only."""
        leg, other = self._seats.get(side), self._seats.get(side.other)
        if leg is None or other is None or not (leg.sound.described and other.sound.described):
            return False
        comes_as = leg.sound.digits_come_as
        return comes_as is not None and comes_as != other.sound.digits_taken

    def carry(self, side: Side, digit: str, body: bytes = b"", content_type: str = "") -> None:
        """Let a seat have a digit in the way it understands: RFC 4733, else INFO.

        `body` is what came by INFO; it is passed on as it was when it is none of the sixteen.
        """
        leg = self._seats.get(side)
        if leg is None or leg.ended or not leg.session.answered or self.session is None:
            return
        if digit and self.session.press(side, digit):
            return
        body = body or f"Signal={digit}\r\nDuration={_DIGIT_MS}\r\n".encode()
        leg.session.send("INFO", body=body, content_type=content_type or _DTMF_RELAY)

    # -- what one seat dials while the other one waits ------------------------------------------

    async def divert(self, side: Side) -> bool:
        """Let the seat opposite of `side` hear hold music, while the digits of `side` are still
        caught, and not passed on; False, and nothing changes, where that cannot be."""
        leg = self._seats.get(side)
        by_info = leg is not None and (not leg.sound.described or not leg.sound.digits_come_as)
        if not by_info and not self._media.overhear(side):
            return False
        self._diverted.add(side)
        await self.loop(side.other, self.hold_music)
        return True

    def diverts(self, side: Side) -> bool:
        """Say whether what a seat dials now is for us, and not for the other one."""
        return side in self._diverted

    async def rejoin(self, side: Side, *, music: bool = False) -> None:
        """End what `divert` began; `music`: but for the music."""
        if side in self._diverted:
            self._diverted.discard(side)
            self._media.overhear_no_more(side)
            if not music:
                await self.hush(side.other)

    # -- what is agreed in the middle of a call ------------------------------------------------

    async def renegotiate(self, leg: Leg, offer: str | None) -> None:
        """Answer what a leg wants in the middle of a call: hold, resume, another address.

        The other leg is not bothered unless it speaks a codec the first one gave up; it hears
        music while it is held.
        """
        sound = leg.sound
        if offer is None:
            leg.session.answer(sound.describe(sound.told or sound.codecs))
            return
        seated = self._seats.get(leg.side) is leg
        other = self._seats.get(leg.side.other) if seated else None
        was_held = sound.held
        if self._takes_fax(leg, other, offer):
            return
        try:
            leg.agree(offer, other.sound.codecs if other is not None else sound.codecs or None)
        except Unusable:
            leg.session.refuse(488)
            return
        codecs = other.sound.codecs if other is not None else sound.codecs
        leg.session.answer(sound.answer(offer, codecs))
        if not seated:
            await self._point_again(leg)
            return
        self._to_sound(other)
        await self.aim(anew=leg.side)
        if other is not None:
            self.follow(other, leg)
            await self._hold(other.side, held=sound.held, changed=sound.held != was_held)

    def follow(self, leg: Leg, other: Leg) -> None:
        """Offer `leg` the codecs of `other` where they no longer share the one in use."""
        if not other.sound.speaks(leg.sound.voice):
            leg.offer(other.sound.codecs)

    def _takes_fax(self, leg: Leg, other: Leg | None, offer: str) -> bool:
        """Let a leg speak T.38 with the other one, if that is what it wants."""
        if self._fax is not None:
            return self._fax.takes(leg, offer)
        host = self._media.local(leg.side)[0]
        if other is None or not wants_fax(leg, other, offer, host):
            return False
        try:
            relay = self._media.relay_packets()
        except MediaError as error:
            log.warning("T.38 cannot be passed on", error=str(error))
            return False
        self._fax = FaxBetween(relay, host, leg, other, offer)
        return True

    def _to_sound(self, other: Leg | None = None) -> None:
        """End T.38, if it was spoken; `other` is to speak again."""
        fax, self._fax = self._fax, None
        if fax is None:
            return
        fax.end()
        if fax.silent and other is not None and not other.ended:
            other.offer(other.sound.codecs)

    async def renegotiated(self, leg: Leg, code: int, answer: str | None) -> None:
        """Take the answer to an offer of ours; a refusal leaves all as it was."""
        if self._fax is not None and self._fax.answered(leg, code, answer):
            if self._fax.over:
                self._to_sound(leg)
            return
        if answer is None or not 200 <= code < 300:
            leg.sound.refused()
            return
        was_held = leg.sound.held
        try:
            leg.agree(answer, leg.sound.told or None)
        except Unusable:
            return
        if self._seats.get(leg.side) is not leg:
            await self._point_again(leg)
            return
        await self.aim(anew=leg.side)
        held = leg.sound.held
        await self._hold(leg.side.other, held=held, changed=held != was_held)

    # -- recording and the end -----------------------------------------------------------------

    async def record(self, name: str) -> bool:
        """Record what comes from both seats from now on, under `name`; False: it cannot be.

        With nobody on one seat that is a recording of the other one.
        """
        media = self._media
        self.recording = True  # also when this is cancelled: something may be recorded then
        self.recording = await media.start_recording(name)
        return self.recording

    async def stop_recording(self) -> Recording | None:
        """End the recording that runs; None when there is none or nothing was captured."""
        if not self.recording:
            return None
        self.recording = False
        return await self._media.stop_recording()

    async def keep_recording(self) -> None:
        """End the recording that runs; `end_recording` or `close` returns it."""
        if self.recording:
            self._kept = await self.stop_recording()

    async def end_recording(self) -> Recording | None:
        """End the recording that runs and return it, or what was kept of one."""
        kept, self._kept = self._kept, None
        return await self.stop_recording() or kept

    async def close(self) -> Recording | None:
        """Let go of everything; return what a recording captured that still ran, or was kept.

        Never raises.
        """
        self._stop_all_speaking()
        self._tell_parted()
        self._to_sound()
        self.measure()
        self._seats.clear()
        self._aimed.clear()
        session, self.session = self.session, None
        running = None if session is None else await session.close()
        return running or self._kept
