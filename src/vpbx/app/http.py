"""HTTP listeners inside the server's own loop, and metrics for whoever sits on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from typing import Any, TypeAlias

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from vpbx.app.http_bounds import Bounds, Connections, Turnstile
from vpbx.app.http_connection import Front
from vpbx.config import Endpoint

__all__ = ["AsgiApp", "HttpListener", "with_metrics"]

_Message: TypeAlias = MutableMapping[str, Any]
AsgiApp: TypeAlias = Callable[
    [_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]],
    Awaitable[None],
]
_FORWARDED = (b"x-forwarded-", b"forwarded", b"via")
_STOP_S = 1
"""What a running request gets to finish when the server stops."""


_WEBSOCKET_BYTES = 1024 * 1024
_LOOK_S = 0.5
"""How often times that ran out are looked for."""


class _Server(uvicorn.Server):
    """A uvicorn behind `Connection`, which leaves the signals alone and says when it listens."""

    def __init__(
        self, config: uvicorn.Config, connections: Connections, tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self._connections = connections
        self._tls = tls

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, as uvicorn would, but with our connections before its protocol."""
        assert sockets is not None
        loop = asyncio.get_running_loop()
        await self.lifespan.startup()
        connections = self._connections
        self._front = front = Front(
            connections,
            Turnstile(connections.bounds, loop),
            self.config,
            self.server_state,
            self._tls,
        )
        self.servers = []
        self._doors = [_Door(bound, front) for bound in sockets]
        self.started = True
        self._looking = loop.call_later(_LOOK_S, self._look)
        self.up.set()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._connections.look(loop.time())
        self._looking = loop.call_later(_LOOK_S, self._look)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._looking.cancel()
        for door in self._doors:
            door.close()
        self._front.stop()
        await super().shutdown(sockets)


class _Door:
    """Accepts clients, a few in each turn of the loop, and none while files run short."""

    PAUSE_S = 0.2

    def __init__(self, listening: socket.socket, front: Front) -> None:
        listening.setblocking(False)
        self._listening = listening
        self._front = front
        # Agreeing on TLS costs as much as a request.
        self._at_once = 2 if front.tls is not None else 8
        self._again: asyncio.TimerHandle | None = None
        front.loop.add_reader(listening, self._accept)

    def close(self) -> None:
        """Accept no more; the socket stays with its owner."""
        if self._again is not None:
            self._again.cancel()
        self._front.loop.remove_reader(self._listening)

    def _accept(self) -> None:
        for _ in range(self._at_once):
            try:
                client, peer = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._pause()
                return
            with contextlib.suppress(OSError):
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setblocking(False)
            self._front.take(client, peer[0])

    def _pause(self) -> None:
        """Leave those that wait to the kernel: no file is free, and trying is all we would do."""
        self._front.connections.refused("open files", "")
        loop = self._front.loop
        loop.remove_reader(self._listening)
        self._again = loop.call_later(self.PAUSE_S, loop.add_reader, self._listening, self._accept)


class HttpListener:
    """One address that answers HTTP, or HTTPS where `tls` is given."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        tls: ssl.SSLContext | None = None,
        connections: Connections | None = None,
    ) -> None:
        self.endpoint = endpoint
        """Where it listens; the real port once bound."""
        self._tls = tls
        self._connections = Connections(Bounds()) if connections is None else connections
        self._bound: socket.socket | None = None
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    def bind(self) -> None:
        """Take the address, without answering yet; `OSError` when it cannot be had."""
        family = socket.AF_INET6 if ":" in self.endpoint.host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self.endpoint.host, self.endpoint.port))
            bound.listen(self._connections.bounds.backlog)
        except OSError:
            bound.close()
            raise
        self._bound = bound
        self.endpoint = Endpoint(self.endpoint.host, bound.getsockname()[1])

    async def start(self, app: AsgiApp) -> None:
        """Answer by `app` from now on, also those who have been waiting since `bind`."""
        assert self._bound is not None
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # whom to believe is decided in one place: the API's gate
            timeout_graceful_shutdown=_STOP_S,
            timeout_keep_alive=round(self._connections.bounds.idle_s),
            ws_max_size=_WEBSOCKET_BYTES,
            ws_per_message_deflate=False,  # SIP is short; each would hold 300 KB for it
        )
        self._server = server = _Server(config, self._connections, self._tls)
        self._task = asyncio.create_task(server.serve(sockets=[self._bound]), name="vpbx-http")
        up = asyncio.create_task(server.up.wait())
        await asyncio.wait((up, self._task), return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if self._task.done():
            await self._task

    async def stop(self) -> None:
        """Take no more requests, and let those that run end."""
        if self._task is not None and self._server is not None:
            self._server.should_exit = True
            await asyncio.wait((self._task,), timeout=_STOP_S + 1)
            self._task.cancel()
            self._task = None
        if self._bound is not None:
            self._bound.close()


def with_metrics(app: AsgiApp, registry: CollectorRegistry) -> AsgiApp:
    """Answer `GET /metrics` to loopback clients, and leave the rest to `app`."""

    async def handle(
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http" or scope["path"] != "/metrics" or not _is_local(scope):
            await app(scope, receive, send)
            return
        body = generate_latest(registry)
        headers = [(b"content-type", CONTENT_TYPE_LATEST.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return handle


def _is_local(scope: _Message) -> bool:
    """Whether somebody on this machine asks, and not a proxy here for somebody elsewhere."""
    client = scope.get("client")
    if any(name.startswith(_FORWARDED) for name, _value in scope["headers"]):
        return False
    try:
        return client is not None and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False
