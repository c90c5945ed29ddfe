"""POST over kept connections, without a session of aiohttp.

What connects (names, TLS) is aiohttp's. Left out is all it does for each request besides:
redirections, cookies, proxies, traces, a stream for the body; nothing that a command wants, and
most of what it cost. Of what is used here the connector's way to make its protocols is
aiohttp's own business and may change with a minor version; so `pyproject.toml` lets in no version
that was not tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple, cast

import aiohttp
from yarl import URL

from vpbx.crm.connection import MAX_ANSWER, MAX_HEAD, Connection, Reply

__all__ = ["MAX_ANSWER", "MAX_HEAD", "Connections", "Reply", "Target"]

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)


class Target:
    """An address to post to, with what is the same in each request to it.

    Raises ValueError for an address that cannot stand in a request.
    """

    def __init__(self, url: URL, headers: Mapping[str, str]) -> None:
        loop = asyncio.get_running_loop()
        self.host = url.host or ""
        self.request = aiohttp.ClientRequest("POST", url, headers=headers, loop=loop)
        """Says whom to connect to, and how."""
        self.key = self.request.connection_key
        """Targets of one key share connections."""
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


class _Held(NamedTuple):
    """A connection, and its face for aiohttp's connector: closing that one ends it."""

    connection: Connection
    made: aiohttp.connector.Connection


class _Kept(NamedTuple):
    held: _Held
    until: float


class Connections:
    """Makes connections and keeps those that are free, `keep_s` each; their number is bounded
    by how much is sent at the same time. `close` it at the end."""

    def __init__(self, resolver: aiohttp.abc.AbstractResolver, keep_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._keep_s = keep_s
        self._connector = aiohttp.TCPConnector(limit=0, resolver=resolver)
        make: Callable[[], Connection] = partial(Connection, self._loop)
        self._connector._factory = make  # type: ignore[assignment]
        self._free: dict[object, list[_Kept]] = {}
        """By where they lead; the one used last stands last."""
        self._sweeper: asyncio.TimerHandle | None = None

    async def post(
        self,
        target: Target,
        body: bytes,
        headers: Mapping[str, str] = MappingProxyType({}),
        *,
        deadline: float,
    ) -> Reply:
        """Return the answer, by `deadline` of the loop's time.

        Raises TimeoutError, aiohttp.ClientError, aiohttp.http.HttpProcessingError or OSError.
        """
        held = self._take(target) or await self._connect(target, deadline)
        try:
            reply = await held.connection.ask(target.message(body, headers), deadline)
        except BaseException:
            held.made.close()
            raise
        self._give_back(target, held)
        return reply

    async def close(self) -> None:
        """Close all connections."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        free, self._free = self._free, {}
        for kept in free.values():
            for each in kept:
                each.held.made.close()
        await self._connector.close()

    async def _connect(self, target: Target, deadline: float) -> _Held:
        async with asyncio.timeout_at(deadline):
            made = await self._connector.connect(target.request, [], _NO_TIMEOUT)
        return _Held(cast(Connection, made.protocol), made)

    def _take(self, target: Target) -> _Held | None:
        """Return a free connection."""
        free = self._free.get(target.key)
        while free:
            held, until = free.pop()
            if held.connection.is_open and self._loop.time() < until:
                return held
            held.made.close()
        return None

    def _give_back(self, target: Target, held: _Held) -> None:
        if not held.connection.is_open or self._connector.closed:
            held.made.close()
            return
        kept = _Kept(held, self._loop.time() + self._keep_s)
        self._free.setdefault(target.key, []).append(kept)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._keep_s, self._sweep)

    def _sweep(self) -> None:
        """Close those that nobody has used for as long as they are kept."""
        now = self._loop.time()
        left: dict[object, list[_Kept]] = {}
        for key, kept in self._free.items():
            for each in kept:
                if each.held.connection.is_open and now < each.until:
                    left.setdefault(key, []).append(each)
                else:
                    each.held.made.close()
        self._free = left
        self._sweeper = self._loop.call_later(self._keep_s, self._sweep) if left else None
