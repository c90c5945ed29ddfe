"""Client transactions (RFC 3261 §17.1), and the ACK and CANCEL that belong to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Protocol

from vpbx.sip.machines import INVITE_CLIENT, NON_INVITE_CLIENT, Event, State
from vpbx.sip.message import Request, Response
from vpbx.sip.transaction_base import RESPONSE_EVENTS, Outlet, Steps, Transaction, bind
from vpbx.sip.transport import Hop


class ClientListener(Protocol):
    """Who made a request hears of it here; each call is made on the loop and must not block."""

    def on_response(self, tx: ClientTransaction, response: Response) -> None:
        """Take a provisional or the final response; of an INVITE every 2xx (all its forks)."""

    def on_timeout(self, tx: ClientTransaction) -> None:
        """Nobody answered in time (timers B and F, or the wait after a CANCEL)."""

    def on_transport_error(self, tx: ClientTransaction, reason: str) -> None:
        """The request could not be sent."""


class Nobody:
    """A listener that does not care."""

    def on_response(self, tx: ClientTransaction, response: Response) -> None:
        pass

    def on_timeout(self, tx: ClientTransaction) -> None:
        pass

    def on_transport_error(self, tx: ClientTransaction, reason: str) -> None:
        pass


_NOBODY = Nobody()
_OVER = Request("OVER", "")
"""Stands in the place of a request that has been answered and is not needed again."""
_NEVER_AGAIN = frozenset((State.ACCEPTED, State.COMPLETED, State.TERMINATED))
"""States in which a client repeats nothing."""


class ClientTransaction(Transaction):
    """A request of ours under way."""

    __slots__ = ("_ack", "_cancel", "_cancel_sent", "_listener", "_response", "hairpin")

    _INVITE: ClassVar[Steps]
    _OTHER: ClassVar[Steps]

    def __init__(
        self, outlet: Outlet, request: Request, hop: Hop, key: str, listener: ClientListener
    ) -> None:
        super().__init__(outlet, request, hop, key)
        self._listener = listener
        self._response: Response | None = None
        self._ack = b""
        self._cancel: tuple[tuple[str, str], ...] | None = None
        self._cancel_sent = False
        self.hairpin = bool(getattr(listener, "hairpin", False))
        """Whether its request may come back to us: then that is no loop."""
        if request.method == "INVITE":
            self._steps, self.state = self._INVITE, State.CALLING
        else:
            self._steps, self.state = self._OTHER, State.TRYING

    def start(self, hop: Hop, data: bytes) -> None:
        """Send the request for the first time: `data`, by `hop`."""
        self.hop = self.destination = hop
        self.reliable = hop.transport != "udp"
        self._last = data
        self.feed(Event.START)

    def asked_for(self, response: Response) -> bool:
        """Say whether a response with its branch and method is one to its request.

        `ValueError` when that cannot be read. Of a request that is over every response is.
        """
        request = self.request
        sent, came = request.headers.values, response.headers.values
        if request is _OVER or (
            # As a rule a peer gives back what it got, as it was written.
            came.get("cseq") == sent.get("cseq")
            and came.get("from") == sent.get("from")
            and came.get("call-id") == sent.get("call-id")
        ):
            return True
        return (
            response.cseq_number == request.cseq_number
            and response.headers.get("Call-ID") == request.headers.get("Call-ID")
            and response.from_tag == request.from_tag
        )

    def receive(self, response: Response) -> None:
        """Take a response that belongs here."""
        self._response = response
        self.feed(RESPONSE_EVENTS[response.code // 100 - 1])
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
            self._ack = bytes(make_ack(self.request, self._response))
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

    def _shrink(self) -> None:
        self.request, self._listener = _OVER, _NOBODY

    def _tell_timeout(self) -> None:
        self._listener.on_timeout(self)

    def _tell_error(self) -> None:
        self._listener.on_transport_error(self, self._reason)


ClientTransaction._INVITE = bind(INVITE_CLIENT, ClientTransaction)
ClientTransaction._OTHER = bind(NON_INVITE_CLIENT, ClientTransaction)


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
