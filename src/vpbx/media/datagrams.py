"""A socket of ours for datagrams, which is closed whenever its owner says so."""

from __future__ import annotations

import asyncio
from typing import cast

from .listeners import Address

__all__ = ["Datagrams"]


class Datagrams(asyncio.DatagramProtocol):
    """A protocol that opens its own socket and closes it; also while it is being opened.

    Whoever waits for that may be cancelled, and uvloop then leaves the socket open.
    """

    _transport: asyncio.DatagramTransport | None = None
    _closed = False

    async def listen(self, host: str) -> None:
        """Open a socket on a free port; OSError if that cannot be."""
        loop = asyncio.get_running_loop()
        try:
            await loop.create_datagram_endpoint(lambda: self, local_addr=(host, 0))
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> Address:
        """Where it listens."""
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")[:2]
        return host, port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket, unless it is not wanted any more."""
        self._transport = cast(asyncio.DatagramTransport, transport)
        if self._closed:
            transport.close()

    def send(self, data: bytes, to: Address) -> None:
        """Send a datagram."""
        if self._transport is not None:
            self._transport.sendto(data, to)

    def close(self) -> None:
        """Listen no more; idempotent."""
        self._closed = True
        if self._transport is not None:
            self._transport.close()
