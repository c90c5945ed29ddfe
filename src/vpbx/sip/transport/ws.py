"""SIP over WebSocket, RFC 7118: a browser's connection, which an HTTP server has opened.

Each message of the WebSocket is one SIP message, so nothing is framed. The HTTP server hands a
connection over as ASGI does (`scope`, `receive`, `send`), after it has checked the origin; who
calls is found out by SIP as for any phone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import structlog

from vpbx.sip.transport.base import Connection, Hop, Limits, Receiver

if TYPE_CHECKING:
    from vpbx.sip.transport.pool import Pool

log = structlog.get_logger("vpbx.sip")

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

SUBPROTOCOL = "sip"
_PING, _PONG = b"\r\n\r\n", b"\r\n"
_GOING_AWAY, _TOO_BIG, _NOT_TAKEN = 1001, 1009, 1013


class WebSocketConnection(Connection):
    """One browser's connection."""

    def __init__(self, hop: Hop, pool: Pool, receiver: Receiver) -> None:
        super().__init__(hop, asked_for=None, now=pool.now())
        self._pool = pool
        self._receiver = receiver
        self._limits: Limits = pool.limits
        self._unsent: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._unsent_bytes = 0
        self._closing = False
        self._reading: asyncio.Task[None] | None = None
        self._code = _GOING_AWAY

    def write(self, data: bytes) -> None:
        if self._closing:
            return
        self._unsent_bytes += len(data)
        if self._unsent_bytes > self._limits.unsent_bytes:
            log.info("A SIP connection is closed: its peer does not read", peer=self.hop.host)
            self.abort()
            return
        self._unsent.put_nowait(data)

    def close(self, reason: str) -> None:
        if not self._closing:
            self._closing = True
            log.debug("Closing a SIP connection", peer=self.hop.host, reason=reason)
            self._unsent.put_nowait(None)

    def abort(self) -> None:
        self._closing = True
        if self._reading is not None:
            self._reading.cancel()

    async def serve(self, receive: Receive, send: Send) -> None:
        """Carry messages both ways until one side closes."""
        writing = asyncio.create_task(self._write_all(send))
        self._reading = asyncio.create_task(self._read_all(receive))
        try:
            await asyncio.wait((self._reading, writing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._closing = True
            for task in (self._reading, writing):
                task.cancel()
            await asyncio.gather(self._reading, writing, return_exceptions=True)
            if self._pool.remove(self):
                self._receiver.connection_lost(self)
            with suppress(Exception):  # it may be closed already, in any way a server knows
                await send({"type": "websocket.close", "code": self._code})

    async def _write_all(self, send: Send) -> None:
        while (data := await self._unsent.get()) is not None:
            self._unsent_bytes -= len(data)
            try:
                await send({"type": "websocket.send", "text": data.decode()})
            except UnicodeDecodeError:
                await send({"type": "websocket.send", "bytes": data})

    async def _read_all(self, receive: Receive) -> None:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            data = text.encode() if text is not None else message.get("bytes") or b""
            if len(data) > self._limits.message_bytes:
                self._code = _TOO_BIG
                return
            if data.strip(b"\r\n"):
                # over its source's budget it is not read, as any connection
                while delay_s := self._receiver.wait_s(self.hop, data):  # noqa: ASYNC110
                    await asyncio.sleep(delay_s)
            await self._pool.turns.take(partial(self._take, data))

    def _take(self, data: bytes) -> None:
        self.heard_at = self._pool.now()
        if not data.strip(b"\r\n"):
            if data == _PING:
                self.write(_PONG)
            return
        self.heard_message = True
        self._receiver.receive(data, self.hop)


async def serve_websocket(
    pool: Pool, receiver: Receiver, scope: Message, receive: Receive, send: Send
) -> None:
    """Serve a WebSocket as an ASGI application does, from its handshake to its end.

    It must ask for the subprotocol `sip` (RFC 7118 §4), else it is refused. `scope["client"]`
    is where the browser is, `scope["scheme"]` says whether it came over TLS.
    """
    await receive()  # websocket.connect
    client = scope.get("client")
    asked = [str(name).lower() for name in scope.get("subprotocols") or ()]
    if client is None or SUBPROTOCOL not in asked:
        await send({"type": "websocket.close", "code": _NOT_TAKEN})
        return
    transport = "wss" if scope.get("scheme") == "wss" else "ws"
    hop = Hop(transport, str(client[0]), int(client[1]), pool.new_id())
    connection = WebSocketConnection(hop, pool, receiver)
    if not pool.add(connection):
        await send({"type": "websocket.close", "code": _NOT_TAKEN})
        return
    try:
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
    except BaseException:
        pool.remove(connection)
        raise
    await connection.serve(receive, send)
