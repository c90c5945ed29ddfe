"""Transactions: what walks the tables of `machines` (RFC 3261 §17).

No I/O here: bytes leave through an `Outlet`, timers come from it, and the layer feeds in what
arrives. A transaction belongs to one hop and keeps what it sent last, to send it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, Protocol, TypeAlias

from .machines import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Event,
    Table,
)
from .machines import State as TransactionState
from .message import RESPONSE_COPIES, Request, Response, serialize
from .timers import Delayed, Timers
from .transport import Hop

__all__ = [
    "ClientListener",
    "ClientTransaction",
    "Outlet",
    "ServerTransaction",
    "Transaction",
    "TransactionState",
]

_Steps: TypeAlias = dict[
    tuple[TransactionState, Event],
    tuple[TransactionState, "tuple[Callable[[Transaction], None], ...]"],
]


class ClientListener(Protocol):
    """Who made a request hears of it here; each call is made on the loop and must not block."""

    def on_response(self, tx: ClientTransaction, response: Response) -> None:
        """Take a provisional or the final response; of an INVITE every 2xx (all its forks)."""

    def on_timeout(self, tx: ClientTransaction) -> None:
        """Nobody answered in time (timers B and F, or the wait after a CANCEL)."""

    def on_transport_error(self, tx: ClientTransaction, reason: str) -> None:
        """The request could not be sent."""


class Outlet(Protocol):
    """What a transaction needs of the layer around it.

    `transmit` reports a failure by `Transaction.transport_failed`, always later, never while it
    is being called.
    """

    @property
    def timers(self) -> Timers: ...

    def transmit(self, tx: Transaction, data: bytes) -> None: ...

    def forget(self, tx: Transaction) -> None: ...

    def send_cancel(self, tx: ClientTransaction, cancel: Request) -> None: ...

    def take_ack(self, ack: Request, hop: Hop) -> None: ...


class Transaction:
    """What clients and servers share: the walk, the timers, the last bytes."""

    _steps: _Steps

    def __init__(self, outlet: Outlet, request: Request, hop: Hop, key: str) -> None:
        self.request = request
        self.hop = hop
        self.destination = hop
        """Where what is sent goes: of a server, by the rules for responses (see `via`)."""
        self.key = key
        self.state = TransactionState.TERMINATED
        self.reliable = hop.transport != "udp"
        self._outlet = outlet
        self._last = b""
        self._running: list[Delayed] = []
        self._interval_s = 0.0
        self._reason = ""

    @property
    def terminated(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.state is TransactionState.TERMINATED

    def feed(self, event: Event) -> None:
        """Let an event happen."""
        step = self._steps.get((self.state, event))
        if step is not None:
            self.state = step[0]
            for action in step[1]:
                action(self)

    def transport_failed(self, reason: str) -> None:
        """Hear that what was sent could not be."""
        self._reason = reason
        self.feed(Event.TRANSPORT_ERROR)

    def abandon(self) -> None:
        """End at once, telling nobody."""
        self.state = TransactionState.TERMINATED
        self._stop_timers()

    # Actions; each is named as in machines.Action.

    def _send_again(self) -> None:
        if self._last:
            self._outlet.transmit(self, self._last)

    def _stop_timers(self) -> None:
        for timer in self._running:
            timer.cancel()
        self._running.clear()

    def _end(self) -> None:
        self._stop_timers()
        self._outlet.forget(self)

    def _set(self, event: Event, delay_s: float) -> None:
        self._running.append(self._outlet.timers.feed_later(delay_s, self, event))

    def _set_doubling(self, event: Event, most_s: float) -> None:
        if self.reliable:
            return
        t1_s = self._outlet.timers.values.t1_s
        self._interval_s = min(2 * self._interval_s, most_s) if self._interval_s else t1_s
        self._set(event, self._interval_s)

    def _set_patience(self, event: Event) -> None:
        self._set(event, self._outlet.timers.values.patience_s)

    def _set_if_unreliable(self, event: Event, delay_s: float) -> None:
        if self.reliable:
            self.feed(event)
        else:
            self._set(event, delay_s)

    def _set_a(self) -> None:
        self._set_doubling(Event.A, self._outlet.timers.values.patience_s)

    def _set_b(self) -> None:
        self._set_patience(Event.B)

    def _set_c(self) -> None:
        self._set_patience(Event.C)

    def _set_d(self) -> None:
        self._set_if_unreliable(Event.D, self._outlet.timers.values.d_s)

    def _set_e(self) -> None:
        self._set_doubling(Event.E, self._outlet.timers.values.t2_s)

    def _set_e_t2(self) -> None:
        self._interval_s = self._outlet.timers.values.t2_s
        self._set_e()

    def _set_f(self) -> None:
        self._set_patience(Event.F)

    def _set_g(self) -> None:
        self._set_doubling(Event.G, self._outlet.timers.values.t2_s)

    def _set_h(self) -> None:
        self._set_patience(Event.H)

    def _set_i(self) -> None:
        self._set_if_unreliable(Event.I, self._outlet.timers.values.t4_s)

    def _set_j(self) -> None:
        self._set_if_unreliable(Event.J, self._outlet.timers.values.patience_s)

    def _set_k(self) -> None:
        self._set_if_unreliable(Event.K, self._outlet.timers.values.t4_s)

    def _set_l(self) -> None:
        self._set_patience(Event.L)

    def _set_m(self) -> None:
        self._set_patience(Event.M)


_AGE_S = 1.0
_NEVER_AGAIN = frozenset(
    (TransactionState.ACCEPTED, TransactionState.COMPLETED, TransactionState.TERMINATED)
)
"""States in which a client repeats nothing."""


class ClientTransaction(Transaction):
    """A request of ours under way."""

    _INVITE: ClassVar[_Steps]
    _OTHER: ClassVar[_Steps]

    def __init__(
        self, outlet: Outlet, request: Request, hop: Hop, key: str, listener: ClientListener
    ) -> None:
        super().__init__(outlet, request, hop, key)
        self._listener = listener
        self._response: Response | None = None
        self._ack = b""
        self._cancel: tuple[tuple[str, str], ...] | None = None
        self._cancel_sent = False
        if request.method == "INVITE":
            self._steps, self.state = self._INVITE, TransactionState.CALLING
        else:
            self._steps, self.state = self._OTHER, TransactionState.TRYING

    def start(self, hop: Hop, data: bytes) -> None:
        """Send the request for the first time: `data`, by `hop`."""
        self.hop = self.destination = hop
        self.reliable = hop.transport != "udp"
        self._last = data
        self.feed(Event.START)

    def receive(self, response: Response) -> None:
        """Take a response that belongs here."""
        self._response = response
        self.feed(_event_of(response))
        self._response = None
        if self.state in _NEVER_AGAIN:
            self._last = b""

    def cancel(self, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Give up an INVITE (RFC 3261 §9.1).

        CANCEL goes out as soon as a provisional response has come, once, with `headers` (a
        Reason, say); never, if the final response comes first. The transaction ends as always:
        by a final response (usually 487), or by a timeout. Not for other requests.
        """
        if self.request.method == "INVITE" and self._cancel is None:
            self._cancel = tuple(headers)
            self.feed(Event.CANCEL)

    def _send(self) -> None:
        self._outlet.transmit(self, self._last)

    def _send_ack(self) -> None:
        if not self._ack and self._response is not None:
            self._ack = serialize(make_ack(self.request, self._response))
        self._outlet.transmit(self, self._ack)

    def _remember_cancel(self) -> None:
        """Nothing to do: `cancel` has kept what it was given."""

    def _cancel_if_remembered(self) -> None:
        if self._cancel is not None:
            self.feed(Event.CANCEL)

    def _send_cancel(self) -> None:
        if not self._cancel_sent:
            self._cancel_sent = True
            self._outlet.send_cancel(self, make_cancel(self.request, self._cancel or ()))

    def _tell_response(self) -> None:
        if self._response is not None:
            self._listener.on_response(self, self._response)

    def _tell_timeout(self) -> None:
        self._listener.on_timeout(self)

    def _tell_error(self) -> None:
        self._listener.on_transport_error(self, self._reason)


