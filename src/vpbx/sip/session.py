"""One INVITE usage, from either side, with all its forks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sipmessage import Address

from vpbx.sip.listener import SessionListener, SessionState
from vpbx.sip.message import Request, Response
from vpbx.sip.transport import Hop


class WrongState(RuntimeError):
    """A method was called on a session that cannot do it (a mistake of the caller's)."""


class Session:
    """A call leg. `listener` is set by whoever creates it (`SipStack.invite`) or takes it
    (`Application.on_invite`). After the end every method is harmless and does nothing."""

    direction: str
    """"in" or "out"."""
    state: SessionState
    request: Request
    """The INVITE; of several (authentication) the last."""
    hop: Hop
    """Where it came from or was sent to."""
    listener: SessionListener
    call_id: str
    answered: bool
    """A 2xx was sent or has come."""
    bye: Request | None
    """The peer's BYE that ended it (for its Reason header)."""

    @property
    def from_(self) -> Address:
        """The caller, as in the INVITE's From."""
        raise NotImplementedError

    @property
    def to(self) -> Address:
        """The called, as in the INVITE's To."""
        raise NotImplementedError

    @property
    def remote_party(self) -> Address:
        """The other side: From of an incoming INVITE, To of an outgoing one."""
        raise NotImplementedError

    @property
    def remote_sdp(self) -> str | None:
        """What the peer described last: its offer on the table, or what was agreed."""
        raise NotImplementedError

    @property
    def local_sdp(self) -> str | None:
        """What we described last."""
        raise NotImplementedError

    def supports(self, option: str) -> bool:
        """Whether the peer's last message about it lists an option tag in Supported/Require."""
        raise NotImplementedError

    def ring(
        self, code: int = 180, sdp: str | None = None, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Incoming: answer 101-199, reliably when the peer requires it (RFC 3262)."""
        raise NotImplementedError

    def accept(self, sdp: str | None, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Incoming: answer 200, repeated until the ACK. `sdp` is the answer, or our offer when
        the INVITE had none."""
        raise NotImplementedError

    def reject(
        self, code: int, reason: str | None = None, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Incoming: answer 300-699; ends the session."""
        raise NotImplementedError

    def challenge(self, challenges: Sequence[str], *, proxy: bool = False) -> None:
        """Incoming: answer 401 (or 407) with these challenges; ends the session."""
        raise NotImplementedError

    def ack(self, sdp: str) -> None:
        """Answer the offer that a 2xx to our offerless INVITE or re-INVITE brought."""
        raise NotImplementedError

    def reinvite(self, sdp: str | None) -> None:
        """Offer other media (None: ask for the peer's offer). Waits for its turn; glare is
        tried again after the pause of RFC 3261 §14.1. Ends in `on_reanswer`."""
        raise NotImplementedError

    def answer(self, sdp: str) -> None:
        """Answer `on_offer`."""
        raise NotImplementedError

    def refuse(self, code: int = 488) -> None:
        """Refuse `on_offer`; what was agreed before stays."""
        raise NotImplementedError

    def send(
        self,
        method: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
        on_response: Callable[[Response], None] | None = None,
    ) -> None:
        """Send INFO, REFER, NOTIFY, MESSAGE… in the dialog. `on_response` hears the final
        response, a made-up 408 or 503 when none comes."""
        raise NotImplementedError

    def hangup(self, code: int = 0, reason: str = "") -> None:
        """End it in whatever way its state asks for: CANCEL, BYE, or reject (`code` or 480).

        `reason` goes into a Reason header (RFC 3326): whole (`Q.850;cause=16`) or just a text.
        Idempotent.
        """
        raise NotImplementedError
