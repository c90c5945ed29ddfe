"""Answers without a transaction, and how short they can be made."""

from __future__ import annotations

from vpbx.sip.message import RESPONSE_COPIES, Request, Response, make_response
from vpbx.sip.transport import Hop, Transports
from vpbx.sip.via import reopened_hop, reply_hop

__all__ = ["Replies", "fitted"]

_COMPACT = {"via": "v", "from": "f", "to": "t", "call-id": "i"}
_KEPT_ONCE = ("www-authenticate", "proxy-authenticate")


class Replies:
    """Sends them on these transports."""

    def __init__(self, transports: Transports) -> None:
        self._transports = transports
        self.room = 0
        """How long an answer to what is being taken may be, 0: as it is."""

    def refuse(
        self, request: Request, hop: Hop, code: int, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """Answer a request from `hop`, unless its connection is gone."""
        if hop.transport != "udp" and self._transports.connection(hop) is None:
            return
        self.send(make_response(request, code, headers=headers), hop)

    def send(self, response: Response, hop: Hop) -> None:
        """Send an answer, as shortly as a stranger's datagram asks for."""
        destination = self.destination(response, hop)
        data = fitted(response, self.room) if self.room else bytes(response)
        if data:
            self._transports.send(data, destination)

    def destination(self, message: Request | Response, hop: Hop) -> Hop:
        """Say where a response goes: `message` is it, or its request; `hop` the source."""
        try:
            via = message.top_via
        except ValueError:
            return hop
        if hop.transport != "udp" and self._transports.connection(hop) is None:
            return reopened_hop(via, hop)
        return reply_hop(via, hop)


def fitted(response: Response, room: int) -> bytes:
    """Write a response in at most `room` bytes; empty when it cannot be.

    What is left out first is what only helps (Allow, Accept…), and all challenges but the
    first; then header names become compact ones (RFC 3261 §7.3.3).
    """
    data = bytes(response)
    if len(data) <= room:
        return data
    headers = response.headers
    for name in tuple(headers.values):
        if name in _KEPT_ONCE:
            headers.set(name, headers[name])
        elif name not in RESPONSE_COPIES:
            headers.remove(name)
    data = bytes(response)
    if len(data) <= room:
        return data
    lines = [f"SIP/2.0 {response.code} {response.phrase}"]
    for name in tuple(headers.values):
        shown = _COMPACT.get(name, name)
        lines += [f"{shown}:{value}" for value in headers.getlist(name) if name != "content-length"]
    data = "\r\n".join([*lines, "l:0", "", ""]).encode("utf-8", "replace")
    return data if len(data) <= room else b""