class ServerTransaction(Transaction):
    """A request of a peer, to be answered.

    `on_cancel` is called when the peer cancels an INVITE that has no final response yet (the
    CANCEL itself has been answered; the 487 is yours to send), `on_timeout` when the ACK of a
    final response other than 2xx never came, or a request of another method was not answered
    within 64*T1, `on_transport_error` when a response could not be sent.

    A second after the final response `request` becomes a copy of what responses are made of:
    thousands of transactions wait for retransmissions, and need no more.
    """

    _INVITE: ClassVar[_Steps]
    _OTHER: ClassVar[_Steps]

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
            self._steps, self.state = self._INVITE, TransactionState.PROCEEDING
        else:
            self._steps, self.state = self._OTHER, TransactionState.TRYING
        self.feed(Event.START)

    def feed(self, event: Event) -> None:
        super().feed(event)
        if self.state is TransactionState.TERMINATED:
            # What is behind these often holds this transaction: do not make the collector look.
            self.on_cancel = self.on_timeout = self.on_transport_error = None

    @property
    def answered(self) -> bool:
        """Whether any response has been sent."""
        return bool(self._last)

    def respond(self, response: Response) -> None:
        """Send a provisional or final response; one that comes too late is dropped.

        A final response of 300 or more to an INVITE is sent again until its ACK comes; a 2xx
        is sent each time it is given here, for 64*T1 (RFC 6026): its sender waits for the ACK.
        """
        event = _event_of(response)
        if (self.state, event) in self._steps:
            self._last = serialize(response)
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
        if self.state is TransactionState.PROCEEDING and self.on_cancel is not None:
            callback, self.on_cancel = self.on_cancel, None
            callback()

    def _send(self) -> None:
        self._outlet.transmit(self, self._last)

    def _set_age(self) -> None:
        self._set(Event.AGE, _AGE_S)

    def _shrink(self) -> None:
        full = self.request
        self.request = Request(full.method, full.raw_uri)
        for name in RESPONSE_COPIES:
            if (values := full.headers.values.get(name)) is not None:
                self.request.headers.values[name] = values

    def _tell_timeout(self) -> None:
        if self.on_timeout is not None:
            self.on_timeout()

    def _tell_error(self) -> None:
        if self.on_transport_error is not None:
            self.on_transport_error(self._reason)

    def _tell_ack(self) -> None:
        if self._ack is not None:
            self._outlet.take_ack(self._ack, self.hop)


