"""One kept connection to a CRM: a request goes out, its answer comes in, bounded.

Who answers may be anybody, so an answer is bounded where its bytes come in: so many of them
before and in its head, interim answers (`100 Continue`) included, so many of its body, however
it is cut into chunks; and what comes between two answers ends the connection.

How long an answer may take is looked at by one timer a connection. It is left running when an
answer is there in time, as nearly all are, and finds out when it fires whether anything is due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import aiohttp
from aiohttp.http import HttpProcessingError
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

__all__ = ["MAX_ANSWER", "MAX_HEAD", "Connection", "Reply"]

MAX_ANSWER = 65_536
MAX_HEAD = 16_384
MAX_INTERIM = 8
_MAX_WIRE = MAX_ANSWER + 32_768
"""Bytes of a body with what its chunks need; a body of crumbs is cut off by it."""
_PIECE = 2048
_SWITCHING_PROTOCOLS = 101


class Reply(NamedTuple):
    """An answer: its status, at most `MAX_ANSWER` bytes of its body, and their charset."""

    status: int
    body: bytes
    charset: str


class Connection(asyncio.Protocol):
    """A connection to a CRM; `ask` it when it `is_open`. Methods without a docstring are called
    by asyncio and by the parser; `close`, `abort`, `closed` and `should_close` also by aiohttp's
    connector, which makes connections and wants to know of all it has made.
    """

    should_close = True

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.transport: asyncio.Transport | None = None
        self.let_go: Callable[[], None] = self.close
        """Ends it, and tells whoever made it."""
        self.free_until = 0.0
        """How long it is kept while nobody uses it, by the loop's time."""
        self._loop = loop
        self._reply: asyncio.Future[Reply] | None = None
        """Waits for the answer; None: none was asked for."""
        self._parser: HttpResponseParser | None = None
        self._lost = False
        self._until_lost: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._expect()

    @property
    def is_open(self) -> bool:
        """Whether it can take a request."""
        return self.transport is not None and not self.transport.is_closing()

    @property
    def closed(self) -> asyncio.Future[None] | None:
        """Is done when the connection is lost; None: it was before."""
        if self._until_lost is None and not self._lost:
            self._until_lost = self._loop.create_future()
        return self._until_lost

    async def ask(self, message: bytes, deadline: float) -> Reply:
        """Send a request and return the answer. It ends the connection where it is no HTTP, goes
        on, or says that it does.

        Raises TimeoutError after `deadline` (of the loop's time), aiohttp.ClientError or
        HttpProcessingError.
        """
        if self.transport is None:
            raise aiohttp.ServerDisconnectedError
        self._expect()
        reply: asyncio.Future[Reply] = self._loop.create_future()
        self._reply = reply
        self._watch(deadline)
        self.transport.write(message)
        return await reply

    def close(self) -> None:
        """End the connection."""
        transport = self._leave()
        if transport is not None:
            transport.close()

    def abort(self) -> None:
        """End the connection at once, whatever is under way on it."""
        transport = self._leave()
        if transport is not None:
            transport.abort()

    def _leave(self) -> asyncio.Transport | None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        transport, self.transport = self.transport, None
        return transport

    def _expect(self) -> None:
        self._has_head = self._has_end = self._has_length = self._keeps = False
        self._interim, self._left = 0, MAX_HEAD
        self._status, self._content_type = 0, b""
        self._body: list[bytes] = []
        self._room = MAX_ANSWER

    # -- time

    def _watch(self, deadline: float) -> None:
        self._deadline = deadline
        if self._timer is not None and self._timer.when() > deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._reply is None:
            return
        if self._loop.time() < self._deadline:
            self._watch(self._deadline)
        else:
            self._fail(TimeoutError())

    # -- what comes in

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        if self._reply is None:
            self.abort()
            return
        try:
            self._take(data)
        except HttpParserUpgrade:
            self._finish(keep=False)
        except HttpParserError:
            self._fail(HttpProcessingError(message="the answer is no HTTP"))

    def _take(self, data: bytes) -> None:
        parser = self._parser or self._new_parser()
        at = 0
        while not self._has_head and at < len(data):
            if self._left <= 0 or self._interim > MAX_INTERIM:
                self._fail(HttpProcessingError(message="the answer has no end of heads"))
                return
            piece = data[at : at + min(_PIECE, self._left)]
            at += len(piece)
            self._left -= len(piece)
            parser.feed_data(piece)
            if self._has_head:
                self._left = _MAX_WIRE
        if at < len(data):
            rest = data[at : at + self._left]
            self._left -= len(rest)
            parser.feed_data(rest)
        if self._has_end:
            self._finish(keep=self._keeps)
        elif self._has_head and (self._room <= 0 or self._left <= 0):
            self._finish(keep=False)  # enough of a body; what there is of it counts

    def _new_parser(self) -> HttpResponseParser:
        parser = self._parser = HttpResponseParser(self)
        parser.set_dangerous_leniencies(  # as aiohttp is: there are such CRMs
            lenient_headers=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )
        return parser

    def on_message_begin(self) -> None:
        if self._has_end:  # more than was asked for
            self._keeps = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._has_head:
            return
        match name.lower():
            case b"content-type":
                self._content_type = value
            case b"content-length":
                self._has_length = True
            case b"transfer-encoding":
                self._has_length = value.lower().rstrip().endswith(b"chunked")

    def on_headers_complete(self) -> None:
        if self._has_head or self._parser is None:
            return
        status = self._parser.get_status_code()
        if status < 200 and status != _SWITCHING_PROTOCOLS:
            self._interim += 1
            self._has_length, self._content_type = False, b""
            return
        self._has_head, self._status = True, status
        self._keeps = self._parser.should_keep_alive() and status != _SWITCHING_PROTOCOLS

    def on_body(self, piece: bytes) -> None:
        if self._room > 0 and not self._has_end:
            self._body.append(piece[: self._room])
            self._room -= len(piece)

    def on_message_complete(self) -> None:
        self._has_end = self._has_head

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        self._leave()
        if self._until_lost is not None and not self._until_lost.done():
            self._until_lost.set_result(None)
        if self._reply is None:
            return
        if self._has_head and not self._has_length:
            self._finish(keep=False)  # as such an answer ends
        elif self._has_head:
            self._fail(aiohttp.ClientPayloadError("the answer is not whole"))
        elif error is None:
            self._fail(aiohttp.ServerDisconnectedError())
        elif isinstance(error, OSError):
            self._fail(aiohttp.ClientOSError(*error.args))
        else:
            self._fail(error)

    def _finish(self, *, keep: bool) -> None:
        """The answer is there."""
        reply, self._reply = self._reply, None
        if not keep:
            self.close()
        if reply is not None and not reply.done():
            charset = _charset(self._content_type) if b";" in self._content_type else ""
            reply.set_result(Reply(self._status, b"".join(self._body), charset))
        self._body.clear()

    def _fail(self, error: Exception) -> None:
        """There will be no answer."""
        reply, self._reply = self._reply, None
        self.abort()
        if reply is not None and not reply.done():
            reply.set_exception(error)


def _charset(content_type: bytes) -> str:
    for parameter in content_type.decode("latin-1").split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'")[:40]
    return ""
