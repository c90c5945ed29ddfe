"""SIP over TCP, and over TLS, which is TCP with an `ssl.SSLContext`."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import structlog

from vpbx.clock import Timer
from vpbx.sip.transport.base import Connection, Hop, Limits, Receiver
from vpbx.sip.transport.framing import Framer, Unframable

if TYPE_CHECKING:
    from vpbx.sip.transport.pool import Pool

log = structlog.get_logger("vpbx.sip")

_MESSAGES_A_TURN = 16
_BYTES_A_TURN = 65536
"""What one connection brings is taken so much at a time; then the others have their turn."""


class StreamConnection(asyncio.Protocol, Connection):
    """One TCP or TLS connection, in either direction.

    While messages that have come wait for their turn, or for their source's budget, nothing
    more is read: the peer has to wait too.
    """

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
        self._waiting: bytes | None = None
        """The next message, when it has to wait for its turn."""
        self._turn: Timer | None = None
        """When what is over its budget is looked at again; while it is set, nothing is read."""
        self._queued = False
        """Whether it stands in the queue for its turn."""
        self._paused = False

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
        self.heard_at = self._pool.now()
        self._framer.add(data)
        if self._turn is None and not self._queued:
            self._queue()
        elif not self._paused and self._transport is not None:
            self._transport.pause_reading()  # it has not had its turn yet, and sends more
            self._paused = True

    def _queue(self) -> None:
        self._queued = True
        self._pool.turns.enter(self._take_waiting)

    def _take_waiting(self) -> None:
        """Take what waits, as far as turn and budget allow, and see to the rest."""
        self._turn, self._queued = None, False
        if self._closing:
            return
        try:
            delay_s = self._take_some()
        except Unframable as error:
            self._receiver.receive_broken(error.head, self.hop, error.code, error.reason)
            self.close(error.reason)
            return
        transport = self._transport
        if self._closing or transport is None:
            return
        if self._framer.pings:
            transport.write(b"\r\n" * min(self._framer.pings, _MESSAGES_A_TURN))
            self._framer.pings = 0
        if self._waiting is not None:
            if delay_s:
                self._turn = self._pool.later(delay_s, self._wake)
            else:
                self._queue()
            transport.pause_reading()
            self._paused = True
            self.half_since = None
            return
        if self._paused:
            self._paused = False
            transport.resume_reading()
        if not self._framer.inside:
            self.half_since = None
        elif self.half_since is None:
            self.half_since = self._pool.now()

    def _wake(self) -> None:
        self._turn = None
        self._queue()

    def _take_some(self) -> float:
        """Take at most a turn's messages; return how long the next has to wait."""
        receiver, framer = self._receiver, self._framer
        taken = size = 0
        while (message := self._waiting or framer.take()) is not None:
            self._waiting = message
            self.half_since = None
            if taken >= _MESSAGES_A_TURN or size >= _BYTES_A_TURN:
                return 0.0
            delay_s = receiver.wait_s(self.hop, message)
            if delay_s:
                return delay_s
            self._waiting = None
            taken, size = taken + 1, size + len(message)
            self.heard_message = True
            receiver.receive(message, self.hop)
        return 0.0

    def eof_received(self) -> None:
        """Take what a peer said last before it hung up (a BYE, an answer)."""
        with suppress(Unframable):
            self._take_some()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._queued and not self._closing:
            self.eof_received()
        self._closing = True
        self._transport = None
        self._waiting = None
        if self._turn is not None:
            self._turn.cancel()
        if self._pool.remove(self):
            self._receiver.connection_lost(self)
