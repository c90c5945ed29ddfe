"""A leg: one SIP session, what was agreed with it about sound, and what it hears.

The verbs are the same whichever side called: `offer`, `agree`, `hangup`. All that the session
says becomes a typed event in the inbox the leg was given, so the one task that runs a call sees
it in order. A leg knows no call.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from weakref import ref

from vpbx.calls.inbox import Event, Inbox
from vpbx.calls.sound import OUR_CODECS, Sound
from vpbx.calls.watching.package import EVENTS
from vpbx.events import Party
from vpbx.frozen import dataclass
from vpbx.media import Side
from vpbx.sip import (
    SIPFRAG,
    AudioCodec,
    Response,
    ServerTransaction,
    Session,
    SessionAdapter,
    make_response,
)

__all__ = [
    "Answered",
    "Digit",
    "Ended",
    "Failed",
    "Handed",
    "Leg",
    "LegEvent",
    "Offered",
    "Progress",
    "Reanswered",
    "Referred",
    "Repeated",
    "Replaced",
    "digit_of",
]

_DTMF = ("application/dtmf", "application/dtmf-relay")
_SIGNAL = re.compile(r"(?:^|\n)\s*Signal\s*=\s*([0-9*#A-Da-d]{1,2})\s*(?:\r|\n|$)", re.IGNORECASE)
_DIGITS = frozenset("0123456789*#ABCD")
_BY_EVENT = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}


class Leg(SessionAdapter):
    """A party, from its INVITE to its BYE.

    `side` is the seat its descriptions were written for. Until it is given an inbox only its
    end is noted.
    """

    __slots__ = (
        *("_answered_like", "_sound", "able", "ended", "inbox", "party", "session", "side"),
        *("watched", "way"),
    )

    session: Session

    def __init__(self, side: Side, inbox: Inbox | None = None, sound: Sound | None = None) -> None:
        self.side = side
        self.inbox = inbox
        self.ended = False
        self.party: Party | None = None
        """The employee of ours at its end, if one is."""
        self.way = ""
        """The key of the trunk, registration or connected PBX it goes through (`Way`)."""
        self.watched = False
        """Whether colleagues were told how its dialog is named (BLF)."""
        self._sound: Sound | None = None
        if sound is not None:
            self.sound = sound
        self.able: tuple[AudioCodec, ...] = ()
        """What a caller offered to speak at first; some of it may be agreed on later."""
        self._answered_like: str | None = None
        """The answer to their INVITE, once it was given."""

    @property
    def sound(self) -> Sound:
        """What was agreed about sound; only once there are media for the leg."""
        assert self._sound is not None
        return self._sound

    @sound.setter
    def sound(self, sound: Sound) -> None:
        self._sound = sound
        sound.source = partial(_media_source, ref(self))  # no circle for the collector

    @property
    def waiting(self) -> bool:
        """Whether it is a caller who has not been answered."""
        return self.session.direction == "in" and not self.session.answered

    @property
    def hears_early(self) -> bool:
        """Whether it is a caller who waits and has been told that they can hear us."""
        return self.waiting and self._answered_like is not None

    def agree(self, sdp: str | None, offered: Sequence[AudioCodec] | None = None) -> None:
        """Take what the peer says of its sound: its offer, or its answer to what was `offered`.

        Raises one of `sound.Unusable`.
        """
        self.sound.encryption.may_encrypt = self.session.encrypted
        self.sound.encryption.browser = self.session.from_browser
        if offered is not None:
            self.sound.settled_for(self.session.local_sdp)
        self.sound.hear(sdp or "", offered)

    def ring(self, other: Sound | None = None) -> None:
        """Tell a waiting caller that it rings; with `other`, that they can hear it.

        The codecs of `other` are then those of the answer, whoever takes the call later (a
        caller looks at the first answer only, RFC 3261 §13.2.1).
        """
        if other is None:
            self.session.ring(180)
        elif self.session.remote_sdp:
            self.session.ring(183, self._answer_like(other))

    def accept(self, other: Sound | None = None) -> None:
        """Answer a waiting caller, in the codecs of `other`, else in their own."""
        if self.session.remote_sdp:
            self.session.accept(self._answer_like(other or self.sound))
        else:
            codecs = other.codecs if other is not None else OUR_CODECS
            self.session.accept(self.sound.describe(codecs))

    def _answer_like(self, other: Sound) -> str:
        offer = self.session.remote_sdp
        assert offer is not None
        if self._answered_like is not None:
            return self._answered_like
        self._answered_like = self.sound.answer(offer, other.codecs, other.ptime_ms)
        return self._answered_like

    def offer(self, codecs: Sequence[AudioCodec]) -> None:
        """Ask a leg that has answered to speak `codecs` (re-INVITE)."""
        wanted = tuple(codecs)
        self.session.reinvite(lambda: self.sound.describe(wanted))

    def hangup(self, code: int = 0, reason: str = "") -> None:
        """End it, whatever its state, and tell nobody anything more; harmless twice."""
        self.inbox = None
        if not self.ended:
            self.ended = True
            self.session.hangup(code, reason)

    def tell(self, code: int, phrase: str, *, over: bool) -> None:
        """Tell a phone that asked for a transfer how it goes (RFC 3515 NOTIFY); the last word
        also ends the leg. It may have hung up by then."""
        if self.ended or not self.session.answered:
            return
        state = "terminated;reason=noresource" if over else "active;expires=60"
        self.session.send(
            "NOTIFY",
            headers=[("Event", "refer"), ("Subscription-State", state)],
            body=f"SIP/2.0 {code} {phrase}\r\n".encode(),
            content_type=SIPFRAG,
            on_response=(lambda response: self.hangup()) if over else None,
        )

    def report_to(self, inbox: Inbox) -> None:
        """Belong to another call from now on: it hears what this leg says, and what it has said
        already that nobody has looked at yet. A phone waits for an answer to its re-INVITE,
        whoever has its leg by then.
        """
        before, self.inbox = self.inbox, inbox
        if before is None or before is inbox:
            return
        for event in before.take_out(lambda each: isinstance(each, LegEvent) and each.leg is self):
            inbox.put(event)

    def pressed(self, digit: str) -> None:
        """Its keypad was used, as the media engine heard (RFC 4733)."""
        self._tell(Digit(self, digit))

    def _tell(self, event: LegEvent) -> None:
        if self.inbox is not None:
            self.inbox.put(event)

    def on_progress(self, session: Session, response: Response, sdp: str | None) -> None:
        self._tell(Progress(self, response.code, sdp))

    def on_answer(self, session: Session, response: Response, sdp: str | None) -> None:
        self._tell(Answered(self, sdp))

    def on_failure(
        self, session: Session, code: int, reason: str, response: Response | None
    ) -> None:
        self.ended = True
        self._tell(Failed(self, code, response is not None))

    def on_established(self, session: Session, sdp: str | None) -> None:
        if sdp is not None:
            self._tell(Reanswered(self, 200, sdp))

    def on_offer(self, session: Session, sdp: str | None) -> None:
        if self.inbox is None:
            session.refuse()
        else:
            self._tell(Offered(self, sdp))

    def on_repeated(self, session: Session) -> None:
        self._tell(Repeated(self))

    def on_reanswer(self, session: Session, code: int, sdp: str | None) -> None:
        self._tell(Reanswered(self, code, sdp))

    def on_end(self, session: Session, cause: str) -> None:
        self.ended = True
        self._tell(Ended(self))

    def on_request(self, session: Session, tx: ServerTransaction) -> None:
        """Pass on digits by INFO and REFER; answer OPTIONS; decline the rest politely."""
        request = tx.request
        if request.method == "OPTIONS":
            tx.respond(make_response(request, 200))
            return
        if request.method == "SUBSCRIBE":  # `kpml`, say; what there is has dialogs of its own
            tx.respond(make_response(request, 489, headers=[("Allow-Events", EVENTS)]))
            return
        if request.method == "REFER" and self.inbox is not None:
            self._tell(Referred(self, tx))
            return
        super().on_request(session, tx)
        if request.method == "INFO":
            kind = request.headers.get("Content-Type") or ""
            if kind.partition(";")[0].strip().lower() in _DTMF:
                digit = digit_of(request.body)
                self._tell(Digit(self, digit, request.body, kind))


def _media_source(leg: ref[Leg], host: str) -> tuple[str, bool]:
    """Say where a leg's media may come from (`Session.media_source`)."""
    owner = leg()
    return ("", False) if owner is None else owner.session.media_source(host)


