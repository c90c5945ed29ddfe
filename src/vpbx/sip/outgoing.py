"""Our INVITE, its early dialogs, and which of its forks becomes the session (RFC 3261 §13.2).

    state      what comes                becomes
    CALLING    101-199                   EARLY          PRACK if it is reliable
    CALLING    2xx                       CONFIRMED      ACK (or the owner's, with our answer)
    EARLY      101-199                   EARLY
    EARLY      2xx                       CONFIRMED
    CONFIRMED  2xx again                 CONFIRMED      ACK again
    CONFIRMED  2xx of another fork       CONFIRMED      ACK, BYE to that fork
    any        2xx after hangup          ENDED          ACK, BYE (it crossed our CANCEL)
    CALLING, EARLY  401 407 422          CALLING        once more with what is asked for
    CALLING, EARLY  300-699, silence     ENDED          on_failure

A redirect (3xx) is a failure like any other: following it would let whoever we call send our
calls, and our credentials, wherever they like.
"""

from __future__ import annotations

from collections.abc import Sequence

from vpbx.clock import Timer
from vpbx.sip.body import ALLOW, SDP_TYPE, SUPPORTED, BadBody, session_description
from vpbx.sip.core import Core
from vpbx.sip.dialog import Dialog, along
from vpbx.sip.exchange import ClientAuth, Exchange, Tries
from vpbx.sip.listener import SessionState
from vpbx.sip.message import (
    Request,
    Response,
    make_request,
    make_response,
    new_call_id,
    new_tag,
)
from vpbx.sip.offer_answer import OfferAnswer, OfferState
from vpbx.sip.sdp import Sdp
from vpbx.sip.sdp_text import refused
from vpbx.sip.session import Session, SessionListener
from vpbx.sip.target import Target
from vpbx.sip.transaction import ClientTransaction, ServerTransaction, TransactionState
from vpbx.sip.transport import Hop
from vpbx.sip.usage import Headers

_OTHER_MEDIA = frozenset((415, 488, 606))
"""Refusals of what an offer describes."""
_MAX_FORKS = 32


