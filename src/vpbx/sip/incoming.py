"""Their INVITE, from its arrival to the ACK of our 2xx (RFC 3261 §13.3, RFC 3262).

    state      what happens              becomes
    INCOMING   ring                      EARLY
    INCOMING, EARLY  accept              CONFIRMED   200 until the ACK; without one BYE
    INCOMING, EARLY  reject, challenge   ENDED
    INCOMING, EARLY  CANCEL, its Expires ENDED       487
    EARLY      BYE                       ENDED       487 to the INVITE
    EARLY      no PRACK for 64*T1        ENDED       504

A 2xx waits while a reliable provisional response with a description is without its PRACK.
"""

from __future__ import annotations

from collections.abc import Sequence

from vpbx.clock import Timer
from vpbx.sip.body import ALLOW, SDP_TYPE, SUPPORTED, BadBody, session_description
from vpbx.sip.core import Core
from vpbx.sip.dialog import Dialog
from vpbx.sip.listener import EndCause, SessionState
from vpbx.sip.message import Response, make_response, new_tag
from vpbx.sip.offer_answer import OfferState
from vpbx.sip.reliable import ReliableResponses
from vpbx.sip.session import Session, SessionListener
from vpbx.sip.status import REASONS
from vpbx.sip.transaction import ServerTransaction
from vpbx.sip.usage import Headers, WrongState
from vpbx.sparing import Sparing

_SAY_AGAIN_S = 60.0
"""A proxy forgets an INVITE it hears nothing of for three minutes (RFC 3261 §13.3.1.1)."""
_BEFORE_ANSWER = (SessionState.INCOMING, SessionState.EARLY)


_refusals = Sparing("vpbx.sip")


