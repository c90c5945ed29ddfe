"""What arrives, before it is a request or a response: who may be heard, and what is no SIP.

Nothing that arrives raises out of here. Nonsense is charged to the budget of its source, said
once in a while, and answered where RFC 3261 wants an answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import structlog

from vpbx.clock import Clock
from vpbx.frozen import dataclass
from vpbx.sip.budget import Budgets, Standing
from vpbx.sip.config import LayerConfig
from vpbx.sip.identifiers import OUR_BRANCH
from vpbx.sip.message import MalformedMessage, Request, Response, parse_message
from vpbx.sip.stateless import Replies
from vpbx.sip.throttle import OncePer
from vpbx.sip.transport import Hop
from vpbx.sip.via import note_source
from vpbx.sparing import Sparing

__all__ = ["Arrivals", "Takers"]

log = structlog.get_logger("vpbx.sip")
_nonsense = Sparing("vpbx.sip")

_COMPLAIN_S = 60.0
_AMPLIFIES = 2
"""An answer to a stranger's datagram is at most so many times its size: whoever forged the
source must gain nothing by us."""
_LEAST_BYTES = 20
"""Nothing shorter can be a message: keep-alives of phones, like `jaK` or NULs."""
_FIRST_BYTE = 0x0A
"""What begins with less is no message, nor line ends before one."""
_PEEK_BYTES = 4096
_CALL_ID = re.compile(rb"\r\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Takers:
    """Who takes what has been read; both may raise `MalformedMessage`."""

    request: Callable[[Request, Hop], None]
    response: Callable[[Response, Hop], None]


class Arrivals:
    """Reads what transports bring. `has_call` says whether a Call-ID is that of a dialog: what
    has one is always read."""

    def __init__(
        self,
        config: LayerConfig,
        clock: Clock,
        takers: Takers,
        *,
        replies: Replies,
        budgets: Budgets | None,
        has_call: Callable[[str], bool] | None,
    ) -> None:
        self._tap = config.tap
        self._max_bytes = config.limits.message_bytes
        self._max_headers = config.max_headers
        self._takers = takers
        self._replies = replies
        self._budgets = budgets
        self._has_call = has_call
        self._complaints = OncePer(clock, _COMPLAIN_S)

    def receive(self, data: bytes, hop: Hop) -> None:
        """Take a message; nothing it holds makes this raise."""
        if len(data) < _LEAST_BYTES or data[0] < _FIRST_BYTE:
            return  # keep-alives, STUN and RTP gone astray: nobody's time
        self._replies.room = 0
        if hop.transport == "udp" and (budgets := self._budgets) is not None:
            standing = budgets.admit(hop, data, self._is_ours)
            if standing is None:
                return
            if standing is Standing.STRANGER:
                self._replies.room = _AMPLIFIES * len(data)
        if not 0x21 <= data[0] <= 0x7E:
            # Keep-alives, STUN and RTP gone astray are no SIP, and no reason to complain.
            data = data.lstrip(b"\r\n")
            if not data or not 0x21 <= data[0] <= 0x7E:
                return
        if self._tap is not None:
            self._tap(False, data, hop)
        try:
            message = parse_message(data, max_bytes=self._max_bytes, max_headers=self._max_headers)
            if isinstance(message, Request):
                self._takers.request(message, hop)
            else:
                self._takers.response(message, hop)
        except MalformedMessage as error:
            self._take_malformed(error, hop)
        except Exception:
            self.complain(hop, "it made the stack fail")
            log.exception("A SIP message could not be processed", source=hop.host)

    def receive_broken(self, head: bytes, hop: Hop, code: int, reason: str) -> None:
        """Answer a message whose end cannot be found."""
        message: Request | Response | None
        try:
            message = parse_message(head, max_headers=self._max_headers)
        except MalformedMessage as error:
            message = error.message
        answer = code if isinstance(message, Request) else None
        self._take_malformed(MalformedMessage(answer, reason, message), hop)

    def complain(self, hop: Hop, reason: str) -> None:
        """Charge a source for nonsense, and say so once in a while."""
        if self._budgets is not None:
            self._budgets.malformed(hop)
        if self._complaints.first(hop.host):
            _nonsense.warning("A source sends malformed SIP", source=hop.host, reason=reason)

    def _is_ours(self, data: bytes) -> bool:
        """Say, without parsing, whether a message belongs to a request or a dialog of ours."""
        head = data[:_PEEK_BYTES]
        if head[:4] == b"SIP/":
            return OUR_BRANCH in head
        found = _CALL_ID.search(head)
        if found is None or self._has_call is None:
            return False
        return self._has_call(found[1].strip().decode("utf-8", "replace"))

    def _take_malformed(self, error: MalformedMessage, hop: Hop) -> None:
        message = error.message
        if message is None and error.code is None:
            return  # no SIP at all: a keep-alive of some maker, or an accident
        self.complain(hop, error.reason)
        if error.code is None or not isinstance(message, Request) or message.method == "ACK":
            return
        if "Via" not in message.headers:
            return
        try:
            note_source(message, message.top_via, hop)
        except ValueError:
            # Its Via is what is broken; the answer goes to where it came from.
            pass
        self._replies.refuse(message, hop, error.code)
