"""POST over aiohttp's connections, without its session.

What connects (names, TLS), keeps connections and reads answers is aiohttp. Left out is
`ClientSession`, which for each request prepares redirections, cookies, proxies and traces, and
makes a task for the body: nothing that a command wants, and half of what it cost. Of what is
used here, all but the connector's and the request's faces is aiohttp's own business and may
change with a minor version; so `pyproject.toml` lets in no version that was not tried.

Who answers may be anybody, so an answer is bounded where its bytes come in: so many of them
before and in its head, interim answers (`100 Continue`) included, so many of its body, however
it is cut into chunks; and what comes between two answers ends the connection. How long all of
it takes is up to the caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError
from yarl import URL

__all__ = ["MAX_ANSWER", "Reply", "Target", "connector", "post"]

MAX_ANSWER = 65_536
MAX_HEAD = 16_384
MAX_INTERIM = 8
_MAX_WIRE = MAX_ANSWER + 32_768
"""Bytes of a body with what its chunks need; a body of crumbs is cut off by it."""
_PIECE = 2048

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)
_SWITCHING_PROTOCOLS = 101


class Reply(NamedTuple):
    """An answer: its status, at most `MAX_ANSWER` bytes of its body, and their charset."""

    status: int
    body: bytes
    charset: str


class Target:
    """An address to post to, with what is the same in each request to it.

    Raises ValueError for an address that cannot stand in a request.
    """

    def __init__(self, url: URL, headers: Mapping[str, str]) -> None:
        loop = asyncio.get_running_loop()
        self.host = url.host or ""
        self.request = aiohttp.ClientRequest("POST", url, headers=headers, loop=loop)
        """Says whom to connect to, and how."""
        lines = [f"POST {url.raw_path_qs} HTTP/1.1"]
        for name, value in self.request.headers.items():
            if name != "Content-Length":  # of each body its own
                lines.append(f"{name}: {value}")
        if not all(line.isascii() and line.isprintable() for line in lines):
            raise ValueError("no address for a request")
        self._head = "\r\n".join(lines)

    def message(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        """Return the whole request, to be sent at once; `headers` are of this one alone."""
        own = "".join([f"\r\n{name}: {value}" for name, value in headers.items()])
        return f"{self._head}{own}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class _Handler(ResponseHandler):
    """A connection that reads no more of an answer than it may have."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._asked = False
        self._has_head = False
        self._interim = 0
        self._left = 0

    def begin(self) -> None:
        """Expect the answer to a request."""
        self._asked, self._has_head = True, False
        self._interim, self._left = 0, MAX_HEAD
        self.set_response_params(read_until_eof=True, auto_decompress=False)

    def data_received(self, data: bytes) -> None:
        if not self._asked:
            self._refuse("the peer speaks unasked")
            return
        at = 0
        while not self._has_head and at < len(data):
            if self._left <= 0 or self._interim > MAX_INTERIM:
                self._refuse("the answer has no end of heads")
                return
            piece = data[at : at + min(_PIECE, self._left)]
            at += len(piece)
            self._left -= len(piece)
            super().data_received(piece)
            if self.transport is None or self.exception() is not None:
                return
            if self._has_head:
                self._left = _MAX_WIRE
        rest = data[at : at + self._left] if at or len(data) > self._left else data
        if rest or not data:
            self._left -= len(rest)
            super().data_received(rest)
        if at + len(rest) < len(data):
            self._cut_off()

    def feed_data(self, data: tuple[Any, Any], size: int = 0) -> None:
        """Take an answer; the interim ones are only counted."""
        code = data[0].code
        if code < 200 and code != _SWITCHING_PROTOCOLS:
            self._interim += 1
            return
        if self._has_head:
            self._refuse("more than one answer")
            return
        self._has_head = True
        super().feed_data(data, size)

    def finish(self) -> None:
        """Expect nothing until `begin`."""
        self._asked = False

    def _refuse(self, why: str) -> None:
        self.force_close()
        if self.transport is not None:
            self.transport.abort()
        self.set_exception(HttpProcessingError(message=why))

    def _cut_off(self) -> None:
        """Enough of a body; what there is of it counts."""
        self.force_close()
        payload = self._payload
        if self.transport is not None:
            self.transport.abort()
        if payload is not None and not payload.is_eof():
            payload.feed_eof()


def connector(resolver: aiohttp.abc.AbstractResolver, keep_s: float) -> aiohttp.TCPConnector:
    """Return what makes and keeps connections for `post`; their number is bounded elsewhere."""
    made = aiohttp.TCPConnector(limit=0, keepalive_timeout=keep_s, resolver=resolver)
    handler: Callable[[], ResponseHandler] = partial(_Handler, asyncio.get_running_loop())
    made._factory = handler  # type: ignore[assignment]
    return made


async def post(
    connector: aiohttp.TCPConnector,
    target: Target,
    body: bytes,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Reply:
    """Return the answer.

    Raises aiohttp.ClientError, aiohttp.http.HttpProcessingError or OSError.
    """
    connection = await connector.connect(target.request, [], _NO_TIMEOUT)
    try:
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None:
            raise aiohttp.ServerDisconnectedError
        assert isinstance(protocol, _Handler)
        protocol.begin()
        transport.write(target.message(body, headers))
        head, content = await protocol.read()
        answer = await _read(content)
        protocol.finish()
    except BaseException:
        connection.close()
        raise
    connection.release()  # kept for the next request, or closed where there can be none
    return Reply(head.code, answer, _charset(head.headers.get("Content-Type", "")))


async def _read(content: aiohttp.StreamReader) -> bytes:
    answer = b""
    while len(answer) < MAX_ANSWER and not content.at_eof():
        answer += await content.read(MAX_ANSWER - len(answer))
    return answer


def _charset(content_type: str) -> str:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'")[:40]
    return ""
