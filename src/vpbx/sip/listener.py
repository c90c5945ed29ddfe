"""What a session tells whoever owns it."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Generic, Protocol, TypeVar

from vpbx.sip.message import Response, make_response
from vpbx.sip.transaction import ServerTransaction

__all__ = ["Adapter", "EndCause", "Listener", "SessionState"]


class _Refusing(Protocol):
    def refuse(self) -> None:
        """Refuse what was offered."""


_Told = TypeVar("_Told", contravariant=True)
_Own = TypeVar("_Own", bound=_Refusing)


class SessionState(Enum):
    """How far a session has come."""

    INCOMING = "incoming"
    """Their INVITE is here; nothing but 100 has been answered."""
    CALLING = "calling"
    """Our INVITE is out; nothing but 100 came back."""
    EARLY = "early"
    """A provisional response with a tag was sent or has come."""
    CONFIRMED = "confirmed"
    """A 2xx was sent or has come."""
    ENDED = "ended"


class EndCause(StrEnum):
    """Why a session ended without a call of ours (`Listener.on_end`)."""

    BYE = "bye"
    CANCEL = "cancel"
    """The caller gave up before the answer, by CANCEL, early BYE or an INVITE that expired."""
    NO_ACK = "no ack"
    """Our 2xx was never acknowledged, nor a reliable provisional response by PRACK."""
    SESSION_TIMER = "session timer"
    TRANSPORT = "transport"
    """A request of ours in the dialog got no answer, or could not be sent."""
    GONE = "gone"
    """A request of ours in the dialog was answered 481 or 408 (RFC 5057)."""
    BAD_SDP = "bad sdp"
    """The peer's answer to our offer was missing or not understandable."""


class Listener(Protocol[_Told]):
    """Hears of a session. All methods are called on the loop and must not block.

    Nothing is called after `on_end` or `on_failure`, and nothing but `on_failure` after
    `Session.hangup`. `Adapter` gives a default for each. `session` gives both their usual names,
    of a `Session`.
    """

    def on_progress(self, session: _Told, response: Response, sdp: str | None) -> None:
        """Outgoing: a 101-199 came; `sdp` when there is early media. Forks may each send some."""

    def on_answer(self, session: _Told, response: Response, sdp: str | None) -> None:
        """Outgoing: the first 2xx came. `sdp` is the answer and the ACK is sent, or, when our
        INVITE had no offer, their offer: call `Session.ack`."""

    def on_failure(self, session: _Told, code: int, reason: str, response: Response | None) -> None:
        """Outgoing: it will not be answered. 3xx to 6xx as received (a redirect is not
        followed), 408 when time ran out, 503 when sending failed, 487 after our hangup."""

    def on_established(self, session: _Told, sdp: str | None) -> None:
        """Incoming: the ACK came; `sdp` is the answer when our 2xx had the offer."""

    def on_offer(self, session: _Told, sdp: str | None) -> None:
        """The peer wants other media (re-INVITE, UPDATE); None: it wants our offer.

        Call `Session.answer` or `Session.refuse`, now or later. A peer that repeats what holds
        already (session refresh) is answered without asking.
        """

    def on_repeated(self, session: _Told) -> None:
        """The peer's re-INVITE or UPDATE repeated what holds already, and was answered. Its
        packets may come from elsewhere now (a NAT has forgotten them)."""

    def on_reanswer(self, session: _Told, code: int, sdp: str | None) -> None:
        """Our `reinvite` finished with `code`; `sdp` is their answer (or, when ours had no
        offer, their offer: call `Session.ack`). Also called, with 200, when the ACK brings the
        answer to the offer we made in `answer` to an offerless re-INVITE."""

    def on_request(self, session: _Told, tx: ServerTransaction) -> None:
        """INFO, REFER, NOTIFY, MESSAGE… in the dialog: answer it with `tx.respond`."""

    def on_end(self, session: _Told, cause: str) -> None:
        """It is over, and not by a call of ours; `cause` is one of `EndCause`."""


class Adapter(Generic[_Own]):
    """A `Listener` that does the least: takes no new offer, accepts INFO, declines REFER."""

    def on_progress(self, session: _Own, response: Response, sdp: str | None) -> None:
        """Do nothing."""

    def on_answer(self, session: _Own, response: Response, sdp: str | None) -> None:
        """Do nothing."""

    def on_failure(self, session: _Own, code: int, reason: str, response: Response | None) -> None:
        """Do nothing."""

    def on_established(self, session: _Own, sdp: str | None) -> None:
        """Do nothing."""

    def on_offer(self, session: _Own, sdp: str | None) -> None:
        """Refuse: 488."""
        session.refuse()

    def on_repeated(self, session: _Own) -> None:
        """Do nothing."""

    def on_reanswer(self, session: _Own, code: int, sdp: str | None) -> None:
        """Do nothing."""

    def on_request(self, session: _Own, tx: ServerTransaction) -> None:
        """Answer 200 to INFO, 603 to REFER, 501 to the rest."""
        code = {"INFO": 200, "REFER": 603}.get(tx.request.method, 501)
        tx.respond(make_response(tx.request, code))

    def on_end(self, session: _Own, cause: str) -> None:
        """Do nothing."""
