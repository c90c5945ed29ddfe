"""One call as a simulated phone or carrier has it: signalling, sound, and things to wait for."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sipmessage import Address

from vpbx.media.rtp import RtpEndpoint, goertzel
from vpbx.sim.bell import Bell
from vpbx.sip import (
    AudioCodec,
    NothingInCommon,
    Request,
    Response,
    Sdp,
    ServerTransaction,
    Session,
    SessionAdapter,
    build,
    codecs_of,
    common,
    direction_answer,
    make_response,
)

__all__ = ["G711", "Call", "CallFailed", "Ending"]

G711 = (
    AudioCodec("PCMA", 8),
    AudioCodec("PCMU", 0),
    AudioCodec("telephone-event", 101, fmtp="0-15"),
)
_EVENT = "telephone-event"
_TOLERANCE_HZ = 12.0
_LISTEN_S = 0.25
_TONE_SHARE = 0.3
_KEPT = 100


class CallFailed(Exception):
    """The call ended before what was waited for happened."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}" if code else reason)
        self.code = code


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended. `code` is the final SIP status of an unanswered call, else 0."""

    code: int
    cause: str


class Call(SessionAdapter):
    """A call placed by `UserAgent.call` or taken by `UserAgent.incoming`.

    Everything awaited takes `timeout_s` and raises TimeoutError when that is over, or
    `CallFailed` when the call ends instead.
    """

    def __init__(self, *, media_host: str, codecs: Sequence[AudioCodec] = G711) -> None:
        self.session: Session | None = None
        self.rtp: RtpEndpoint | None = None
        self.ending: Ending | None = None
        self.progress: list[int] = []
        """Provisional answers to our INVITE, in order."""
        self.directions: list[str] = []
        """What the other side wanted, by each of its offers: sendrecv, sendonly…"""
        self.requests: deque[Request] = deque(maxlen=_KEPT)
        """What the other side has asked or told within the call: INFO, NOTIFY…"""
        self.answers_notify = True
        """Whether it answers what it is told of a transfer it asked for."""
        self._media_host = media_host
        self._codecs = tuple(codecs)
        self._bell = Bell()
        self._is_answered = False
        self._session_id = random.getrandbits(31)
        self._version = 0
        self._tone_hz: float | None = None
        self._reanswer: int | None = None
        self._asks_offer = False

    # --- facts -------------------------------------------------------------------------

    @property
    def caller(self) -> tuple[str, str]:
        """Name shown and number or login of who calls."""
        return _party(self._begun().from_)

    @property
    def called(self) -> str:
        """The number called."""
        return self._begun().request.uri.user or ""

    @property
    def is_answered(self) -> bool:
        return self._is_answered

    @property
    def is_over(self) -> bool:
        return self.ending is not None

    @property
    def hears_hz(self) -> float:
        """The loudest frequency of the last quarter of a second, 0 for silence."""
        return self.rtp.frequency(_LISTEN_S) if self.rtp is not None else 0.0

    @property
    def digits(self) -> str:
        """RFC 4733 digits heard so far."""
        return self.rtp.digits if self.rtp is not None else ""

    # --- doing -------------------------------------------------------------------------

    async def open_sound(self) -> RtpEndpoint:
        """Bind the RTP socket, once."""
        if self.rtp is None:
            self.rtp = await RtpEndpoint.open(self._media_host)
        return self.rtp

    def ring(self, code: int = 180) -> None:
        self._live().ring(code)

    async def early_media(self, tone_hz: float, code: int = 183) -> None:
        """Send sound before the answer."""
        await self.open_sound()
        sdp = self._describe(self._live().remote_sdp)
        self.say(tone_hz)
        self._live().ring(code, sdp)

    async def answer(self, tone_hz: float | None = None) -> None:
        """Take an incoming call, and say `tone_hz` when given."""
        await self.open_sound()
        session = self._live()
        try:
            sdp = self._describe(session.remote_sdp)
        except NothingInCommon:
            session.reject(488)
            self._end(488, "nothing in common")
            return
        session.accept(sdp)
        self._is_answered = True
        if tone_hz is not None:
            self.say(tone_hz)
        self._bell.ring()

    def reject(self, code: int = 486) -> None:
        self._live().reject(code)
        self._end(code, "rejected")

    def hangup(self) -> None:
        """End the call, whatever it is doing."""
        if self.session is not None and self.ending is None:
            self.session.hangup()
            self._end(0, "hung up")

    def say(self, tone_hz: float) -> None:
        """Send this tone from now on."""
        self._tone_hz = tone_hz
        if self.rtp is not None and self.rtp.remote is not None:
            self.rtp.send_tone(tone_hz)

    def hush(self) -> None:
        """Send nothing more."""
        self._tone_hz = None
        if self.rtp is not None:
            self.rtp.stop()

    def dial(self, digits: str) -> None:
        """Send RFC 4733 digits."""
        if self.rtp is not None:
            self.rtp.send_digits(digits)

    async def hold(self, direction: str = "sendonly", timeout_s: float = 20.0) -> int:
        """Offer `direction` by re-INVITE; return the status of the answer."""
        self._reanswer = None
        self._live().reinvite(self.offer(direction))
        return await self._until(lambda: self._reanswer, timeout_s, "no answer to the re-INVITE")

    async def ask_offer(self, timeout_s: float = 20.0) -> int:
        """Have the other side say first what it can (re-INVITE without SDP, RFC 3261 §14.1)."""
        session = self._live()
        self._reanswer = None
        self._asks_offer = True
        session.reinvite(None)
        return await self._until(lambda: self._reanswer, timeout_s, "no answer to a re-INVITE")

    async def resume(self, timeout_s: float = 20.0) -> int:
        return await self.hold("sendrecv", timeout_s)

    async def transfer(self, uri: str, timeout_s: float = 20.0) -> int:
        """Pass the other side on to `uri` (REFER, RFC 3515); return the status of the answer.

        Of how it goes NOTIFYs tell; a phone that has been answered 202 may hang up at once.
        """
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def answered(response: Response) -> None:
            if not answer.done():
                answer.set_result(response.code)

        headers = [("Refer-To", f"<{uri}>")]
        self._live().send("REFER", headers=headers, on_response=answered)
        async with asyncio.timeout(timeout_s):
            return await answer

    # --- waiting -----------------------------------------------------------------------

    async def ringing(self, timeout_s: float = 20.0) -> None:
        """Wait until the called side rings (180 or 183)."""
        await self._until(
            lambda: True if self._is_answered or self.progress else None, timeout_s, "no ringing"
        )

    async def answered(self, timeout_s: float = 20.0) -> None:
        await self._until(lambda: self._is_answered or None, timeout_s, "no answer")

    async def ended(self, timeout_s: float = 20.0) -> Ending:
        return await self._bell.until(lambda: self.ending, timeout_s, lambda: "the call goes on")

    async def heard(
        self, tone_hz: float, *, timeout_s: float = 20.0, tolerance_hz: float = _TOLERANCE_HZ
    ) -> float:
        """Wait until this tone is what is heard; return the frequency measured."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        while True:
            left = end - loop.time()
            try:
                await self._sound().hear(10, max(left, 0))
            except TimeoutError:
                raise TimeoutError(
                    f"no tone of {tone_hz:g} Hz within {timeout_s:g} s, but {self.hears_hz:.0f} Hz"
                ) from None
            if goertzel(self._sound().pcm(_LISTEN_S), tone_hz) < _TONE_SHARE:
                continue  # cheap to find out; to measure takes longer
            measured = self.hears_hz
            if abs(measured - tone_hz) <= tolerance_hz:
                return measured

    async def heard_digits(self, digits: str, *, timeout_s: float = 20.0) -> None:
        """Wait until these RFC 4733 digits have come."""
        async with asyncio.timeout(timeout_s):
            while not self.digits.endswith(digits):
                await self._sound().hear(1, timeout_s)

    # --- what the session tells ----------------------------------------------------------

    def on_progress(self, session: Session, response: Response, sdp: str | None) -> None:
        self.progress.append(response.code)
        self._listen_to(sdp)
        self._bell.ring()

    def on_answer(self, session: Session, response: Response, sdp: str | None) -> None:
        if session.local_sdp is None:  # our INVITE had no offer: theirs came with the 200
            session.ack(self._describe(sdp))
        else:
            self._listen_to(sdp)
        self._is_answered = True
        self._bell.ring()

    def on_failure(
        self, session: Session, code: int, reason: str, response: Response | None
    ) -> None:
        self._end(code, reason)

    def on_established(self, session: Session, sdp: str | None) -> None:
        self._listen_to(sdp)

    def on_offer(self, session: Session, sdp: str | None) -> None:
        if sdp is not None:
            self.directions.append(Sdp.parse(sdp).direction)
        try:
            session.answer(self._describe(sdp))
        except NothingInCommon:
            session.refuse(488)
        self._bell.ring()

    def on_reanswer(self, session: Session, code: int, sdp: str | None) -> None:
        if self._asks_offer and sdp is not None:
            session.ack(self._describe(sdp))
        else:
            self._listen_to(sdp)
        self._asks_offer = False
        self._reanswer = code
        self._bell.ring()

    def on_request(self, session: Session, tx: ServerTransaction) -> None:
        self.requests.append(tx.request)
        if tx.request.method != "NOTIFY":
            super().on_request(session, tx)
        elif self.answers_notify:
            tx.respond(make_response(tx.request, 200))

    def on_end(self, session: Session, cause: str) -> None:
        self._end(487 if cause == "cancel" else 0, cause)

    # --- inside --------------------------------------------------------------------------

    def _begun(self) -> Session:
        if self.session is None:
            raise CallFailed(0, "the call has not begun")
        return self.session

    def _live(self) -> Session:
        if self.ending is not None:
            raise CallFailed(self.ending.code, self.ending.cause)
        return self._begun()

    def _sound(self) -> RtpEndpoint:
        if self.rtp is None:
            raise CallFailed(0, "the call has no sound yet")
        return self.rtp

    def offer(self, direction: str = "sendrecv") -> str:
        return self._write(self._codecs, direction)

    def _describe(self, offer: str | None) -> str:
        """Answer their offer, or make ours where there is none; `NothingInCommon`."""
        if offer is None:
            return self.offer()
        description = Sdp.parse(offer)
        shared = common(codecs_of(description), self._codecs)
        self._listen_to(offer)
        return self._write(shared, direction_answer(description.direction))

    def _write(self, codecs: Sequence[AudioCodec], direction: str) -> str:
        host, port = self._sound().local
        self._version += 1
        return build(
            host,
            port,
            codecs,
            direction,
            session_id=self._session_id,
            version=self._version,
        )

    def _listen_to(self, sdp: str | None) -> None:
        """Send our sound where their description says, in a codec both have."""
        audio = Sdp.parse(sdp).audio if sdp is not None else None
        if audio is None or self.rtp is None:
            return
        codecs = common(codecs_of(audio), self._codecs)
        voice = next(codec for codec in codecs if codec.name != _EVENT)
        self.rtp.connect(audio.address, audio.port, payload_type=voice.payload)
        events = [codec.payload for codec in codecs if codec.name == _EVENT]
        self.rtp.dtmf_payload = events[0] if events else 0
        if self._tone_hz is not None:
            self.rtp.send_tone(self._tone_hz)

    def _end(self, code: int, cause: str) -> None:
        if self.ending is None:
            self.ending = Ending(code, cause)
            if self.rtp is not None:
                self.rtp.close()
            self._bell.ring()

    async def _until(self, look: Callable[[], object], timeout_s: float, missing: str) -> int:
        def seen() -> object:
            return look() if self.ending is None else self.ending

        found = await self._bell.until(seen, timeout_s, lambda: missing)
        if isinstance(found, Ending):
            raise CallFailed(found.code, found.cause)
        return int(found)  # type: ignore[call-overload, no-any-return]


def _party(address: Address) -> tuple[str, str]:
    return address.name or "", getattr(address.uri, "user", None) or ""
