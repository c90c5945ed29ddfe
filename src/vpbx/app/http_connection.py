"""One HTTP connection: what stands between the network and uvicorn's protocol.

uvicorn parses whatever comes, as much as comes, for as long as it comes. Here data waits until
it is its turn, goes on in small pieces that end where a head ends, and is counted; times are
kept; and a client that is refused gets to read why before the connection closes under it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.server import ServerState

from vpbx.app.http_bounds import Connections, Turnstile, source_of
from vpbx.app.http_uvicorn import REFUSALS, Http, Reading, Side, refusal

__all__ = ["Connection", "Front"]

_END_OF_HEAD = b"\r\n\r\n"
_READ_BYTES = 16 * 1024
_TLS_GOODBYE_S = 2.0


class Front:
    """What the connections of one listener share."""

    def __init__(
        self,
        connections: Connections,
        turnstile: Turnstile,
        config: Config,
        state: ServerState,
        tls: ssl.SSLContext | None,
    ) -> None:
        self.connections = connections
        self.bounds = connections.bounds
        self.turnstile = turnstile
        self.config = config
        self.state = state
        self.tls = tls
        self.loop = asyncio.get_running_loop()
        self.buffer = memoryview(bytearray(_READ_BYTES))
        """For one read of one connection at a time; never kept."""
        self._opening: dict[asyncio.Task[None], Connection] = {}
        # What uvicorn warns of is whatever comes in from outside; it is counted instead.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)

    def take(self, accepted: socket.socket, host: str) -> None:
        """Begin with a client that was accepted, if there is room for it."""
        connection = Connection(self, source_of(host))
        if not self.connections.admit(connection):
            if self.tls is None:
                with contextlib.suppress(OSError):
                    accepted.send(refusal(503, "Retry-After: 5\r\n"))
            accepted.close()
            return
        task = self.loop.create_task(connection.open(accepted))
        connection.opening = task
        self._opening[task] = connection
        task.add_done_callback(self._opening.pop)

    def stop(self) -> None:
        """Drop those who are not yet through with TLS; the others end with their requests."""
        for connection in tuple(self._opening.values()):
            connection.dismiss()


class Connection(asyncio.BufferedProtocol):
    """A client's connection, for asyncio; a `Guest` for the turnstile and the count."""

    def __init__(self, front: Front, source: str) -> None:
        self.front = front
        self.source = source
        self.queued = False
        self.opening: asyncio.Task[None] | None = None
        """While TLS is being agreed on."""
        self._transport: asyncio.Transport | None = None
        self._protocol: asyncio.Protocol | None = None
        self._http: Http | None = None
        """`_protocol` while it speaks HTTP and not WebSocket."""
        self._pending = b""
        self._deadline = 0.0
        """For the head to be whole, or to be gone when it is closing; 0: none."""
        self._head_fed = 0
        """Bytes of a head that is not whole."""
        self._body_since = 0.0
        self._overhead = 0
        """Bytes after a head that were no body, less those a tiny chunk may cost."""
        self._unwanted = 0
        self._stalled_since = 0.0
        self._app_paused_at = 0.0
        self._reads = True
        self._is_closing = False
        self._lingers = False

    @property
    def shared(self) -> Front:
        return self.front

    # asyncio

    async def open(self, accepted: socket.socket) -> None:
        """Have asyncio speak with the client; returns when TLS stands or never will."""
        front = self.front
        limits: dict[str, Any] = {}
        if front.tls is not None:
            limits["ssl_handshake_timeout"] = front.bounds.handshake_s
            limits["ssl_shutdown_timeout"] = _TLS_GOODBYE_S
        try:
            await front.loop.connect_accepted_socket(
                lambda: self, accepted, ssl=front.tls, **limits
            )
        except OSError:  # no TLS, too slow, or gone
            pass
        finally:
            self.opening = None
            if self._transport is None:
                front.connections.leave(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self._deadline = self.front.loop.time() + self.front.bounds.head_s
        self._protocol = self._http = Http(self)
        self._http.connection_made(Side(self, self._transport))

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self.front.buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._is_closing:
            self._discard(nbytes)
            return
        data = bytes(self.front.buffer[:nbytes])
        http = self._http
        if http is None:
            if self._protocol is not None:
                self._protocol.data_received(data)
            return
        if not self._deadline and http.reading is not Reading.BODY and not http.is_answering:
            self._deadline = self.front.loop.time() + self.front.bounds.head_s
        self._pending += data
        self._control_reading()
        self.front.turnstile.enter(self)

    def eof_received(self) -> bool | None:
        if self._protocol is not None and not self._is_closing:
            return self._protocol.eof_received()
        return None

    def pause_writing(self) -> None:
        self._stalled_since = self.front.loop.time()
        if self._protocol is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._stalled_since = 0.0
        if self._protocol is not None:
            self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.front.connections.leave(self)
        self._is_closing = True
        self._end_protocol(exc)

    # the turnstile and the count

    @property
    def is_waiting(self) -> bool:
        if self._http is not None:
            return not self._http.is_answering
        return self._protocol is None

    def dismiss(self) -> None:
        self._is_closing = True
        if self._transport is not None:
            self._transport.abort()
        elif self.opening is not None:
            self.opening.cancel()

    def step(self) -> bool:
        http = self._http
        if http is None:
            return False
        piece = self._next_piece(http)
        if not piece:
            return False
        heads, body_bytes = http.heads, http.body_bytes
        was_body = http.reading is Reading.BODY
        http.data_received(piece)
        if self._http is None:
            self._hand_over_rest()
        elif not self._is_closing:
            if was_body:
                grown = http.body_bytes - body_bytes if http.heads == heads else len(piece)
                self._judge_body(len(piece), grown)
            elif http.heads == heads:
                self._head_fed += len(piece)
                if self._head_fed > self.front.bounds.head_bytes:
                    self.refuse(431)
        self._control_reading()
        return bool(self._pending)

    def look(self, now: float) -> None:
        bounds, http = self.front.bounds, self._http
        if self._is_closing:
            if self._deadline and now > self._deadline:
                self.dismiss()
        elif self._stalled_since and now - self._stalled_since > bounds.stalled_s:
            self.front.connections.refused("answer not taken", self.source)
            self.dismiss()
        elif http is None:
            pass
        elif self._deadline:
            if now > self._deadline:  # without a word: browsers connect ahead, and ask later
                self.front.connections.refused(REFUSALS[408], self.source)
                self.dismiss()
        elif http.reading is Reading.BODY and not self._app_paused_at:
            took = now - self._body_since
            if took > bounds.body_s + http.body_bytes / bounds.body_rate:
                if http.is_answering:
                    self.refuse(408)
                else:
                    self.dismiss()  # it has its answer already

    # what uvicorn's side tells

    def head_is_whole(self) -> None:
        """The head that was being read is whole; a body may follow."""
        self._deadline = 0.0
        self._head_fed = self._overhead = self._unwanted = 0
        self._body_since = self.front.loop.time()

    def answered(self) -> None:
        """An answer is out; what waited behind its request goes on."""
        if self._pending and not self._is_closing:
            if self._http is not None and self._http.reading is not Reading.BODY:
                self._deadline = self.front.loop.time() + self.front.bounds.head_s
            self.front.turnstile.enter(self)

    def app_reads(self, reads: bool) -> None:
        """Whether the application wants more of the body."""
        now = self.front.loop.time()
        if not reads:
            self._app_paused_at = self._app_paused_at or now
        elif self._app_paused_at:
            self._body_since += now - self._app_paused_at
            self._app_paused_at = 0.0
            if self._pending:
                self.front.turnstile.enter(self)
        self._control_reading()

    def hand_over(self, protocol: asyncio.BaseProtocol) -> None:
        """Let another protocol (WebSocket) have the connection from here on."""
        self._protocol, self._http = cast(asyncio.Protocol, protocol), None
        self._deadline = 0.0

    def refuse(self, status: int) -> None:
        """Answer that this goes beyond a bound, and close."""
        if self._is_closing or self._transport is None:
            return
        if status != 400:
            self.front.connections.refused(REFUSALS[status], self.source)
        if self._http is not None and self._http.has_begun_to_answer:
            self.dismiss()  # in the midst of another answer there is no room for this one
            return
        self._transport.write(refusal(status))
        self.close()
        self._end_protocol(None)

    def close(self) -> None:
        """Close when all is written; what still comes in is read a while, lest the kernel
        reset the connection and the answer be lost."""
        if self._is_closing or self._transport is None:
            return
        self._is_closing = True
        bounds = self.front.bounds
        now = self.front.loop.time()
        in_midst = self._pending or (
            self._http is not None and self._http.reading is not Reading.NOTHING
        )
        self._pending = b""
        if in_midst and not self._transport.is_closing():
            self._lingers = True
            self._deadline = now + bounds.linger_s
            if self._transport.can_write_eof():
                self._transport.write_eof()
            self._control_reading()
        else:
            self._deadline = now + bounds.stalled_s
            self._transport.close()

    # within

    def _next_piece(self, http: Http) -> bytes:
        """Return what to parse next: up to the end of a head, of a bounded size; or nothing."""
        is_body = http.reading is Reading.BODY
        if self._is_closing or (self._app_paused_at if is_body else http.is_answering):
            return b""
        data, size = self._pending, self.front.bounds.piece_bytes
        if is_body:
            size = min(size, http.awaited_bytes or size)
        else:
            end = data.find(_END_OF_HEAD, 0, size)
            size = size if end < 0 else end + len(_END_OF_HEAD)
        self._pending = data[size:]
        return data[:size]

    def _judge_body(self, fed: int, grown: int) -> None:
        bounds = self.front.bounds
        http = self._http
        assert http is not None
        self._overhead += fed - grown - 8 * grown
        if self._overhead > bounds.trailer_bytes:
            self.refuse(431)
        elif http.reading is Reading.BODY and not http.is_answering:
            self._unwanted += fed
            if self._unwanted > bounds.unwanted_bytes:
                self.front.connections.refused(REFUSALS[413], self.source)
                self.dismiss()

    def _discard(self, size: int) -> None:
        self._unwanted += size
        if self._unwanted > self.front.bounds.unwanted_bytes:
            self.dismiss()

    def _hand_over_rest(self) -> None:
        data, self._pending = self._pending, b""
        if data and self._protocol is not None and not self._is_closing:
            self._protocol.data_received(data)

    def _end_protocol(self, exc: Exception | None) -> None:
        protocol, self._protocol, self._http = self._protocol, None, None
        self._pending = b""
        if protocol is not None:
            protocol.connection_lost(exc)

    def _control_reading(self) -> None:
        transport = self._transport
        reads = self._lingers or (len(self._pending) < _READ_BYTES and not self._app_paused_at)
        if transport is None or reads == self._reads or transport.is_closing():
            return
        self._reads = reads
        if reads:
            transport.resume_reading()
        else:
            transport.pause_reading()
