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


class _Server(uvicorn.Server):
    """A uvicorn that leaves the signals alone and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


class HttpListener:
    """One address that answers HTTP, or HTTPS where `tls` is given."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.endpoint = endpoint
        """Where it listens; the real port once bound."""
        self._tls = tls
        self._bound: socket.socket | None = None
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    def bind(self) -> None:
        """Take the address, without answering yet; `OSError` when it cannot be had."""
        family = socket.AF_INET6 if ":" in self.endpoint.host else socket.AF_INET
        # Named so that asyncio sees TCP and sends small answers at once (TCP_NODELAY).
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self.endpoint.host, self.endpoint.port))
            bound.listen()
        except OSError:
            bound.close()
            raise
        self._bound = bound
        self.endpoint = Endpoint(self.endpoint.host, bound.getsockname()[1])

    async def start(self, app: AsgiApp) -> None:
        """Answer by `app` from now on, also those who have been waiting since `bind`."""
        assert self._bound is not None
        tls = self._tls
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # whom to believe is decided in one place: the API's gate
            timeout_graceful_shutdown=_STOP_S,
            ssl_context_factory=None if tls is None else lambda _config, _default: tls,
        )
        self._server = server = _Server(config)
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