class OutgoingSession(Session):
    """The UAC side; it is the `ClientListener` of its INVITE."""

    __slots__ = (
        "_acks",
        "_cancelled",
        "_forks",
        "_headers",
        "_held",
        "_otherwise",
        "_sdp",
        "_target",
        "_timeout",
        "_tries",
        "_tx",
        "hairpin",
    )
    direction = "out"

    def __init__(
        self,
        stack: Core,
        target: Target,
        *,
        from_: str,
        to: str,
        sdp: str | None,
        otherwise: Sequence[str] = (),
        listener: SessionListener,
        auth: ClientAuth | None,
        headers: Headers,
    ) -> None:
        uri, route = along(target.route, target.uri)
        request = make_request(
            "INVITE",
            uri,
            route=route,
            from_=f"{from_};tag={new_tag()}",
            to=to,
            call_id=new_call_id(),
            cseq=1,
        )
        super().__init__(stack, request, target.hop, listener)
        self.state = SessionState.CALLING
        self.auth = auth
        self._target = target
        self._sdp = sdp
        self._otherwise = tuple(otherwise)
        self._headers = headers
        self._tx: ClientTransaction | None = None
        self._tries: Tries | None = None
        self._forks: dict[str, Dialog] = {}
        self._acks: dict[str, tuple[Request, Hop]] = {}
        self._timeout: Timer | None = None
        self._cancelled = False
        self.hairpin = False
        """Whether it may come back to us as another call."""
        self._held = True
        if sdp is not None:
            self.media.send_offer(sdp)

    def _offered(self) -> OfferAnswer:
        """What each further fork, and each further try, begins with: our offer, if we made one."""
        media = OfferAnswer()
        if self._sdp is not None:
            media.send_offer(self._sdp)
        return media

    def start(self, timeout_s: float | None) -> None:
        """Send the INVITE."""
        self.stack.begun()
        if timeout_s is not None:
            self._timeout = self.clock.call_later(timeout_s, self._timed_out)
        self._complete(self.request)
        self._tx = self.stack.layer.request(self.request, self.hop, self)

    def _complete(self, request: Request) -> None:
        """Add what may differ from try to try."""
        put, values = request.headers.add, request.headers.values
        values["contact"] = self.stack.contact(self.hop)
        values["allow"] = ALLOW
        # An offer in a reliable provisional response would want its answer in the PRACK.
        values["supported"] = SUPPORTED if self._sdp is not None else "timer, replaces"
        for name, value in self.timer.request_headers():
            put(name, value)
        values["user-agent"] = self.stack.config.user_agent
        for name, value in self._headers:
            if name.lower() == "max-forwards":
                request.headers.set(name, value)
            else:
                put(name, value)
        if self._sdp is not None:
            request.body = self._sdp.encode()
            values["content-type"] = SDP_TYPE
        if self.auth is not None:
            self.auth.apply(request)

    def _send_again(self) -> None:
        old, request = self.request, Request("INVITE", self._target.uri)
        for name in ("Max-Forwards", "Route", "From", "To", "Call-ID"):
            request.headers.setlist(name, old.headers.getlist(name))
        request.headers.set("CSeq", f"{old.cseq_number + 1} INVITE")
        self.request = request
        self._forget_forks()
        self.media = self._offered()
        self.state = SessionState.CALLING
        self._complete(request)
        self._tx = self.stack.layer.request(request, self.hop, self)

    @property
    def proceeding(self) -> bool:
        """Whether anything, be it only a 100, has been answered to the INVITE."""
        silent = self._tx is None or self._tx.state is TransactionState.CALLING
        return self.state is not SessionState.CALLING or not silent

    # From the transaction

    def on_response(self, tx: ClientTransaction, response: Response) -> None:
        if self._tx is not None and tx is not self._tx:
            return
        if response.code < 200:
            if response.code > 100 and self.state in (SessionState.CALLING, SessionState.EARLY):
                self._progressed(response)
        elif response.code < 300:
            self._accepted(response)
        elif self.state in (SessionState.CALLING, SessionState.EARLY):
            if not self._tried_again(response):
                self._failed(response.code, response.phrase, response)
        elif self._cancelled:
            self._finished()

    def on_timeout(self, tx: ClientTransaction) -> None:
        self._failed(408, "Request Timeout", None)

    def on_transport_error(self, tx: ClientTransaction, reason: str) -> None:
        self._failed(503, reason or "Service Unavailable", None)

    # Provisional

    def _progressed(self, response: Response) -> None:
        dialog = self._fork(response) if response.to_tag else None
        if dialog is not None and not self._in_order(dialog, response):
            return
        try:
            sdp = session_description(response)
        except BadBody:
            sdp = None
        if dialog is not None and sdp is not None:
            media = dialog.media
            if "RSeq" in response.headers and media.state is OfferState.LOCAL_OFFER:
                media.receive_answer(sdp)
            elif media.state is OfferState.LOCAL_OFFER:
                dialog.early_sdp = sdp
        self.learn_peer(response)
        if self._cancelled:
            return
        if dialog is not None:
            self.state = SessionState.EARLY
            self.dialog, self.media = dialog, dialog.media
        self.tell(self.listener.on_progress, response, sdp)

    def _fork(self, response: Response) -> Dialog | None:
        """The early dialog of a response; None when there are more than we care to follow."""
        dialog = self._forks.get(response.to_tag)
        if dialog is None and len(self._forks) < _MAX_FORKS:
            media = self._offered() if self._forks else self.media
            dialog = Dialog.of_response(self.request, response, self.hop, media)
            self._forks[dialog.remote_tag] = dialog
            self.stack.take_in(self, dialog)
        return dialog

    def _in_order(self, dialog: Dialog, response: Response) -> bool:
        """Acknowledge a reliable response; False for one that came twice or too early
        (RFC 3262 §4)."""
        value = response.headers.get("RSeq")
        if value is None or self._sdp is None:
            return True
        if not any(tag.lower() == "100rel" for tag in response.headers.getlist("Require")):
            return True
        if not (value.isascii() and value.isdigit() and 0 < int(value[:11]) < 2**32):
            return False
        rseq = int(value)
        if dialog.rseq and rseq != dialog.rseq + 1:
            return False
        dialog.rseq = rseq
        headers = [("RAck", f"{rseq} {self.request.cseq_number} INVITE")]
        Exchange(
            self.stack,
            dialog.hop,
            lambda: dialog.request("PRACK", headers=headers),
            None,
            self.auth,
        )
        return True

    def _byed(self, tx: ServerTransaction) -> None:
        if self.state is SessionState.EARLY:
            # A callee may not (§15), but some do: its final response decides.
            tx.respond(make_response(tx.request, 200))
        else:
            super()._byed(tx)

    # Final

    def _accepted(self, response: Response) -> None:
        tag = response.to_tag
        if (sent := self._acks.get(tag)) is not None:
            self.stack.layer.send(*sent)
        elif self.state in (SessionState.CALLING, SessionState.EARLY) and not self._cancelled:
            self._confirmed(response)
        elif self.ack_wanted is None or self.dialog is None or tag != self.dialog.remote_tag:
            self._unwanted(response)
            self._failed(487, "Request Terminated", None)

    def _confirmed(self, response: Response) -> None:
        dialog = self._fork(response)
        if dialog is None:
            self._unwanted(response)
            return
        self._stop_timeout()
        dialog.confirm(response)
        self.dialog, self.media = dialog, dialog.media
        self.state, self.answered = SessionState.CONFIRMED, True
        self.learn_peer(response)
        for fork in self._forks.values():
            if fork is not dialog:
                self.stack.let_go(fork)
        self._finished()
        try:
            sdp = session_description(response)
        except BadBody:
            sdp = None
        if self._sdp is None and sdp is not None:
            self.timer.accepted(response)
            self.media.receive_offer(sdp)
            self.ack_wanted = lambda answer: self._ack(dialog, answer)
        else:
            self._ack(dialog, None)
            if self.media.state is OfferState.LOCAL_OFFER:
                sdp = sdp or dialog.early_sdp
            else:
                sdp = self.media.remote
            if sdp is None:
                failed = self.listener.on_failure
                self.end(None, bye=())
                self.tell(failed, 488, "No usable session description", response)
                return
            if self.media.state is OfferState.LOCAL_OFFER:
                self.media.receive_answer(sdp)
            self.timer.accepted(response)
        self.tell(self.listener.on_answer, response, sdp)

    def _ack(self, dialog: Dialog, sdp: str | None) -> None:
        sent = self._acks[dialog.remote_tag] = dialog.ack(self.request, sdp), dialog.hop
        self.stack.layer.send(*sent)

    def _unwanted(self, response: Response) -> None:
        """A 2xx of a fork that lost, or after we hung up: ACK and BYE (§13.2.2.4)."""
        if len(self._acks) >= _MAX_FORKS:
            return
        dialog = Dialog.of_response(self.request, response, self.hop, self.media)
        dialog.local_cseq = max(dialog.local_cseq, self._forks_cseq(dialog.remote_tag))
        self._forks[dialog.remote_tag] = dialog
        answer: str | None = None
        if self._sdp is None:
            try:
                offer = session_description(response)
            except BadBody:
                offer = None
            answer = refused(Sdp.parse(offer)) if offer else None
        self._ack(dialog, answer)
        Exchange(self.stack, dialog.hop, lambda: dialog.request("BYE"), None, self.auth)

    def _forks_cseq(self, tag: str) -> int:
        fork = self._forks.get(tag)
        return fork.local_cseq if fork is not None else 0

    def _tried_again(self, response: Response) -> bool:
        if self._cancelled:
            return False
        if response.code in (401, 407):
            self._tries = self._tries or Tries()
            if not self._tries.again(self.auth, response):
                return False
        elif response.code in _OTHER_MEDIA and self._otherwise:
            self._sdp, *rest = self._otherwise
            self._otherwise = tuple(rest)
        elif response.code != 422 or not self.timer.raise_to(response):
            return False
        self._send_again()
        return True

    # The end

    def _failed(self, code: int, reason: str, response: Response | None) -> None:
        """It will not be answered; told once."""
        if self.state not in (SessionState.CALLING, SessionState.EARLY):
            self._finished()
            return
        if self._cancelled and response is None:
            code, reason = 487, "Request Terminated"
        self._stop_timeout()
        listener = self.close()
        self._forget_forks()
        self._finished()
        self.tell(listener.on_failure, code, reason, response)

    def abandon(self) -> None:
        self._failed(487, "Request Terminated", None)
        super().abandon()

    def _timed_out(self) -> None:
        self._timeout = None
        self._cancel(())
        listener = self.close()
        self._forget_forks()
        self.tell(listener.on_failure, 408, "Request Timeout", None)

    def _give_up_early(self, code: int, headers: Headers) -> None:
        self._stop_timeout()
        self._cancel(headers)

    def _cancel(self, headers: Headers) -> None:
        if not self._cancelled and self._tx is not None:
            self._cancelled = True
            self._tx.cancel(headers)

    def _finished(self) -> None:
        """The INVITE has its final response: `SipStack.stop` need not wait for it."""
        self._tx = None
        if self._held:
            self._held = False
            self.stack.finished()

    def _stop_timeout(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None

    def _forget_forks(self) -> None:
        for fork in self._forks.values():
            self.stack.let_go(fork)
        self._forks.clear()
        self.dialog = None
