"""The RTPProxy behind the engine: in this process, or another one reached over a socket."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import itertools
import os
import socket
from collections.abc import Callable
from typing import Any

import structlog
from rtp.io import rtpproxy

from vpbx.tasks import watched

from .control import Control, Notifications, StreamControl, UdpControl, failed
from .model import MediaConfig, MediaError

log = structlog.get_logger("vpbx.media")

_A_DAY_S = 86_400
_RECONNECT_S = (0.2, 0.5, 1.0, 2.0, 5.0)


class Proxy:
    """A connection for commands and one for notifications."""

    notify_spec = ""
    """How RTPProxy is told where notifications go."""
    host = ""
    """The address media comes to, when RTPProxy knows it better than we do."""
    control: Control | None = None

    async def start(
        self, on_notification: Callable[[str], None], on_anew: Callable[[], None]
    ) -> None:
        """Connect; MediaError says why that did not work.

        `on_anew()`: there is another RTPProxy now, which knows no session of before.
        """
        raise NotImplementedError

    async def stop(self) -> None:
        """Disconnect; harmless when not connected."""
        raise NotImplementedError

    def send(self, command: str) -> asyncio.Future[str]:
        """Send a command; the future is its answer."""
        if self.control is None:
            answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            return failed(answer, "the media engine is not running")
        return self.control.send(command)


class LocalProxy(Proxy):
    """RTPProxy as threads of this process (`rtp.io`).

    It never ends a session by itself (its own time to live is set to a day): the engine
    watches for silence, because a caller who listens to ringing for two minutes is not gone.
    One that stops answering is left as it is, and another is started in its place.
    """

    def __init__(self, config: MediaConfig) -> None:
        self._config = config
        self._proxy: Any = None
        self._transports: list[asyncio.BaseTransport] = []
        self._restarting: asyncio.Task[None] | None = None
        self._on_notification: Callable[[str], None] = _nobody_listens
        self._on_anew: Callable[[], None] = _nothing

    def _create(self) -> Any:
        config = self._config
        _check(config)
        try:
            return rtpproxy(
                modules=("catch_dtmf",),
                extra_args=(
                    *("-F", "-R", "-P", "-l", config.listen_host),
                    *("-m", str(config.port_min), "-M", str(config.port_max)),
                    *("-r", str(config.record_dir), "-S", str(config.spool_dir)),
                    *("-T", str(_A_DAY_S), "-d", "err"),
                ),
            )
        except Exception as error:
            raise MediaError(
                f"RTPProxy does not start on {config.listen_host}, "
                f"ports {config.port_min}-{config.port_max}: {error}"
            ) from error

    async def start(
        self, on_notification: Callable[[str], None], on_anew: Callable[[], None]
    ) -> None:
        self._on_notification, self._on_anew = on_notification, on_anew
        await self._begin()

    async def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        self._proxy = await loop.run_in_executor(None, self._create)
        self.notify_spec = self._proxy.rtpp_nsock_spec
        transport, control = await loop.create_unix_connection(
            lambda: StreamControl(self._lost), sock=_twin(self._proxy.rtpp_sock)
        )
        self.control = control
        listener, _ = await loop.create_unix_connection(
            lambda: Notifications(self._on_notification), sock=_twin(self._proxy.rtpp_nsock)
        )
        self._transports = [transport, listener]

    def _lost(self) -> None:
        self.control = None
        if self._proxy is not None:
            log.critical(
                "RTPProxy in this process has stopped answering: it is started anew, "
                "and calls that have sound by it end"
            )
            self._leave()
            self._restarting = watched(asyncio.get_running_loop().create_task(self._restart()))

    async def _restart(self) -> None:
        for attempt in itertools.count():
            try:
                await self._begin()
            except MediaError as error:
                if attempt == 0:
                    log.error("calls have no sound until RTPProxy starts", error=str(error))
                await asyncio.sleep(_RECONNECT_S[min(attempt, len(_RECONNECT_S) - 1)])
            else:
                break
        log.info("RTPProxy in this process was started anew")
        self._on_anew()

    def _leave(self) -> None:
        proxy, self._proxy = self._proxy, None
        for transport in self._transports:
            transport.close()
        self._transports = []
        if proxy is not None:
            _never_free(proxy)

    async def stop(self) -> None:
        if self._restarting is not None:
            self._restarting.cancel()
        self.control = None
        self._leave()


class RemoteProxy(Proxy):
    """RTPProxy on its own, reached by `udp:H:P`, `tcp:H:P` or `unix:PATH` (its `-s cunix:`).

    Start it with a time to live longer than a call may be silent (`-T 86400`), and for
    digits with `-n` and the same text as `notify`.
    """

    def __init__(self, address: str, notify: str) -> None:
        self._kind, _, self._where = address.partition(":")
        if self._kind not in ("udp", "tcp", "unix") or not self._where:
            raise MediaError(f"no address of an RTPProxy: {address}")
        self.notify_spec = notify
        self._server: asyncio.Server | None = None
        self._listeners: list[Notifications] = []
        self._reconnecting: asyncio.Task[None] | None = None

    async def start(
        self, on_notification: Callable[[str], None], on_anew: Callable[[], None]
    ) -> None:
        loop = asyncio.get_running_loop()

        def listener() -> Notifications:
            self._listeners.append(Notifications(on_notification))
            return self._listeners[-1]

        kind, _, where = self.notify_spec.partition(":")
        if kind == "tcp":
            host, port = _host_port(where)
            everywhere = host == "%%CC_SELF%%"
            self._server = await loop.create_server(listener, None if everywhere else host, port)
        elif kind == "unix":
            with contextlib.suppress(FileNotFoundError):
                await loop.run_in_executor(None, os.unlink, where)
            self._server = await loop.create_unix_server(listener, where)
        try:
            self.control = await self._connect()
        except OSError as error:
            raise MediaError(f"no RTPProxy at {self._kind}:{self._where}: {error}") from error

    async def _connect(self) -> Control:
        loop = asyncio.get_running_loop()
        control: Control
        if self._kind == "unix":
            _, control = await loop.create_unix_connection(
                lambda: StreamControl(self._lost), self._where
            )
        elif self._kind == "tcp":
            _, control = await loop.create_connection(
                lambda: StreamControl(self._lost), *_host_port(self._where)
            )
        else:
            _, control = await loop.create_datagram_endpoint(
                UdpControl, remote_addr=_host_port(self._where)
            )
        return control

    def _lost(self) -> None:
        if self.control is None:
            return
        self.control = None
        log.error("lost the connection to RTPProxy", proxy=f"{self._kind}:{self._where}")
        self._reconnecting = watched(asyncio.get_running_loop().create_task(self._reconnect()))

    async def _reconnect(self) -> None:
        attempt = 0
        while self.control is None:
            await asyncio.sleep(_RECONNECT_S[min(attempt, len(_RECONNECT_S) - 1)])
            attempt += 1
            with contextlib.suppress(OSError):
                self.control = await self._connect()
        log.info("connected to RTPProxy again", proxy=f"{self._kind}:{self._where}")

    async def stop(self) -> None:
        if self._reconnecting is not None:
            self._reconnecting.cancel()
        control, self.control = self.control, None
        if control is not None:
            control.close()
        if self._server is not None:
            self._server.close()
        for listener in self._listeners:
            listener.close()


def _nobody_listens(_line: str) -> None:
    """Take a notification before there is an engine."""


def _nothing() -> None:
    """Take the news of another RTPProxy before there is an engine."""


def _check(config: MediaConfig) -> None:
    """Refuse what RTPProxy would choke on, in words of ours."""
    if not 1024 <= config.port_min < config.port_max - 2 < 65535:
        raise MediaError(f"no range of RTP ports: {config.port_min}-{config.port_max}")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((config.listen_host, 0))
    except OSError as error:
        raise MediaError(f"cannot take media on {config.listen_host}: {error}") from error


def _twin(sock: socket.socket) -> socket.socket:
    """Return a socket of our own on the same connection: closing it leaves `sock` alone."""
    twin = sock.dup()
    twin.setblocking(False)
    return twin


def _never_free(proxy: Any) -> None:
    """Leave an RTPProxy without sessions idle until the process ends.

    To free one holds up all threads for a second and (rtp.io 1.1.1) closes a file descriptor
    twice: the second time it may be that of the database. A process has one engine, so what
    is left is ten sleeping threads at the end of its life.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(proxy))


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise MediaError(f"no HOST:PORT: {text}")
    return host, int(port)
