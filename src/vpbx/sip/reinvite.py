"""One re-INVITE of ours, through challenges, small intervals and glare (RFC 3261 §14.1)."""

from __future__ import annotations

import random
from collections.abc import Callable

from vpbx.clock import Timer
from vpbx.sip.body import ALLOW, SDP_TYPE, BadBody, session_description
from vpbx.sip.exchange import NoResponse, Tries
from vpbx.sip.listener import SessionState
from vpbx.sip.message import Request, Response
from vpbx.sip.sdp import Sdp
from vpbx.sip.sdp_text import refused
from vpbx.sip.transaction import ClientTransaction
from vpbx.sip.transport import Hop
from vpbx.sip.usage import Usage

_PATIENCE_S = 60.0
_MAX_PAUSES = 8


class ReInvite:
    """A re-INVITE that waits for its turn, then for its answer; the session keeps one at work.

    `refresh` marks those of the session timer, which the owner does not hear of unless the
    peer's answer brings something new.
    """

    __slots__ = (
        *("_ack", "_offer", "_pauses", "_refresh", "_sdp"),
        *("_session", "_timer", "_tries", "_tx"),
    )

    def __init__(
        self, session: Usage, offer: str | Callable[[], str] | None, *, refresh: bool = False
    ) -> None:
        self._session = session
        self._offer = offer
        self._sdp: str | None = None
        self._refresh = refresh
        self._tx: ClientTransaction | None = None
        self._ack: tuple[Request, Hop] | None = None
        self._timer: Timer | None = None
        self._tries: Tries | None = None
        self._pauses = 0

    def start(self) -> None:
        """It is our turn."""
        self._sdp = self._offer() if callable(self._offer) else self._offer
        if self._sdp is not None:
            self._session.media.send_offer(self._sdp)
        self._send()

    def _send(self) -> None:
        session = self._session
        dialog = session.dialog
        if dialog is None:
            return
        headers = [
            ("Contact", session.stack.contact(dialog.hop)),
            ("Allow", ALLOW),
            ("Supported", "timer, replaces"),
            *session.timer.request_headers(),
        ]
        request = dialog.request("INVITE", headers=headers)
        if self._sdp is not None:
            request.body = self._sdp.encode()
            request.headers.set("Content-Type", SDP_TYPE)
        if session.auth is not None:
            session.auth.apply(request)
        self._timer = session.clock.call_later(_PATIENCE_S, self._give_up)
        self._tx = session.stack.layer.request(request, dialog.hop, self)

    def _give_up(self) -> None:
        if self._tx is not None:
            self._tx.cancel()

    def on_response(self, tx: ClientTransaction, response: Response) -> None:
        if response.code < 200:
            return
        if response.code < 300:
            if self._ack is not None:
                self._session.stack.layer.send(*self._ack)
            elif self._timer is not None:
                self._accepted(tx.request, response)
            return
        self._stop_timer()
        if self._session.state is SessionState.ENDED:
            return
        if not self._tried_again(response):
            self._failed(response)

    def on_timeout(self, tx: ClientTransaction) -> None:
        self._failed(NoResponse(408))

    def on_transport_error(self, tx: ClientTransaction, reason: str) -> None:
        self._failed(NoResponse(503))

    def abandon(self) -> None:
        """Wait no longer for its answer."""
        self._stop_timer()

    def _stop_timer(self) -> None:
        self._tx = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _accepted(self, request: Request, response: Response) -> None:
        self._stop_timer()
        session = self._session
        try:
            sdp = session_description(response)
        except BadBody:
            sdp = None
        if session.state is SessionState.ENDED:
            offer = sdp if self._sdp is None else None
            self._send_ack(request, refused(Sdp.parse(offer)) if offer else None)
            return
        if session.dialog is not None:
            session.dialog.refresh(response)
        session.learn_peer(response)
        session.timer.accepted(response)
        if self._sdp is None and sdp is not None:
            session.media.receive_offer(sdp)
            session.ack_wanted = lambda answer: self._send_ack(request, answer)
            session.reinvite_done(200, sdp, tell=True)
            return
        self._send_ack(request, None)
        if self._sdp is not None and sdp is None:
            # An answer that is none: what was agreed before goes on.
            session.media.fail()
            session.reinvite_done(488, None, tell=not self._refresh)
            return
        news = sdp != session.media.remote
        if sdp is not None:
            session.media.receive_answer(sdp)
        session.reinvite_done(200, sdp, tell=news or not self._refresh)

    def _send_ack(self, invite: Request, sdp: str | None) -> None:
        session = self._session
        if session.dialog is not None:
            self._ack = session.dialog.ack(invite, sdp), session.dialog.hop
            session.stack.layer.send(*self._ack)

    def _tried_again(self, response: Response) -> bool:
        session = self._session
        if response.code in (401, 407):
            self._tries = self._tries or Tries()
            if not self._tries.again(session.auth, response):
                return False
        elif response.code != 422 or not session.timer.raise_to(response):
            return self._paused(response)
        self._send()
        return True

    def _paused(self, response: Response) -> bool:
        """Whether `response` asks us to wait for the other side's request to pass."""
        session = self._session
        later = response.headers.get("Retry-After", "") or ""
        later = later.partition(";")[0].partition("(")[0].strip()
        if response.code == 491:
            # Who owns the Call-ID waits longer, so that the two do not meet again.
            units = (210, 400) if session.direction == "out" else (0, 200)
            delay_s = random.randint(*units) / 100
        elif response.code == 500 and later.isascii() and later.isdigit() and len(later) < 3:
            delay_s = float(later)
        else:
            return False
        self._pauses += 1
        if self._pauses > _MAX_PAUSES or delay_s > 10:
            return False
        session.media.fail()
        session.reinvite_later(self, delay_s)
        return True

    def _failed(self, response: Response) -> None:
        self._stop_timer()
        session = self._session
        if session.state is SessionState.ENDED:
            return
        session.media.fail()
        if session.end_if_gone(response):
            return
        if self._refresh:
            session.timer.refresh_failed(answered=not isinstance(response, NoResponse))
        session.reinvite_done(response.code, None, tell=not self._refresh)
