"""A call leg, from either side: what both may do in its dialog (RFC 3261 §12-15, RFC 3311).

`incoming` and `outgoing` add how each side gets to a confirmed dialog; from there on a session
is the same thing, and lives here: the peer's requests in the dialog, and ours.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeAlias

from vpbx.sip.body import ALLOW, SDP_TYPE, SUPPORTED, BadBody, session_description
from vpbx.sip.dialog import Dialog
from vpbx.sip.exchange import Exchange
from vpbx.sip.listener import Adapter, EndCause, Listener, SessionState
from vpbx.sip.message import Request, Response, make_response
from vpbx.sip.offer_answer import OfferState
from vpbx.sip.reinvite import ReInvite
from vpbx.sip.transaction import ServerTransaction
from vpbx.sip.usage import Headers, OurOffer, Usage, WrongState

_NOT_NOW = frozenset((491, 500, 503, 504))
"""Answers to an UPDATE that say nothing about the next one."""
_WITH_CONTACT = frozenset(("INVITE", "UPDATE", "REFER", "SUBSCRIBE", "NOTIFY"))


class Session(Usage):
    """A call leg. `listener` is set by whoever creates it (`SipStack.invite`) or takes it
    (`Application.on_invite`). After the end every method is harmless and does nothing.

    Beside what stands here, `Usage` gives `from_`, `to`, `remote_party`, `remote_sdp`,
    `local_sdp`, `supports`, `allows` and `hangup`.
    """

    __slots__ = ()

    @property
    def proceeding(self) -> bool:
        """Whether anything, be it only a 100, has been answered to the INVITE."""
        return self.state is not SessionState.CALLING

    # What only one direction can do

    def ring(self, code: int = 180, sdp: str | None = None, headers: Headers = ()) -> None:
        """Incoming: answer 101-199, reliably when the peer requires it (RFC 3262)."""
        raise WrongState("only an incoming call rings here")

    def accept(self, sdp: str | None, headers: Headers = ()) -> None:
        """Incoming: answer 200, repeated until the ACK. `sdp` is the answer, or our offer when
        the INVITE had none; None only when offer and answer are done already."""
        raise WrongState("only an incoming call is accepted")

    def reject(self, code: int, reason: str | None = None, headers: Headers = ()) -> None:
        """Incoming: answer 300-699; ends the session."""
        raise WrongState("only an incoming call is rejected")

    def challenge(self, challenges: Sequence[str], *, proxy: bool = False) -> None:
        """Incoming: answer 401 (or 407) with these challenges; ends the session."""
        raise WrongState("only an incoming call is challenged")

    # In the dialog, ours

    def ack(self, sdp: str) -> None:
        """Answer the offer that a 2xx to our offerless INVITE or re-INVITE brought."""
        wanted, self.ack_wanted = self.ack_wanted, None
        if wanted is not None:
            self.media.send_answer(sdp)
            wanted(sdp)
            self.next_turn()

    def reinvite(self, sdp: str | Callable[[], str] | None) -> None:
        """Offer other media (None: ask for the peer's offer). Waits for its turn; glare is
        tried again after the pause of RFC 3261 §14.1. Ends in `on_reanswer`.

        What is to be offered as it is then, is told by a function, asked each time it is sent.
        """
        if self.state is not SessionState.ENDED:
            self._queue = (*self._queue, ReInvite(self, sdp))
            self.next_turn()

    def send(
        self,
        method: str,
        *,
        headers: Headers = (),
        body: bytes = b"",
        content_type: str | None = None,
        on_response: Callable[[Response], None] | None = None,
    ) -> None:
        """Send INFO, REFER, NOTIFY, MESSAGE… in the dialog (offers go by `reinvite`).

        `on_response` hears the final response, a made-up 408 or 503 when none comes. 408, 481
        and a failing transport end the session (RFC 5057), after that.
        """
        dialog = self.dialog
        if self.state is SessionState.ENDED:
            return
        if dialog is None:
            raise WrongState(f"no dialog yet to send {method} in")
        if method in _WITH_CONTACT:
            headers = (("Contact", self.stack.contact(dialog.hop)), *headers)

        def make() -> Request:
            return dialog.request(method, headers=headers, body=body, content_type=content_type)

        def done(response: Response) -> None:
            if on_response is not None:
                on_response(response)
            self.end_if_gone(response)

        Exchange(self.stack, dialog.hop, make, done, self.auth)

    def next_turn(self) -> None:
        """Send the next re-INVITE that waits, if now is its time (RFC 3261 §14.1)."""
        if (
            self._queue
            and self.state is SessionState.CONFIRMED
            and self._reinvite is None
            and self._pause is None
            and self._unacked is None
            and self._offer_tx is None
            and self.ack_wanted is None
            and self.media.stable
        ):
            self._reinvite, self._queue = self._queue[0], self._queue[1:]
            self._reinvite.start()

    def reinvite_done(self, code: int, sdp: str | None, *, tell: bool) -> None:
        """A re-INVITE of ours is over; called by it."""
        self._reinvite = None
        if tell:
            self.tell(self.listener.on_reanswer, code, sdp)
        self.next_turn()

    def reinvite_later(self, reinvite: OurOffer, delay_s: float) -> None:
        """A re-INVITE of ours met one of the peer's: let theirs pass, then try again."""
        self._reinvite = None
        self._queue = (reinvite, *self._queue)
        self._pause = self.clock.call_later(delay_s, self._pause_over)

    def _pause_over(self) -> None:
        self._pause = None
        self.next_turn()

    # In the dialog, theirs

    def on_request(self, dialog: Dialog, tx: ServerTransaction) -> None:
        """Take a request of the peer in one of our dialogs."""
        request = tx.request
        method = request.method
        if not dialog.in_order(request):
            tx.respond(make_response(request, 500, "CSeq Out Of Order"))
        elif method == "BYE":
            self._byed(tx)
        elif self.state is SessionState.ENDED:
            tx.respond(make_response(request, 481))
        elif method == "INVITE":
            self._reinvited(dialog, tx)
        elif method == "UPDATE":
            self._updated(dialog, tx)
        elif method == "PRACK":
            self._pracked(dialog, tx)
        elif method == "OPTIONS":
            self._respond(tx, 200, (("Accept", SDP_TYPE), ("Supported", SUPPORTED)))
        else:
            self.tell(self.listener.on_request, tx)

    def on_ack(self, dialog: Dialog, request: Request) -> None:
        """Take the ACK of a 2xx of ours."""
        if self._unacked is not None and self._unacked.cseq == request.cseq_number:
            self._acknowledged(request)

    def on_late_answer(self, dialog: Dialog, response: Response) -> None:
        """A 2xx came whose transaction is gone: its ACK again (RFC 3261 §13.2.2.4)."""
        if dialog.last_ack is not None and dialog.last_ack.cseq_number == response.cseq_number:
            self.stack.layer.send(dialog.last_ack, dialog.hop)

    @property
    def is_asked(self) -> bool:
        """Whether an `on_offer` waits for its answer, and was not withdrawn."""
        return self._offer_tx is not None

    def answer(self, sdp: str) -> None:
        """Answer `on_offer`; does nothing when the offer was withdrawn meanwhile."""
        tx = self._take_offer_tx()
        if tx is None:
            return
        media = self._offer_media
        if media.state is OfferState.REMOTE_OFFER:
            media.send_answer(sdp)
        else:
            media.send_offer(sdp)
        self._accept_offer(tx, sdp)
        self.next_turn()

    def refuse(self, code: int = 488) -> None:
        """Refuse `on_offer`; what was agreed before stays."""
        tx = self._take_offer_tx()
        if tx is None:
            return
        self._offer_media.fail()
        tx.respond(make_response(tx.request, code))
        self.next_turn()

    def _take_offer_tx(self) -> ServerTransaction | None:
        tx, self._offer_tx = self._offer_tx, None
        if tx is not None:
            tx.on_cancel = None
        return tx

    def _byed(self, tx: ServerTransaction) -> None:
        tx.respond(make_response(tx.request, 200))
        if self.state is SessionState.ENDED:
            if self._unacked is not None:
                self._stop_waiting()
                self.stack.finished()
                self.forget()
            return
        self.bye = tx.request
        self.end(EndCause.BYE)

    def _reinvited(self, dialog: Dialog, tx: ServerTransaction) -> None:
        request = tx.request
        confirmed = self.state is SessionState.CONFIRMED
        if self._unacked is not None and self.media.stable:
            # Who sends a re-INVITE has our 2xx: the ACK was lost or overtaken (RFC 5407 §3.1.5).
            self._acknowledged(None)
        if self._reinvite is not None or (not confirmed and self.direction == "out"):
            tx.respond(make_response(request, 491))
        elif self._offer_tx is not None or not confirmed:
            self._overlap(tx)
        elif not self.media.stable:
            tx.respond(make_response(request, 491))
        else:
            self._take_offer(dialog, tx)

    def _updated(self, dialog: Dialog, tx: ServerTransaction) -> None:
        if not tx.request.body:
            self._take_offer(dialog, tx)
        elif self._reinvite is not None or dialog.media.state is OfferState.LOCAL_OFFER:
            tx.respond(make_response(tx.request, 491))
        elif self._offer_tx is not None or not dialog.media.stable:
            self._overlap(tx)
        else:
            self._take_offer(dialog, tx)

    def _pracked(self, dialog: Dialog, tx: ServerTransaction) -> None:
        """PRACK means something to `IncomingSession` only."""
        tx.respond(make_response(tx.request, 481))

    @staticmethod
    def _overlap(tx: ServerTransaction) -> None:
        """They were faster than our answer to their last one (RFC 3261 §14.2, RFC 3311 §5.2)."""
        later = (("Retry-After", str(random.randint(0, 10))),)
        tx.respond(make_response(tx.request, 500, headers=later))

    def _take_offer(self, dialog: Dialog, tx: ServerTransaction) -> None:
        request = tx.request
        if self.timer.too_small(request):
            min_se = (("Min-SE", str(self.stack.config.min_se_s)),)
            tx.respond(make_response(request, 422, headers=min_se))
            return
        try:
            sdp = session_description(request)
        except BadBody as error:
            tx.respond(make_response(request, error.code, error.reason, headers=error.headers))
            return
        dialog.refresh(request, tx.hop)
        self.learn_peer(request)
        if sdp is None and request.method != "INVITE":
            self._accept_offer(tx, None)
            return
        media = dialog.media
        if sdp is not None and sdp == media.remote and media.local is not None:
            self._accept_offer(tx, media.local)
            self.tell(self.listener.on_repeated)
        else:
            if sdp is not None:
                media.receive_offer(sdp)
            self._offer_tx, self._offer_media = tx, media
            tx.on_cancel = self._offer_cancelled
            self.tell(self.listener.on_offer, sdp)

    def _offer_cancelled(self) -> None:
        self.refuse(487)

    def _accept_offer(self, tx: ServerTransaction, sdp: str | None) -> None:
        """Answer 200 to a re-INVITE, an UPDATE or a PRACK."""
        request = tx.request
        if request.method == "PRACK":
            self._respond(tx, 200, (), sdp)
            return
        headers = [("Contact", self.stack.contact(tx.hop)), ("Supported", SUPPORTED)]
        if self.state is SessionState.CONFIRMED:
            headers += self.timer.answer(request)
        response = self._respond(tx, 200, headers, sdp)
        if request.method == "INVITE":
            self._wait_for_ack(tx, response)

    def _respond(
        self, tx: ServerTransaction, code: int, headers: Headers, sdp: str | None = None
    ) -> Response:
        response = make_response(tx.request, code, headers=(("Allow", ALLOW), *headers))
        if sdp is not None:
            response.body = sdp.encode()
            response.headers.set("Content-Type", SDP_TYPE)
        tx.respond(response)
        return response

    # Refresh

    def _refresh(self) -> None:
        """The session timer says that it is our turn (RFC 4028 §7.4, §10)."""
        dialog = self.dialog
        if self.state is not SessionState.CONFIRMED or dialog is None:
            return
        if self._update_refused or not self.allows("UPDATE"):
            self._queue = (*self._queue, ReInvite(self, self.local_sdp, refresh=True))
            self.next_turn()
            return

        def make() -> Request:
            headers = [("Contact", self.stack.contact(dialog.hop)), ("Supported", SUPPORTED)]
            return dialog.request("UPDATE", headers=headers + self.timer.request_headers())

        Exchange(self.stack, dialog.hop, make, self._refreshed, self.auth)

    def _refreshed(self, response: Response) -> None:
        if self.state is SessionState.ENDED or self.end_if_gone(response):
            return
        if response.code < 300 and self.dialog is not None:
            self.dialog.refresh(response)
            self.timer.accepted(response)
        elif response.code == 422 and self.timer.raise_to(response):
            self._refresh()
        elif response.code in _NOT_NOW:
            self.timer.refresh_failed()
        else:
            # It says that it takes UPDATE, and does not; a re-INVITE refreshes as well (§7.4).
            self._update_refused = True
            self._refresh()


SessionListener: TypeAlias = Listener[Session]
"""Hears of a session (`vpbx.sip.listener`)."""


class SessionAdapter(Adapter[Session]):
    """A `SessionListener` that does the least: takes no new offer, accepts INFO, declines REFER."""

    __slots__ = ()
