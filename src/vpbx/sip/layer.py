"""The transaction layer with its transports: the floor all user agents stand on."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from ..clock import Clock
from .message import Request, Response
from .throttle import Throttle
from .transaction import ClientListener, ClientTransaction, ServerTransaction
from .transport import Hop, Listen


@dataclass(frozen=True, slots=True)
class LayerConfig:
    """Settings of the transaction layer; times in seconds."""

    listens: tuple[Listen, ...]
    advertise: str = ""
    tls_client: ssl.SSLContext | None = None
    max_message_bytes: int = 65535


class TransactionLayer:
    """Sends requests and takes them; sees to retransmission, matching and broken messages."""

    listens: tuple[Listen, ...]
    throttle: Throttle

    def __init__(
        self,
        config: LayerConfig,
        *,
        clock: Clock,
        on_request: Callable[[ServerTransaction], None],
        on_ack: Callable[[Request, Hop], None],
        on_stray_response: Callable[[Response, Hop], None],
    ) -> None:
        self.listens = ()
        self.throttle = Throttle(clock)

    async def start(self) -> None:
        """Open all listening sockets."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Close all sockets and forget all transactions."""
        raise NotImplementedError

    def request(self, request: Request, hop: Hop, listener: ClientListener) -> ClientTransaction:
        """Send a request in a new client transaction."""
        raise NotImplementedError

    def send(self, message: Request | Response, hop: Hop) -> None:
        """Send outside of transactions: an ACK of a 2xx (Via is added), a 2xx again."""
        raise NotImplementedError

    def local_address(self, hop: Hop) -> tuple[str, int]:
        """Return host and port to write into Via and Contact towards `hop`."""
        raise NotImplementedError
