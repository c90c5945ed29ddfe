"""SIP over TCP, and over TLS, which is TCP with an `ssl.SSLContext`."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import structlog

from .base import Connection, Hop, Limits, Receiver
from .framing import Framer, Unframable

if TYPE_CHECKING:
    from .pool import Pool

log = structlog.get_logger("vpbx.sip")


class StreamConnection(asyncio.Protocol, Connection):
    """One TCP or TLS connection, in either direction."""

    def __init__(
        self, transport_name: str, pool: Pool, receiver: Receiver, asked_for: Hop | None = None
    ) -> None:
        hop = Hop(transport_name, "", 0)
        Connection.__init__(self, hop, asked_for=asked_for, now=pool.now())
        self._pool = pool
        self._receiver = receiver
        self._limits: Limits = pool.limits
        self._framer = Framer(self._limits.message_bytes)
        self._transport: asyncio.Transport | None = None
        self._closing = False

    def write(self, data: bytes) -> None:
        if self._transport is None or self._closing:
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > self._limits.unsent_bytes:
            log.info("A SIP connection is closed: its peer does not read", peer=self.hop.host)
            self.abort()

    def close(self, reason: str) -> None:
        if not self._closing and self._transport is not None:
            self._closing = True
            log.debug("Closing a SIP connection", peer=self.hop.host, reason=reason)
            self._transport.close()

    def abort(self) -> None:
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        if not peer:  # it has gone while it was being accepted
            self.abort()
            return
        sock = transport.get_extra_info("socket")
        if sock is not None:
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.hop = Hop(self.hop.transport, peer[0], peer[1], self._pool.new_id())
        if not self._pool.add(self):
            self.abort()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        now = self._pool.now()
        self.heard_at = now
        framer = self._framer
        try:
            messages = framer.feed(data)
        except Unframable as error:
            self._receiver.receive_broken(error.head, self.hop, error.code, error.reason)
            self.close(error.reason)
            return
        if framer.pings and self._transport is not None:
            self._transport.write(b"\r\n" * framer.pings)
            framer.pings = 0
        for message in messages:
            self.heard_message = True
            self._receiver.receive(message, self.hop)
        if not framer.inside:
            self.half_since = None
        elif messages or self.half_since is None:
            self.half_since = now

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._transport = None
        if self._pool.remove(self):
            self._receiver.connection_lost(self)
