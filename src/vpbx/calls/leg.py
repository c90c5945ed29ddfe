"""One party of a call: a SIP session that reports to the call, and what was agreed with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpbx.calls.inbox import LegEvent, LegNews
from vpbx.sip import Response, ServerTransaction, Session, SessionAdapter, make_response

if TYPE_CHECKING:
    from vpbx.calls.call import Call
    from vpbx.calls.sound import Sound
    from vpbx.events import Party
    from vpbx.media import Side

__all__ = ["Leg"]

_DTMF = "application/dtmf"


class Leg(SessionAdapter):
    """A party, from its INVITE to its BYE.

    Everything the session says becomes an event in the call's inbox, so the one task that runs
    the call sees all of it in order. Until a call takes the leg only its end is noted.
    """

    __slots__ = ("_sound", "call", "ended", "party", "session", "side")

    session: Session

    def __init__(self, call: Call | None, side: Side) -> None:
        self.call = call
        self.side = side
        self.ended = False
        self.party: Party | None = None
        """The employee of ours at its end, if one is."""
        self._sound: Sound | None = None

    @property
    def sound(self) -> Sound:
        """What was agreed about sound; only when the call has media."""
        if self._sound is None:
            assert self.call is not None
            self._sound = self.call.bridge.sound(self.side)
        return self._sound

    @sound.setter
    def sound(self, sound: Sound) -> None:
        self._sound = sound

    @property
    def waiting(self) -> bool:
        """Whether it is a caller who has not been answered."""
        return self.session.direction == "in" and not self.session.answered

    def hangup(self, code: int = 0, reason: str = "") -> None:
        """End it, whatever its state, and tell the call nothing more; harmless twice."""
        self.call = None
        if not self.ended:
            self.ended = True
            self.session.hangup(code, reason)

    def _tell(self, news: LegNews, code: int = 0, sdp: str | None = None) -> None:
        if self.call is not None:
            self.call.take(LegEvent(news, self, code, sdp))

    def on_progress(self, session: Session, response: Response, sdp: str | None) -> None:
        self._tell(LegNews.PROGRESS, response.code, sdp)

    def on_answer(self, session: Session, response: Response, sdp: str | None) -> None:
        self._tell(LegNews.ANSWERED, response.code, sdp)

    def on_failure(
        self, session: Session, code: int, reason: str, response: Response | None
    ) -> None:
        self.ended = True
        self._tell(LegNews.FAILED, code)

    def on_established(self, session: Session, sdp: str | None) -> None:
        if sdp is not None:
            self._tell(LegNews.REANSWERED, 200, sdp)

    def on_offer(self, session: Session, sdp: str | None) -> None:
        if self.call is None:
            session.refuse()
        else:
            self._tell(LegNews.OFFERED, 0, sdp)

    def on_reanswer(self, session: Session, code: int, sdp: str | None) -> None:
        self._tell(LegNews.REANSWERED, code, sdp)

    def on_end(self, session: Session, cause: str) -> None:
        self.ended = True
        self._tell(LegNews.ENDED)

    def on_request(self, session: Session, tx: ServerTransaction) -> None:
        """Pass DTMF by INFO to the other party; answer OPTIONS; decline the rest politely."""
        request = tx.request
        if request.method == "OPTIONS":
            tx.respond(make_response(request, 200))
            return
        super().on_request(session, tx)
        kind = request.headers.get("Content-Type") or ""
        if request.method == "INFO" and kind.lower().startswith(_DTMF) and self.call is not None:
            other = self.call.other(self)
            if other is not None and not other.ended and other.session.answered:
                other.session.send("INFO", body=request.body, content_type=kind)
