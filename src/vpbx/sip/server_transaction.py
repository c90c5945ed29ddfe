"""Server transactions (RFC 3261 §17.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from vpbx.sip.machines import INVITE_SERVER, NON_INVITE_SERVER, Event, State
from vpbx.sip.message import RESPONSE_COPIES, Request, Response
from vpbx.sip.transaction_base import RESPONSE_EVENTS, Outlet, Steps, Transaction, bind
from vpbx.sip.transport import Hop

_AGE_S = 1.0


class ServerTransaction(Transaction):
    """A request of a peer, to be answered.

    `on_cancel` is called when the peer cancels an INVITE that has no final response yet (the
    CANCEL itself has been answered; the 487 is yours to send), `on_timeout` when the ACK of a
    final response other than 2xx never came, or a request of another method was not answered
    within 64*T1, `on_transport_error` when a response could not be sent.

    A second after the final response `request` becomes a copy of what responses are made of:
    thousands of transactions wait for retransmissions, and need no more.
    """

    __slots__ = ("_ack", "merge_key", "on_cancel", "on_timeout", "on_transport_error", "to_tag")

    _INVITE: ClassVar[Steps]
    _OTHER: ClassVar[Steps]

    def __init__(self, outlet: Outlet, request: Request, hop: Hop, key: str) -> None:
        super().__init__(outlet, request, hop, key)
        self.on_cancel: Callable[[], None] | None = None
        self.on_timeout: Callable[[], None] | None = None
        self.on_transport_error: Callable[[str], None] | None = None
        self.merge_key = ""
        self.to_tag = ""
        """The tag of our provisional responses, if there was one."""
        self._ack: Request | None = None
        if request.method == "INVITE":
            self._steps, self.state = self._INVITE, State.PROCEEDING
        else:
            self._steps, self.state = self._OTHER, State.TRYING
            self.feed(Event.START)

    @property
    def answered(self) -> bool:
        """Whether any response has been sent."""
        return bool(self._last)

    def respond(self, response: Response) -> None:
        """Send a provisional or final response; one that comes too late is dropped.

        A final response of 300 or more to an INVITE is sent again until its ACK comes; a 2xx
        is sent each time it is given here, for 64*T1 (RFC 6026): its sender waits for the ACK.
        """
        event = RESPONSE_EVENTS[response.code // 100 - 1]
        if (self.state, event) in self._steps:
            self._last = bytes(response)
            if event is Event.PROVISIONAL:
                self.to_tag = response.to_tag
            self.feed(event)

    def receive_again(self) -> None:
        """Take a retransmission of the request."""
        self.feed(Event.REQUEST_AGAIN)

    def receive_ack(self, ack: Request) -> None:
        """Take an ACK with the branch of this INVITE."""
        self._ack = ack
        self.feed(Event.ACK)
        self._ack = None

    def receive_cancel(self) -> None:
        """Hear that the peer cancels this INVITE; a second time does not matter."""
        if self.state is State.PROCEEDING and self.on_cancel is not None:
            callback, self.on_cancel = self.on_cancel, None
            callback()

    def _send(self) -> None:
        self._outlet.transmit(self, self._last)

    def _let_go(self) -> None:
        # What is behind these often holds this transaction: do not make the collector look.
        self.on_cancel = self.on_timeout = self.on_transport_error = None

    def _set_age(self) -> None:
        # Nobody stops it: it does nothing to one that has ended by then.
        self._outlet.timers.feed_later(_AGE_S, self, Event.AGE)

    def _shrink(self) -> None:
        full = self.request
        self.request = Request(full.method, full.raw_uri)
        values = full.headers.values
        self.request.headers.values = {key: values[key] for key in RESPONSE_COPIES if key in values}

    def _tell_timeout(self) -> None:
        if self.on_timeout is not None:
            self.on_timeout()

    def _tell_error(self) -> None:
        if self.on_transport_error is not None:
            self.on_transport_error(self._reason)

    def _tell_ack(self) -> None:
        if self._ack is not None:
            self._outlet.take_ack(self._ack, self.hop)


ServerTransaction._INVITE = bind(INVITE_SERVER, ServerTransaction)
ServerTransaction._OTHER = bind(NON_INVITE_SERVER, ServerTransaction)
