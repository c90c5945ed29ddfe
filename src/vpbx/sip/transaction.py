"""Transactions as the layers above see them (RFC 3261 §17)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Protocol

from .message import Request, Response
from .transport import Hop


class TransactionState(Enum):
    """States of all four machines (RFC 3261 §17, RFC 6026 §7)."""

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class ClientListener(Protocol):
    """Who made a request hears of it here; each call is made on the loop and must not block."""

    def on_response(self, tx: ClientTransaction, response: Response) -> None:
        """Take a provisional or the final response; of an INVITE every 2xx (all its forks)."""

    def on_timeout(self, tx: ClientTransaction) -> None:
        """Nobody answered in time (timers B and F, or the wait after a CANCEL)."""

    def on_transport_error(self, tx: ClientTransaction, reason: str) -> None:
        """The request could not be sent."""


class ClientTransaction:
    """A request of ours under way."""

    request: Request
    hop: Hop
    state: TransactionState

    def cancel(self, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Give up an INVITE: CANCEL goes out as soon as a provisional response has come."""
        raise NotImplementedError


class ServerTransaction:
    """A request of a peer, to be answered."""

    request: Request
    hop: Hop
    state: TransactionState
    on_cancel: Callable[[], None] | None = None
    on_timeout: Callable[[], None] | None = None
    on_transport_error: Callable[[str], None] | None = None

    def respond(self, response: Response) -> None:
        """Send a provisional or final response."""
        raise NotImplementedError