def digit_of(body: bytes) -> str:
    """Return the digit of an INFO body, `Signal=5` or a bare `5`; "" for what is none."""
    text = body[:256].decode("ascii", "replace")
    found = _SIGNAL.search(text)
    signal = (found[1] if found is not None else text.strip()).upper()
    return signal if signal in _DIGITS else _BY_EVENT.get(signal, "")


@dataclass(frozen=True, slots=True)
class LegEvent(Event):
    """News of `leg`."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class Progress(LegEvent):
    """It rings, or sends early media (`sdp`)."""

    code: int
    sdp: str | None = None


@dataclass(frozen=True, slots=True)
class Answered(LegEvent):
    """It has answered; `sdp` is its description."""

    sdp: str | None = None


@dataclass(frozen=True, slots=True)
class Failed(LegEvent):
    """It will never answer; `code` is the SIP status that says why, and `said` tells whether
    it came from there: else nothing was heard, or nothing could be sent."""

    code: int
    said: bool = True


@dataclass(frozen=True, slots=True)
class Ended(LegEvent):
    """It has hung up."""


@dataclass(frozen=True, slots=True)
class Offered(LegEvent):
    """The peer wants other media (`sdp`), or our offer (None)."""

    sdp: str | None


@dataclass(frozen=True, slots=True)
class Repeated(LegEvent):
    """The peer has said once more what holds already (a refresh, or a way to be found anew)."""


@dataclass(frozen=True, slots=True)
class Reanswered(LegEvent):
    """Our own re-INVITE finished, or an ACK brought an answer."""

    code: int
    sdp: str | None = None


@dataclass(frozen=True, slots=True)
class Digit(LegEvent):
    """A digit was pressed: one of 0-9 * # A-D; "" for an INFO that carries another signal.

    By RFC 4733 the other seat hears it anyway; what came by INFO is kept as it was (`body`,
    `content_type`), to be passed on.
    """

    digit: str
    body: bytes = b""
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Referred(LegEvent):
    """The peer asks for a transfer (REFER, RFC 3515); `tx` waits for an answer."""

    tx: ServerTransaction

    def drop(self) -> None:
        """Decline it."""
        self.tx.respond(make_response(self.tx.request, 603))


@dataclass(frozen=True, slots=True)
class Replaced(LegEvent):
    """Another one, `by`, has called to take its place (RFC 3891 INVITE with Replaces)."""

    by: Leg

    def drop(self) -> None:
        """Decline: there is nothing left to take the place of (RFC 3891 §3)."""
        self.by.hangup(603)


@dataclass(frozen=True, slots=True)
class Handed(LegEvent):
    """`whom`, who talked to its employee in another call, is put through in its place."""

    whom: Leg

    def drop(self) -> None:
        """There is nobody left to put them through to."""
        self.whom.hangup()
