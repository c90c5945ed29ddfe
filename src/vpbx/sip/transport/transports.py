"""All transports behind one `send`: sockets, connections opened when needed, names resolved."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog

from vpbx.addresses import is_address
from vpbx.clock import Clock
from vpbx.sip.transport.base import Connection, Hop, Limits, Listen, Receiver
from vpbx.sip.transport.door import Door
from vpbx.sip.transport.pool import Pool
from vpbx.sip.transport.tcp import StreamConnection
from vpbx.sip.transport.udp import UdpSocket
from vpbx.sip.transport.ws import Message, Receive, Send, serve_websocket
from vpbx.tasks import watched

Key = TypeVar("Key")
Value = TypeVar("Value")

log = structlog.get_logger("vpbx.sip")

_ANY = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
_SECURE = frozenset(("tls", "wss"))
_PORTS = {"tls": 5061, "ws": 80, "wss": 443}
_KNOWN_HOSTS = 4096
_TRY_S = 0.5
_UNANSWERED_S = 3600.0
_MAX_WAITING = 64
"""Messages that wait for one connection to open."""


class Transports:
    """Listens, sends and receives; what comes in goes to the receiver."""

    def __init__(
        self,
        listens: tuple[Listen, ...],
        receiver: Receiver,
        clock: Clock,
        *,
        limits: Limits,
        advertise: str = "",
        tls_client: ssl.SSLContext | None = None,
        tap: Callable[[bool, bytes, Hop], None] | None = None,
    ) -> None:
        self.listens: tuple[Listen, ...] = ()
        self.pool = Pool(clock, limits)
        self._wanted = listens
        self._receiver = receiver
        self._clock = clock
        self._limits = limits
        self._advertise = advertise
        self._tls_client = tls_client
        self._tap = tap
        self._udp: list[UdpSocket] = []
        self._doors: list[Door] = []
        self._opening: dict[Hop, list[tuple[bytes, Callable[[str], None] | None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._unanswered: dict[Hop, float] = {}
        self._ways: dict[str, UdpSocket] = {}
        """By which socket each address is reached, where a hop names none."""
        self._locals: dict[tuple[str, str, int], tuple[str, int]] = {}
        """Our address towards others, by their transport and address, and for UDP the socket."""
        self._outside: dict[str, bool] = {}
        self._sources: dict[str, str] = {}

    async def start(self) -> None:
        """Open all sockets; `OSError` when one cannot be, and then none stays open."""
        bound: list[Listen] = []
        try:
            for listen in self._wanted:
                open_one = self._listen_udp if listen.transport == "udp" else self._listen_stream
                host, port = await open_one(listen)
                bound.append(Listen(listen.transport, host, port, listen.tls))
        except OSError:
            await self.stop()
            raise
        self.listens = tuple(bound)
        self._locals.clear()  # what was found before did not know all of them

    async def _listen_udp(self, listen: Listen) -> tuple[str, int]:
        several = sum(one.transport == "udp" for one in self._wanted) > 1
        udp = UdpSocket(self._receiver, self.pool.new_id() if several else 0)
        await udp.open(listen.host, listen.port)
        self._udp.append(udp)
        return udp.host, udp.port

    async def _listen_stream(self, listen: Listen) -> tuple[str, int]:
        secure = listen.transport in _SECURE
        if secure and listen.tls is None:
            raise OSError("listening for TLS needs a certificate")
        door = await Door.open(
            listen.host,
            listen.port,
            lambda: StreamConnection(listen.transport, self.pool, self._receiver),
            listen.tls if secure else None,
            self._limits,
        )
        self._doors.append(door)
        return door.address

    async def stop(self) -> None:
        """Close everything; messages already written to connections still go out."""
        for door in self._doors:
            door.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self.pool.close_all()
        for _ in range(20):
            if not len(self.pool):
                break
            await asyncio.sleep(0.005)
        self.pool.abort_all()
        for udp in self._udp:
            udp.close()
        self._ways.clear()
        self._doors.clear()
        self._udp.clear()
        # Transports close in the next round of the loop.
        await asyncio.sleep(0)

    async def serve_websocket(self, scope: Message, receive: Receive, send: Send) -> None:
        """Carry SIP over a WebSocket that an HTTP server has taken (see `ws`)."""
        await serve_websocket(self.pool, self._receiver, scope, receive, send)

    def send(self, data: bytes, hop: Hop, failed: Callable[[str], None] | None = None) -> None:
        """Send a message; `failed` is called, later, with the reason if it cannot be."""
        if self._tap is not None:
            self._tap(True, data, hop)
        by_any = hop.transport == "udp" and not hop.connection
        if by_any and (way := self._ways.get(hop.host)) is not None:
            if problem := way.send(data, hop.host, hop.port):
                self._fail(failed, problem)
        elif not self.is_direct(hop):
            self._run(self._resolve_and_send(data, hop, failed))
        elif hop.transport == "udp":
            self._send_datagram(data, hop, failed)
        elif (connection := self.pool.find(hop)) is not None:
            connection.write(data)
        else:
            self._open_and_send(data, hop, failed)

    def _send_datagram(self, data: bytes, hop: Hop, failed: Callable[[str], None] | None) -> None:
        """Send a datagram by the socket that its hop asks for, or that fits."""
        udp = self._udp_socket(hop)
        if udp is not None and not hop.connection:
            _keep(self._ways, hop.host, udp)
        problem = udp.send(data, hop.host, hop.port) if udp else "no UDP socket of this kind"
        if problem:
            self._fail(failed, problem)

    def is_direct(self, hop: Hop) -> bool:
        """Say whether `send` need not resolve a name; connections resolve theirs themselves.

        (TLS must know the name to check the certificate by it.)
        """
        return hop.transport != "udp" or is_address(hop.host)

    def connection(self, hop: Hop) -> Connection | None:
        """Return the open connection that `send` would use."""
        return self.pool.find(hop)

    async def can_connect(self, hop: Hop) -> bool:
        """Try for half a second to open a connection to `hop`, for later messages to use.

        A place that did not answer is not tried again for an hour.
        """
        if self.pool.find(hop) is not None:
            return True
        if self._clock.now() < self._unanswered.get(hop, 0.0):
            return False
        try:
            await asyncio.wait_for(self._connect(hop), _TRY_S)
        except (OSError, UnicodeError):
            _keep(self._unanswered, hop, self._clock.now() + _UNANSWERED_S)
            return False
        return True

    def _fail(self, failed: Callable[[str], None] | None, reason: str) -> None:
        if failed is not None:
            self._clock.call_later(0, lambda: failed(reason))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run the rare work that must wait (never one task per message on an open way)."""
        task = watched(asyncio.get_running_loop().create_task(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def resolve(self, hop: Hop) -> Hop:
        """Return a UDP hop with an address in place of a name; `OSError` when there is none."""
        if self.is_direct(hop):
            return hop
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(hop.host, hop.port, type=socket.SOCK_DGRAM)
        except UnicodeError as error:
            raise OSError(f"bad host name: {error}") from error
        families = {udp.family for udp in self._udp}
        for family, _, _, _, address in found:
            if family in families:
                return Hop(hop.transport, str(address[0]), hop.port, hop.connection)
        raise OSError("no address of a usable family")

    async def _resolve_and_send(
        self, data: bytes, hop: Hop, failed: Callable[[str], None] | None
    ) -> None:
        try:
            resolved = await self.resolve(hop)
        except OSError as error:
            self._fail(failed, f"cannot resolve {hop.host}: {error}")
        else:
            self.send(data, resolved, failed)

    def _open_and_send(self, data: bytes, hop: Hop, failed: Callable[[str], None] | None) -> None:
        if hop.transport not in ("tcp", "tls"):
            # A browser can only be reached by the connection it opened.
            self._fail(failed, "the connection is gone")
            return
        place = Hop(hop.transport, hop.host, hop.port, name=hop.name)
        waiting = self._opening.get(place)
        if waiting is None:
            self._opening[place] = [(data, failed)]
            self._run(self._open(place))
        elif len(waiting) < _MAX_WAITING:
            waiting.append((data, failed))
        else:
            self._fail(failed, "too many messages wait for this connection")

    async def _open(self, hop: Hop) -> None:
        reason = "stopped"
        connection: Connection | None = None
        try:
            connection = await asyncio.wait_for(self._connect(hop), self._limits.connect_s)
        except TimeoutError:
            reason = "connecting took too long"
        except (OSError, UnicodeError) as error:
            reason = str(error) or type(error).__name__
        finally:
            for data, failed in self._opening.pop(hop, ()):
                if connection is not None:
                    connection.write(data)
                else:
                    self._fail(failed, reason)

    async def _connect(self, hop: Hop) -> Connection:
        secure = hop.transport in _SECURE
        if secure and self._tls_client is None:
            self._tls_client = ssl.create_default_context()
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: StreamConnection(hop.transport, self.pool, self._receiver, hop),
            hop.host,
            hop.port,
            ssl=self._tls_client if secure else None,
            server_hostname=(hop.name or hop.host) if secure else None,
        )
        return connection

    def _udp_socket(self, hop: Hop) -> UdpSocket | None:
        family = socket.AF_INET6 if ":" in hop.host else socket.AF_INET
        chosen = None
        for udp in self._udp:
            if udp.family == family:
                if udp.number == hop.connection:
                    return udp
                chosen = chosen or udp
        return chosen

    def why_unreachable(self, hop: Hop) -> str:
        """Say why nothing can ever be sent to a hop; empty when it can, as far as is known."""
        try:
            address = ipaddress.ip_address(hop.host.partition("%")[0])
        except ValueError:
            return ""  # a name; what it means may change
        if address.is_multicast or address.is_unspecified or hop.host == "255.255.255.255":
            return "not the address of one device"
        if hop.transport == "udp" and self._udp_socket(hop) is None:
            return f"no UDP over IPv{address.version} here"
        if hop.transport in ("ws", "wss") and self.pool.find(hop) is None:
            return "a WebSocket is reached by its own connection only"
        for one in self.listens:
            if (one.transport, one.port) == (hop.transport, hop.port) and hop.host in (
                one.host,
                self._advertise,
                self._source_towards(hop.host) if one.host in _ANY else one.host,
            ):
                return "this server's own address"
        return ""

    def local_address(self, hop: Hop) -> tuple[str, int]:
        """Return the host and port a peer at `hop` can reach us at, by the same transport.

        The host is what is advertised when `hop` is not in a private network, else the address
        we listen at, else (listening everywhere) the one the system would send from.
        """
        asked = hop.transport, hop.host, hop.connection if hop.transport == "udp" else 0
        place = self._locals.get(asked)
        if place is None:
            place = self._find_local(hop)
            if is_address(hop.host):
                _keep(self._locals, asked, place)
        return place

    def _find_local(self, hop: Hop) -> tuple[str, int]:
        host, port = self._listening(hop)
        if self._advertise and self._is_outside(hop.host):
            return self._advertise, port
        if host and host not in _ANY:
            return host, port
        return self._source_towards(hop.host), port

    def _listening(self, hop: Hop) -> tuple[str, int]:
        if hop.transport == "udp" and (udp := self._udp_socket(hop)) is not None:
            return udp.host, udp.port
        wants_v6 = ":" in hop.host
        matching = [one for one in self.listens if one.transport == hop.transport]
        for one in matching:
            if (":" in one.host) == wants_v6:
                return one.host, one.port
        if matching:
            return matching[0].host, matching[0].port
        return "", _PORTS.get(hop.transport, 5060)

    def _is_outside(self, host: str) -> bool:
        outside = self._outside.get(host)
        if outside is None:
            try:
                address = ipaddress.ip_address(host.partition("%")[0])
            except ValueError:
                outside = True
            else:
                outside = not (address.is_private or address.is_link_local)
            _keep(self._outside, host, outside)
        return outside

    def _source_towards(self, host: str) -> str:
        source = self._sources.get(host)
        if source is None:
            source = _keep(self._sources, host, _ask_route(host))
        return source


def _keep(known: dict[Key, Value], key: Key, value: Value) -> Value:
    """Remember a value that can be found again: when there are too many, all are."""
    if len(known) >= _KNOWN_HOSTS:
        known.clear()
    known[key] = value
    return value


def _ask_route(host: str) -> str:
    """Ask the system which address it would send from; nothing is sent."""
    target = host if is_address(host) else "192.0.2.1"
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((target, 9))
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
        return str(sock.getsockname()[0])
