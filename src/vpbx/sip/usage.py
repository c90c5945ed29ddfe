"""What a session is made of: its dialog and its state, the ACK it waits for, its end.

The term is RFC 5057's: an INVITE usage of a dialog. `session` puts on top what either side may
do in it; `incoming` and `outgoing` how each gets there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sipmessage import Address

from vpbx.clock import Timer
from vpbx.sip.body import BadBody, session_description
from vpbx.sip.core import Core
from vpbx.sip.dialog import Dialog, beyond_nat, came_through_nat
from vpbx.sip.exchange import ClientAuth, Exchange, NoResponse
from vpbx.sip.listener import Adapter, EndCause, Listener, SessionState
from vpbx.sip.message import Request, Response, make_response
from vpbx.sip.offer_answer import OfferAnswer, OfferState
from vpbx.sip.reliable import AckWait
from vpbx.sip.sdp import Sdp
from vpbx.sip.sdp_text import refused
from vpbx.sip.session_timer import SessionTimer
from vpbx.sip.transaction import ServerTransaction
from vpbx.sip.transport import Hop

Headers = Sequence[tuple[str, str]]
_NOBODY = Adapter[Any]()


class WrongState(RuntimeError):
    """A method was called on a session that cannot do it (a mistake of the caller's)."""


def reason_header(code: int, reason: str) -> Headers:
    """Make the Reason header of a BYE, CANCEL or rejection (RFC 3326); none without a reason."""
    if not reason:
        return ()
    if ";" not in reason:
        text = reason.replace("\\", "").replace('"', "'")
        reason = f'SIP;cause={code or 200};text="{text}"'
    return (("Reason", reason),)


class OurOffer(Protocol):
    """A re-INVITE of ours (`reinvite`): it waits for its turn, then for its answer."""

    def start(self) -> None:
        """It is its turn."""

    def abandon(self) -> None:
        """Wait no longer for its answer."""


class Usage:
    """The inside of a `Session`."""

    __slots__ = (
        "_bye_headers",
        "_established",
        "_offer_media",
        "_offer_tx",
        "_pause",
        "_peer",
        "_queue",
        "_reinvite",
        "_unacked",
        "_update_refused",
        "ack_wanted",
        "answered",
        "auth",
        "bye",
        "call_id",
        "clock",
        "dialog",
        "hop",
        "listener",
        "media",
        "request",
        "stack",
        "state",
        "timer",
    )
    direction = ""
    """"in" or "out"."""

    def __init__(
        self, stack: Core, request: Request, hop: Hop, listener: Listener[Any] | None = None
    ) -> None:
        self.listener: Listener[Any] = listener or _NOBODY
        self.request = request
        """The INVITE; of several (authentication) the last."""
        self.hop = hop
        """Where it came from or was sent to."""
        self.call_id = request.call_id
        self.answered = False
        """A 2xx was sent or has come."""
        self.bye: Request | None = None
        """The peer's BYE that ended it (for its Reason header)."""
        self.state = SessionState.INCOMING
        self.dialog: Dialog | None = None
        self.media = OfferAnswer()
        self.auth: ClientAuth | None = None
        self.timer = SessionTimer(
            stack.clock,
            stack.config.session_expires_s,
            stack.config.min_se_s,
            self._refresh,
            self._expired,
        )
        self.stack = stack
        self.clock = stack.clock
        self.ack_wanted: Callable[[str], None] | None = None
        self._peer: Request | Response | None = None
        self._unacked: AckWait | None = None
        self._established = False
        self._offer_tx: ServerTransaction | None = None
        self._offer_media = self.media
        self._reinvite: OurOffer | None = None
        self._queue: tuple[OurOffer, ...] = ()
        self._pause: Timer | None = None
        self._bye_headers: Headers = ()
        self._update_refused = False

    # Who and what

    @property
    def from_(self) -> Address:
        """The caller, as in the INVITE's From."""
        return self.request.from_address

    @property
    def to(self) -> Address:
        """The called, as in the INVITE's To."""
        return self.request.to_address

    @property
    def remote_party(self) -> Address:
        """The other side: From of an incoming INVITE, To of an outgoing one."""
        return self.from_ if self.direction == "in" else self.to

    @property
    def remote_sdp(self) -> str | None:
        """What the peer described last: its offer on the table, or what was agreed."""
        early = self.dialog.early_sdp if self.dialog else None
        return self.media.offered_to_us or self.media.remote or early

    @property
    def local_sdp(self) -> str | None:
        """What we described last."""
        return self.media.offered_by_us or self.media.local

    def media_source(self, host: str) -> tuple[str, bool]:
        """Say where the media of a peer may come from whose SDP names `host`: the address its
        signalling comes from, and whether a NAT lies between (then from any port of it)."""
        dialog = self.dialog
        source = self.hop if dialog is None else dialog.source
        if dialog is not None:
            behind = dialog.behind_nat
        else:
            behind = self.direction == "in" and came_through_nat(self.request, source)
        return source.host, behind or beyond_nat(host, source.host)

    @property
    def encrypted(self) -> bool:
        """Whether its signalling goes over TLS."""
        return self.hop.transport in ("tls", "wss")

    @property
    def from_browser(self) -> bool:
        """Whether the peer is reached by WebSocket (RFC 7118): a browser."""
        return self.hop.transport in ("ws", "wss")

    def supports(self, option: str) -> bool:
        """Whether the peer lists an option tag in Supported or Require."""
        if self._peer is None:
            return False
        get = self._peer.headers.getlist
        return any(option == tag.lower() for tag in (*get("Supported"), *get("Require")))

    def allows(self, method: str) -> bool:
        """Whether the peer lists a method in Allow."""
        return self._peer is not None and method in self._peer.headers.getlist("Allow")

    def learn_peer(self, message: Request | Response) -> None:
        """Keep the newest message that says what the peer can do."""
        if self._peer is None or "Allow" in message.headers:
            self._peer = message

    def end_if_gone(self, response: Response) -> bool:
        """End the session when a response to a request in it says that it is no more."""
        if isinstance(response, NoResponse):
            self.end(EndCause.TRANSPORT, bye=() if response.code == 408 else None)
        elif response.code == 481:
            self.end(EndCause.GONE)
        elif response.code == 408:
            self.end(EndCause.GONE, bye=())
        else:
            return False
        return True

    # Acknowledgement of our 2xx

    def _wait_for_ack(self, tx: ServerTransaction, response: Response) -> None:
        self._unacked = AckWait(
            self.clock, tx.request.cseq_number, lambda: tx.respond(response), self._never_acked
        )

    def _stop_waiting(self) -> None:
        if self._unacked is not None:
            self._unacked.stop()
            self._unacked = None

    def _acknowledged(self, request: Request | None) -> None:
        self._stop_waiting()
        if self.state is SessionState.ENDED:
            self._late_bye()
            return
        sdp: str | None = None
        if request is not None and self.media.state is OfferState.LOCAL_OFFER:
            try:
                sdp = session_description(request)
            except BadBody:
                sdp = None
            if sdp is None and not self._established:
                self.end(EndCause.BAD_SDP, bye=())
                return
            if sdp is None:  # what was agreed before goes on
                self.media.fail()
                self.tell(self.listener.on_reanswer, 488, None)
            else:
                self.media.receive_answer(sdp)
        if not self._established:
            self._established = True
            self.tell(self.listener.on_established, sdp)
        elif sdp is not None:
            self.tell(self.listener.on_reanswer, 200, sdp)
        self.next_turn()

    def _never_acked(self) -> None:
        self._unacked = None
        if self.state is SessionState.ENDED:
            self._late_bye()
        else:
            self.end(EndCause.NO_ACK, bye=())

    # The end

    def hangup(self, code: int = 0, reason: str = "") -> None:
        """End it in whatever way its state asks for: CANCEL, BYE, or reject (`code` or 480).

        `reason` goes into a Reason header (RFC 3326): whole (`Q.850;cause=16`) or just a text.
        Idempotent. A BYE waits for the ACK of our 2xx (RFC 3261 §15).
        """
        headers = reason_header(code, reason)
        if self.state is SessionState.CONFIRMED:
            self.end(None, bye=headers)
        elif self.state is not SessionState.ENDED:
            self._give_up_early(code, headers)

    def end(self, cause: EndCause | None, *, bye: Headers | None = None) -> None:
        """It is over. `bye`: send one, with these headers. `cause` None: not told."""
        if self.state is SessionState.ENDED:
            return
        listener = self.close()
        if self._offer_tx is not None:
            tx, self._offer_tx = self._offer_tx, None
            tx.respond(make_response(tx.request, 487))
        if bye is None:
            self._stop_waiting()
            self.ack_wanted = None
            self.forget()
        elif self._unacked is not None and not self._established:
            # Not before the ACK has come or is given up on; `begun` keeps `stop` waiting for it.
            self.stack.begun()
            self._bye_headers = bye
        else:
            self._stop_waiting()
            self._send_bye(bye)
        if cause is not None:
            self.tell(listener.on_end, cause)

    def close(self) -> Listener[Any]:
        """Become ENDED: no timer runs, nothing waits for its turn.

        Returns the listener, who may hear of the end and of nothing after it. It is let go of
        here: it holds the session as a rule, and such a circle is work for the collector. So is
        what the peer said of itself: the transaction of an outgoing INVITE keeps its session half
        a minute longer, for answers that come again.
        """
        self.state = SessionState.ENDED
        self.timer.end()
        self._queue, self._peer = (), None
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self.stack.ended(self)
        listener, self.listener = self.listener, _NOBODY
        return listener

    def forget(self) -> None:
        """Take nothing more from the peer."""
        if self.dialog is not None:
            self.stack.let_go(self.dialog)

    def abandon(self) -> None:
        """The stack stops: wait for nothing any more."""
        self._stop_waiting()
        if self._reinvite is not None:
            self._reinvite.abandon()

    def _late_bye(self) -> None:
        self._send_bye(self._bye_headers)
        self.stack.finished()

    def _send_bye(self, headers: Headers) -> None:
        dialog = self.dialog
        if dialog is None:
            return
        wanted, self.ack_wanted = self.ack_wanted, None
        offer = self.media.offered_to_us
        if wanted is not None and offer is not None:
            wanted(refused(Sdp.parse(offer)))
        Exchange(
            self.stack,
            dialog.hop,
            lambda: dialog.request("BYE", headers=headers),
            lambda _: self.forget(),
            self.auth,
        )

    # What the classes above add

    def next_turn(self) -> None:
        """Whatever kept a re-INVITE of ours waiting may have passed."""
        raise NotImplementedError

    def reinvite_done(self, code: int, sdp: str | None, *, tell: bool) -> None:
        """A re-INVITE of ours is over; called by it."""
        raise NotImplementedError

    def reinvite_later(self, reinvite: OurOffer, delay_s: float) -> None:
        """A re-INVITE of ours met one of the peer's: let theirs pass, then try again."""
        raise NotImplementedError

    def _give_up_early(self, code: int, headers: Headers) -> None:
        """Hang up before the answer."""
        raise NotImplementedError

    def _refresh(self) -> None:
        """The session timer says that it is our turn to refresh."""
        raise NotImplementedError

    def _expired(self) -> None:
        """The session timer ran out."""
        self.end(EndCause.SESSION_TIMER, bye=())

    def tell(self, heard: Callable[..., None], *arguments: object) -> None:
        """Call a method of the listener; what it raises is logged, not ours."""
        self.stack.guard(heard, self, *arguments)
