"""uvicorn's side of an HTTP connection: its protocol, the transport it is given, and what is
answered to who goes beyond a bound.

Both tell a `Holder`, the connection they belong to, what they come upon.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from enum import Enum
from typing import Any, Protocol

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from vpbx.app.http_bounds import Bounds, Turnstile

__all__ = ["REFUSALS", "Holder", "Http", "Reading", "Side", "refusal"]

REFUSALS = {
    400: "Invalid HTTP request",
    408: "The request did not arrive in time",
    413: "Request body is too large",
    431: "Request line and headers are too large",
    503: "Too many connections or requests at once",
}


class Reading(Enum):
    """Where in a request the parser stands."""

    NOTHING = "nothing"
    HEAD = "head"
    BODY = "body"


class Shared(Protocol):
    """What the connections of one listener share, as far as uvicorn's side needs it."""

    config: Config
    state: ServerState
    loop: asyncio.AbstractEventLoop
    bounds: Bounds
    turnstile: Turnstile


class Holder(Protocol):
    """Whose protocol and transport these are."""

    @property
    def shared(self) -> Shared:
        """What it shares with others."""

    def head_is_whole(self) -> None:
        """The head that was being read is whole; a body may follow."""

    def answered(self) -> None:
        """An answer is out."""

    def app_reads(self, reads: bool) -> None:
        """Whether the application wants more of the body."""

    def hand_over(self, protocol: asyncio.BaseProtocol) -> None:
        """Another protocol (WebSocket) has the connection from here on."""

    def refuse(self, status: int) -> None:
        """Answer that this goes beyond a bound, and close."""

    def close(self) -> None:
        """Close when all is written."""

    def dismiss(self) -> None:
        """Close at once."""


class Http(HttpToolsProtocol):
    """uvicorn's protocol, which also tells where in a request it stands, and counts."""

    def __init__(self, connection: Holder) -> None:
        front = connection.shared
        super().__init__(front.config, front.state, {}, front.loop)
        self._connection = connection
        self._bounds = front.bounds
        self._turnstile = front.turnstile
        self.reading = Reading.NOTHING
        self.refusal = 400
        """What to answer when parsing fails."""
        self._head_bytes = 0
        self._lines = 0
        self.heads = 0
        """Heads that were whole."""
        self.body_bytes = 0
        """Of the body that is coming."""
        self._length: int | None = None
        """Of the body that is coming, if that was said."""

    @property
    def is_answering(self) -> bool:
        """Whether a request is here whose answer is not out."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def awaited_bytes(self) -> int | None:
        """What is left of the body; None: that is not known."""
        return None if self._length is None else max(1, self._length - self.body_bytes)

    @property
    def has_begun_to_answer(self) -> bool:
        return bool(self.pipeline) or (self.is_answering and self.cycle.response_started)

    def on_message_begin(self) -> None:
        self.reading = Reading.HEAD
        self._head_bytes = self._lines = self.body_bytes = 0
        self._length = None
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url), 0)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + len(": \r\n"), 1)
        if self.reading is Reading.HEAD:  # a trailer has nothing to say here
            super().on_header(name, value)
            if name.lower() == b"content-length" and value.isdigit():
                self._length = int(value)  # more than one: the parser refuses

    def _count(self, size: int, lines: int) -> None:
        self._head_bytes += size
        self._lines += lines
        if self._head_bytes > self._bounds.head_bytes or self._lines > self._bounds.headers:
            self._refuse(431)

    def _refuse(self, status: int) -> None:
        self.refusal = status
        raise ValueError(status)  # httptools stops parsing, and `send_400_response` is called

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= self._bounds.pipelined:
            self._refuse(503)
        self.reading = Reading.BODY
        self.heads += 1
        self._connection.head_is_whole()
        super().on_headers_complete()

    def _start_asgi_task(self, *args: Any) -> None:
        self._turnstile.begun += 1
        super()._start_asgi_task(*args)

    def on_body(self, body: bytes) -> None:
        self.body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.reading = Reading.NOTHING
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._connection.answered()

    def send_400_response(self, msg: str) -> None:
        self._connection.refuse(self.refusal)


class Side(asyncio.Transport):
    """The transport that uvicorn's protocol is given: reading and closing go by its `Holder`."""

    def __init__(self, connection: Holder, transport: asyncio.Transport) -> None:
        super().__init__()
        self._connection = connection
        self._transport = transport
        self._is_closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return self._is_closing or self._transport.is_closing()

    def close(self) -> None:
        self._is_closing = True
        self._connection.close()

    def abort(self) -> None:
        self._is_closing = True
        self._connection.dismiss()

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self.is_closing():
            self._transport.write(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        if not self.is_closing():
            self._transport.writelines(list_of_data)

    def can_write_eof(self) -> bool:
        return self._transport.can_write_eof()

    def write_eof(self) -> None:
        self._transport.write_eof()

    def pause_reading(self) -> None:
        self._connection.app_reads(False)

    def resume_reading(self) -> None:
        self._connection.app_reads(True)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._connection.hand_over(protocol)

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._transport.set_write_buffer_limits(high, low)


def refusal(status: int, headers: str = "") -> bytes:
    """Return a whole answer, in the form of the API's refusals."""
    body: dict[str, Any] = {"message": REFUSALS[status]}
    if status == 400:
        body = {"message": "Validation error", "errors": [_INVALID]}
    content = json.dumps(body).encode()
    head = (
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        f"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
        f"{headers}Connection: close\r\n\r\n"
    )
    return STATUS_LINE[status] + head.encode() + content


_INVALID = {"field": "request", "message": "is not valid HTTP"}
