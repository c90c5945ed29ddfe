"""The sound of a call: the media session between its two legs, driven by their descriptions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import structlog

from vpbx.calls.sound import Sound, Unusable
from vpbx.media import MediaEngine, MediaError, MediaSession, Recording, RtpPeer, Side

if TYPE_CHECKING:
    from vpbx.calls.leg import Leg

__all__ = ["Bridge"]

log = structlog.get_logger("vpbx.calls")

HOLD_MUSIC = "holdmusic"
RINGBACK = "ringback"


class Bridge:
    """Media of one call. Every method that talks to the engine may raise `MediaError`."""

    __slots__ = ("_engine", "_peers", "_playing", "language", "recording", "session")

    def __init__(self, engine: MediaEngine, language: str) -> None:
        self._engine = engine
        self.language = language
        self.session: MediaSession | None = None
        self.recording = False
        self._peers: dict[Side, RtpPeer] = {}
        self._playing: dict[Side, str] = {}

    async def open(self, callid: str, on_timeout: Callable[[], None]) -> None:
        """Reserve ports for both sides."""
        if self.session is None:
            self.session = await self._engine.open(callid, on_timeout=on_timeout)

    def sound(self, side: Side) -> Sound:
        """Return a fresh `Sound` for a leg of `side`."""
        return Sound(partial(self._media.local, side))

    async def point(self, side: Side, peer: RtpPeer | None) -> None:
        """Send the media for `side` to `peer` from now on."""
        if peer is not None and self._peers.get(side) != peer:
            self._peers[side] = peer
            await self._media.set_remote(side, peer)

    async def play(self, side: Side, prompt: str, *, repeat: int = 1, wait: bool = False) -> None:
        """Let `side` hear a prompt instead of the other side.

        A side that speaks no codec prompts exist in hears nothing; that ends no call.
        """
        self._playing[side] = prompt
        try:
            await self._media.play(side, prompt, repeat=repeat, language=self.language, wait=wait)
        except MediaError as error:
            log.debug("a prompt was not played", prompt=prompt, error=str(error))

    async def hush(self, side: Side) -> None:
        """Stop what `play` began, if anything."""
        if self._playing.pop(side, None) is not None:
            await self._media.stop_playing(side)

    def plays(self, side: Side) -> bool:
        """Say whether a prompt was begun for `side` and not stopped."""
        return side in self._playing

    async def renegotiate(self, leg: Leg, other: Leg | None, offer: str | None) -> None:
        """Answer what a leg wants in the middle of a call: hold, resume, another address.

        The other leg is not bothered unless it speaks a codec the first one gave up; it hears
        music while it is held.
        """
        sound = leg.sound
        if offer is None:
            leg.session.answer(sound.describe(sound.codecs))
            return
        was_held = sound.held
        try:
            sound.hear(offer, other.sound.codecs if other is not None else sound.codecs or None)
        except Unusable:
            leg.session.refuse(488)
            return
        leg.session.answer(sound.answer(offer, sound.codecs))
        await self.point(leg.side, sound.peer)
        if other is None:
            return
        self.follow(other, leg)
        if sound.held and not was_held:
            await self.play(other.side, HOLD_MUSIC, repeat=0)
        elif was_held and not sound.held:
            await self.hush(other.side)

    def follow(self, leg: Leg, other: Leg) -> None:
        """Offer `leg` the codecs of `other` where they no longer share the one in use."""
        if not other.sound.speaks(leg.sound.voice):
            leg.session.reinvite(leg.sound.describe(other.sound.codecs))

    async def renegotiated(self, leg: Leg, code: int, answer: str | None) -> None:
        """Take the answer to an offer of ours; a refusal leaves all as it was."""
        if answer is None or not 200 <= code < 300:
            return
        try:
            leg.sound.hear(answer)
        except Unusable:
            return
        await self.point(leg.side, leg.sound.peer)

    async def record(self) -> None:
        """Capture both sides from now on, where that is possible."""
        self.recording = await self._media.start_recording()

    async def close(self) -> Recording | None:
        """Let go of everything; return what was captured. Never raises."""
        session, self.session = self.session, None
        return None if session is None else await session.close()

    @property
    def _media(self) -> MediaSession:
        if self.session is None:
            raise MediaError("the call has no media")
        return self.session
