"""SIP over WebSocket (RFC 7118) beside the API, at `/sip`: the way in for browsers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from vpbx.app.http import AsgiApp
from vpbx.sip import SipStack
from vpbx.sip.transport import Message, Receive, Send

__all__ = ["PATH", "with_sip"]

PATH = "/sip"
_POLICY = 1008


def with_sip(app: AsgiApp, stack: Callable[[], SipStack]) -> AsgiApp:
    """Hand WebSockets at `/sip` to SIP, and leave the rest to `app`.

    A page may open one to the host it came from and to no other (a browser says in `Origin`
    where the page is from); programs that are no browser say nothing. Who calls is found out by
    SIP, as for any phone.
    """

    async def handle(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket" or scope["path"] != PATH:
            await app(scope, receive, send)
        elif _own_page(scope["headers"]):
            await stack().serve_websocket(scope, receive, send)
        else:
            await _refuse(receive, send)

    return handle


async def _refuse(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": _POLICY})


def _own_page(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a page of the host that was asked opens this, or no page at all."""
    found = {name.lower(): value.decode("latin-1") for name, value in headers}
    origin = found.get(b"origin")
    if origin is None:
        return True
    try:
        host = urlsplit(f"//{found.get(b'host', '')}").hostname
        return host is not None and urlsplit(origin).hostname == host
    except ValueError:  # no address at all
        return False