def _event_of(response: Response) -> Event:
    if response.code < 200:
        return Event.PROVISIONAL
    return Event.SUCCESS if response.code < 300 else Event.FAILURE


def _bind(table: Table, cls: type[Transaction]) -> _Steps:
    """Put the methods of `cls` in the place of the actions they are named after."""
    return {
        at: (state, tuple(getattr(cls, f"_{action.name.lower()}") for action in actions))
        for at, (state, actions) in table.items()
    }


ClientTransaction._INVITE = _bind(INVITE_CLIENT, ClientTransaction)
ClientTransaction._OTHER = _bind(NON_INVITE_CLIENT, ClientTransaction)
ServerTransaction._INVITE = _bind(INVITE_SERVER, ServerTransaction)
ServerTransaction._OTHER = _bind(NON_INVITE_SERVER, ServerTransaction)


def make_ack(request: Request, response: Response) -> Request:
    """Make the ACK of a final response of 300-699 (RFC 3261 §17.1.1.3)."""
    ack = _follow(request, "ACK")
    ack.headers.setlist("To", response.headers.getlist("To"))
    return ack


def make_cancel(request: Request, headers: Iterable[tuple[str, str]] = ()) -> Request:
    """Make the CANCEL of an INVITE (RFC 3261 §9.1), with its branch."""
    cancel = _follow(request, "CANCEL")
    for name, value in headers:
        cancel.headers.add(name, value)
    return cancel


def _follow(request: Request, method: str) -> Request:
    """Make a request of `method` that belongs to the transaction of `request`."""
    follower = Request(method, request.raw_uri)
    source, target = request.headers, follower.headers
    target.set("Via", source["Via"])
    for name in ("Route", "From", "To", "Call-ID"):
        target.setlist(name, source.getlist(name))
    target.set("CSeq", f"{request.cseq_number} {method}")
    target.set("Max-Forwards", "70")
    return follower
