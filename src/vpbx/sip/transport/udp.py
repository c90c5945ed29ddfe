"""SIP over UDP: one socket, lean both ways."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import structlog

from vpbx.sip.transport.base import Hop, Receiver

log = structlog.get_logger("vpbx.sip")

_BUFFER_BYTES = 4 << 20
"""For the socket's buffers: some 150 calls a second for seconds, while the loop is busy."""
_KNOWN_HOPS = 4096

# Linux tells what ICMP says of what we sent (ip(7), IP_RECVERR); Python has no names for it.
_RECVERR = {
    socket.AF_INET: (socket.IPPROTO_IP, 11),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25),
}
_EXTENDED_ERROR = struct.Struct("=IBBB")
_ICMP = (2, 3)
_TOLD_BY_ICMP = frozenset((errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH))


class UdpSocket(asyncio.DatagramProtocol):
    """A bound UDP socket. `number` tells it from others in `Hop.connection`; 0: the only one."""

    def __init__(self, receiver: Receiver, number: int) -> None:
        self.number = number
        self.host = ""
        self.port = 0
        self.family: int = socket.AF_INET
        self._receiver = receiver
        self._hops: dict[tuple[str, int], Hop] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._sendto: Callable[[bytes, tuple[str, int]], int] | None = None
        self._sock: socket.socket | None = None

    async def open(self, host: str, port: int) -> None:
        """Bind; `OSError` when the place is taken or is not here."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            _enlarge(sock)
            with suppress(OSError):  # elsewhere than on Linux silence is all there is
                sock.setsockopt(*_RECVERR[socket.AddressFamily(family)], 1)
            sock.bind(address)
        except OSError:
            sock.close()
            raise
        self.family = family
        self.host, self.port = sock.getsockname()[:2]
        await loop.create_datagram_endpoint(lambda: self, sock=sock)
        self._sendto, self._sock = sock.sendto, sock

    def close(self) -> None:
        """Close the socket."""
        self._sendto = self._sock = None
        if self._transport is not None:
            self._transport.close()

    def send(self, data: bytes, host: str, port: int) -> str:
        """Send a datagram; return what went wrong, empty when nothing did."""
        if self._sendto is None or self._transport is None:
            return "the socket is closed"
        try:
            self._sendto(data, (host, port))
        except BlockingIOError:
            self._transport.sendto(data, (host, port))
        except (OSError, OverflowError) as error:
            if not self._take_errors():
                return str(error)
            # It was what ICMP says of an earlier datagram, to whomever; this one has not left.
            try:
                self._sendto(data, (host, port))
            except (OSError, OverflowError) as again:
                return str(again)
        return ""

    def _take_errors(self) -> bool:
        """Read what ICMP says of datagrams sent; tell whose place cannot be reached."""
        taken = False
        while self._sock is not None:
            try:
                _, notes, _, place = self._sock.recvmsg(64, 512, socket.MSG_ERRQUEUE)
            except OSError:
                break
            taken = True
            for level, kind, note in notes:
                if (level, kind) not in _RECVERR.values() or len(note) < _EXTENDED_ERROR.size:
                    continue
                number, origin, _, _ = _EXTENDED_ERROR.unpack_from(note)
                if origin in _ICMP and number in _TOLD_BY_ICMP and place:
                    hop = Hop("udp", place[0], place[1], self.number)
                    self._receiver.unreachable(hop, errno.errorcode[number])
        return taken

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's classes.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        hop = self._hops.get(addr)
        if hop is None:
            if len(self._hops) >= _KNOWN_HOPS:
                self._hops.clear()
            hop = self._hops[addr] = Hop("udp", addr[0], addr[1], self.number)
        self._receiver.receive(data, hop)

    def error_received(self, exc: Exception) -> None:
        self._take_errors()
        log.debug("A UDP socket reported an error", error=str(exc))


def _enlarge(sock: socket.socket) -> None:
    """Raise both buffers, past the system's limit where that is allowed."""
    for ordinary, force in ((socket.SO_RCVBUF, 33), (socket.SO_SNDBUF, 32)):
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, ordinary, _BUFFER_BYTES)
        # SO_RCVBUFFORCE and SO_SNDBUFFORCE of Linux, for root; Python has no names for them.
        if sock.getsockopt(socket.SOL_SOCKET, ordinary) < _BUFFER_BYTES:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, force, _BUFFER_BYTES)
    got = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    if got < _BUFFER_BYTES:
        log.info("UDP buffers are small: raise net.core.rmem_max", bytes=got)
