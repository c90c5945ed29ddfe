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
from typing import cast

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
        self.origin = str(url.origin())
        """Targets of one origin share connections."""
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


class Connections:
    """Makes connections and keeps those that are free, `keep_s` each; their number is bounded
    by how much is sent at the same time. `close` it at the end."""

    def __init__(self, resolver: aiohttp.abc.AbstractResolver, keep_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._keep_s = keep_s
        self._connector = aiohttp.TCPConnector(limit=0, resolver=resolver)
        make: Callable[[], Connection] = partial(Connection, self._loop)
        self._connector._factory = make  # type: ignore[assignment]
        self._closed = False
        self._free: dict[str, list[Connection]] = {}
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
        connection = self._take(target) or await self._connect(target, deadline)
        try:
            reply = await connection.ask(target.message(body, headers), deadline)
        except BaseException:
            connection.let_go()
            raise
        if connection.is_open and not self._closed:
            self._keep(target, connection)
        else:
            connection.let_go()
        return reply

    async def close(self) -> None:
        """Close all connections."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for free in self._free.values():
            for connection in free:
                connection.let_go()
        self._free.clear()
        await self._connector.close()

    async def _connect(self, target: Target, deadline: float) -> Connection:
        async with asyncio.timeout_at(deadline):
            made = await self._connector.connect(target.request, [], _NO_TIMEOUT)
        connection = cast(Connection, made.protocol)
        connection.let_go = made.close
        return connection

    def _take(self, target: Target) -> Connection | None:
        """Return a free connection."""
        free = self._free.get(target.origin)
        while free:
            connection = free.pop()
            if connection.is_open and self._loop.time() < connection.free_until:
                return connection
            connection.let_go()
        return None

    def _keep(self, target: Target, connection: Connection) -> None:
        connection.free_until = self._loop.time() + self._keep_s
        self._free.setdefault(target.origin, []).append(connection)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._keep_s, self._sweep)

    def _sweep(self) -> None:
        """Close those that nobody has used for as long as they are kept."""
        now = self._loop.time()
        left: dict[str, list[Connection]] = {}
        for origin, free in self._free.items():
            for connection in free:
                if connection.is_open and now < connection.free_until:
                    left.setdefault(origin, []).append(connection)
                else:
                    connection.let_go()
        self._free = left
        self._sweeper = self._loop.call_later(self._keep_s, self._sweep) if left else None
