"""The user agent: sessions over transactions over transports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from vpbx.clock import Clock
from vpbx.sip.digest import Credentials
from vpbx.sip.layer import TransactionLayer
from vpbx.sip.listener import SessionListener
from vpbx.sip.message import Response
from vpbx.sip.session import Session
from vpbx.sip.target import Target
from vpbx.sip.transaction import ServerTransaction
from vpbx.sip.transport import Hop, Listen


@dataclass(frozen=True, slots=True)
class StackConfig:
    """Settings of a stack."""

    listens: tuple[Listen, ...]
    advertise: str = ""
    """Address written into Via and Contact towards the outside; "" for the bound one."""
    user_agent: str = "vpbx"
    session_expires_s: int = 1800
    """Wished session interval (RFC 4028); 0 wishes for none."""
    min_se_s: int = 90
    max_message_bytes: int = 65535
    max_sessions: int = 20_000
    """More incoming calls than that are answered 503."""


class Application(Protocol):
    """Takes what comes from outside of dialogs."""

    def on_invite(self, session: Session) -> None:
        """A new call: set `session.listener`, then ring, accept, reject or challenge it."""

    def on_request(self, tx: ServerTransaction) -> None:
        """REGISTER, OPTIONS, SUBSCRIBE, MESSAGE…: answer with `tx.respond`."""


class SipStack:
    """Everything SIP of a process (or of a simulated phone)."""

    layer: TransactionLayer
    listens: tuple[Listen, ...]
    """As bound."""
    sessions: int
    """How many are alive."""

    def __init__(
        self, config: StackConfig, app: Application, *, clock: Clock | None = None
    ) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        """Open the listening sockets; OSError when one cannot be."""
        raise NotImplementedError

    async def stop(self, timeout_s: float = 4.0) -> None:
        """Hang up every session, wait for the answers at most `timeout_s`, close."""
        raise NotImplementedError

    def local_uri(self, hop: Hop, user: str = "") -> str:
        """Our Contact URI towards `hop`."""
        raise NotImplementedError

    def invite(
        self,
        target: Target,
        *,
        from_: str,
        to: str,
        sdp: str | None,
        listener: SessionListener,
        credentials: Credentials | None = None,
        headers: Sequence[tuple[str, str]] = (),
        timeout_s: float | None = None,
    ) -> Session:
        """Call somebody. `from_` and `to` are header values without tags (name-addr).

        A 401 or 407 is answered once with `credentials`. When nobody has answered after
        `timeout_s` the call is cancelled and `on_failure` told 408. The listener is never
        called before this returns.
        """
        raise NotImplementedError

    def request(
        self,
        method: str,
        target: Target,
        *,
        from_: str,
        to: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
        credentials: Credentials | None = None,
        on_response: Callable[[Response], None],
        call_id: str | None = None,
        cseq: int | None = None,
    ) -> None:
        """Send a request outside of dialogs. `on_response` hears the final response, or a
        made-up 408 (no answer) or 503 (could not be sent)."""
        raise NotImplementedError