class IncomingSession(Session):
    """The UAS side. Raises `BadBody` when the INVITE's description cannot be taken."""

    __slots__ = (
        "_accepting",
        "_again",
        "_early_sdp",
        "_expires",
        "_last",
        "_reliable",
        "_tag",
        "_tx",
    )
    direction = "in"

    def __init__(self, stack: Core, tx: ServerTransaction) -> None:
        super().__init__(stack, tx.request, tx.hop)
        self._tx = tx
        self._tag = new_tag()
        self._reliable: ReliableResponses | None = None
        self._accepting: tuple[str | None, Headers] | None = None
        self._early_sdp: str | None = None
        self._last: tuple[int, str | None, Headers] = (0, None, ())
        self._again: Timer | None = None
        self._expires: Timer | None = None
        self.learn_peer(tx.request)
        offer = session_description(tx.request)
        if offer is not None:
            self.media.receive_offer(offer)
        expires = tx.request.headers.get("Expires")
        if expires is not None and expires.isascii() and expires.isdigit() and len(expires) < 7:
            self._expires = self.clock.call_later(float(expires), self._cancelled)
        tx.on_cancel = self._cancelled
        tx.on_transport_error = self._unreachable

    # What the owner does

    def ring(self, code: int = 180, sdp: str | None = None, headers: Headers = ()) -> None:
        if self.state is SessionState.ENDED:
            return
        if self.state is SessionState.CONFIRMED or not 100 < code < 200:
            raise WrongState("ring after the answer, or with no provisional code")
        self._early_dialog()
        self._last = (code, sdp, headers)
        if self._again is None:
            self._again = self.clock.call_later(_SAY_AGAIN_S, self._ring_again)
        self.state = SessionState.EARLY
        if self._must_be_reliable():
            self._ring_reliably(code, sdp, headers)
            return
        if self.media.state is not OfferState.REMOTE_OFFER:
            # An offer of ours may not go into an unreliable response (RFC 3261 §13.2.1).
            sdp = None
        self._early_sdp = sdp or self._early_sdp
        self._tx.respond(self._response(code, headers, sdp))

    def accept(self, sdp: str | None, headers: Headers = ()) -> None:
        if self.state is SessionState.ENDED:
            return
        if self.state is SessionState.CONFIRMED:
            raise WrongState("accepted twice")
        if self._reliable is not None and self._reliable.waiting_for_sdp:
            self._accepting = (sdp, headers)
            return
        body = self._final_sdp(sdp)
        dialog = self._early_dialog()
        self._stop_ringing()
        dialog.confirm()
        self.state, self.answered = SessionState.CONFIRMED, True
        response = self._response(
            200,
            (("Supported", SUPPORTED), *self.timer.answer(self.request), *headers),
            body,
        )
        self._wait_for_ack(self._tx, response)
        self._tx.respond(response)

    def reject(self, code: int, reason: str | None = None, headers: Headers = ()) -> None:
        if self.state is SessionState.ENDED:
            return
        self._reject(code, reason, headers)
        request = self.request
        _refusals.info(
            "a call was refused",
            code=code,
            reason=reason or REASONS.get(code, ""),
            source=f"{self.hop.transport}:{self.hop.host}",
            caller=str(request.headers.get("From", ""))[:200],
            called=str(request.uri)[:200],
        )

    def _reject(self, code: int, reason: str | None = None, headers: Headers = ()) -> None:
        if self.state is SessionState.CONFIRMED or not 300 <= code < 700:
            raise WrongState("rejected after the answer, or with no final code")
        self._finish()
        self._tx.respond(
            make_response(self.request, code, reason, to_tag=self._tag, headers=headers)
        )

    def challenge(self, challenges: Sequence[str], *, proxy: bool = False) -> None:
        name = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
        if self.state is SessionState.ENDED:
            return
        self._reject(407 if proxy else 401, headers=[(name, value) for value in challenges])

    def _give_up_early(self, code: int, headers: Headers) -> None:
        if self.state is not SessionState.ENDED:
            self._reject(code if 300 <= code < 700 else 480, headers=headers)

    # Answers

    def _early_dialog(self) -> Dialog:
        if self.dialog is None:
            self.dialog = Dialog.of_request(self.request, self.hop, self._tag, self.media)
            self.stack.take_in(self, self.dialog)
        return self.dialog

    def _response(self, code: int, headers: Headers, sdp: str | None) -> Response:
        response = make_response(
            self.request,
            code,
            to_tag=self._tag,
            headers=(("Contact", self.stack.contact(self.hop)), ("Allow", ALLOW), *headers),
        )
        if sdp is not None:
            response.body = sdp.encode()
            response.headers.set("Content-Type", SDP_TYPE)
        return response

    def _final_sdp(self, sdp: str | None) -> str | None:
        """What the 2xx describes; nothing when offer and answer are done already."""
        if self.media.state is OfferState.REMOTE_OFFER:
            sdp = sdp or self._early_sdp
            if sdp is None:
                raise WrongState("an offer wants an answer")
            self.media.send_answer(sdp)
            return sdp
        if self.media.local is None and self.media.stable:
            if sdp is None:
                raise WrongState("an INVITE without offer wants one of ours")
            self.media.send_offer(sdp)
            return sdp
        return None

    def _must_be_reliable(self) -> bool:
        return "100rel" in map(str.lower, self.request.headers.getlist("Require"))

    def _ring_reliably(self, code: int, sdp: str | None, headers: Headers) -> None:
        if sdp is not None:
            if self.media.state is OfferState.REMOTE_OFFER:
                self.media.send_answer(sdp)
            elif self.media.local is None and self.media.stable:
                self.media.send_offer(sdp)
            else:
                sdp = None
        if self._reliable is None:
            self._reliable = ReliableResponses(self.clock, self._tx.respond, self._no_prack)
        self._reliable.send(self._response(code, (("Require", "100rel"), *headers), sdp))

    def _ring_again(self) -> None:
        self._again = None
        if self.state is SessionState.EARLY:
            self.ring(*self._last)

    def _stop_ringing(self) -> None:
        for timer in (self._again, self._expires):
            if timer is not None:
                timer.cancel()
        self._again = self._expires = None
        if self._reliable is not None:
            self._reliable.stop()
        self._tx.on_cancel = self._tx.on_transport_error = None

    def _finish(self) -> SessionListener:
        self._stop_ringing()
        self._accepting = None
        self.forget()
        return self.close()

    # What happens to it

    def _cancelled(self) -> None:
        if self.state in _BEFORE_ANSWER:
            self._terminated(EndCause.CANCEL)

    def _terminated(self, cause: EndCause, code: int = 487) -> None:
        listener = self._finish()
        self._tx.respond(make_response(self.request, code, to_tag=self._tag))
        self.tell(listener.on_end, cause)

    def _no_prack(self) -> None:
        self._terminated(EndCause.NO_ACK, 504)

    def _unreachable(self, reason: str) -> None:
        if self.state in _BEFORE_ANSWER:
            self.tell(self._finish().on_end, EndCause.TRANSPORT)

    def _byed(self, tx: ServerTransaction) -> None:
        if self.state is SessionState.EARLY:
            tx.respond(make_response(tx.request, 200))
            self.bye = tx.request
            self._terminated(EndCause.CANCEL)
        else:
            super()._byed(tx)

    def _pracked(self, dialog: Dialog, tx: ServerTransaction) -> None:
        request = tx.request
        rack = request.headers.get("RAck") or ""
        invite_cseq = self.request.cseq_number
        if self._reliable is None or not self._reliable.acknowledge(rack, invite_cseq):
            super()._pracked(dialog, tx)
            return
        sdp: str | None = None
        code, reason = 200, "OK"
        try:
            sdp = session_description(request)
        except BadBody as error:
            code, reason = error.code, error.reason
        if self.media.state is OfferState.LOCAL_OFFER:
            if sdp is None:
                tx.respond(make_response(request, 400, "PRACK Without Answer"))
                self._terminated(EndCause.BAD_SDP, 488)
                return
            self.media.receive_answer(sdp)
            self._respond(tx, 200, ())
        elif sdp is not None:
            self._take_offer(dialog, tx)
        else:
            tx.respond(make_response(request, code, reason))
        self._accept_now()

    def _accept_now(self) -> None:
        """Send the 200 that waited for a PRACK."""
        if self._accepting is not None and self.state is SessionState.EARLY:
            accepting, self._accepting = self._accepting, None
            self.accept(*accepting)
