"""Sockets of ours on the ports of RTPProxy's: they hear what RTPProxy is not to hear.

They live for a moment, so they are waited for by an epoll of their own, one file for the event
loop. And they hear of errors (ICMP), after which libuv 1.x waits for a file no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import Callable
from typing import TypeAlias

from .kernel import attach_filter

__all__ = ["Address", "Listeners", "Packets", "comes_from", "read"]

# Linux tells what ICMP says of what was sent from a port (ip(7)); Python has no name for it.
_IP_RECVERR = getattr(socket, "IP_RECVERR", 11)

Address: TypeAlias = tuple[str, int]
Packets: TypeAlias = list[tuple[bytes, Address]]

_READS = 32
_PACKET_BYTES = 2048
_ROOM_BYTES = 100_000
_DRAINS = 16
"""So many times `read` empties a full socket, however fast more comes."""
_AT_ONCE = 64
"""So many sockets are served in one turn of the loop."""


class Listeners:
    """All of an engine's; `close` them at its end."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._heard: dict[int, tuple[socket.socket, Callable[[], None] | None]] = {}
        """Of those that the epoll knows; None: it is to forget that one when something comes."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self.look)

    def open(
        self,
        host: str,
        port: int,
        heard: Callable[[], None] | None,
        *,
        program: bytes = b"",
        connected: Address | None = None,
    ) -> socket.socket | None:
        """Open a second socket on a port of this machine's, and call `heard` when it can be read.

        It takes what comes to the port: what the filter `program` lets through, and `connected`
        only what comes from there. No `heard`: it is never read, until `wait`. Returns None where
        there is no room for it.
        """
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            if program:
                attach_filter(sock.fileno(), program)
            sock.bind((host, port))
            if connected is not None:
                sock.connect(connected)
            if heard is None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            else:
                self._epoll.register(sock.fileno(), select.EPOLLIN)
        except (OSError, OverflowError):
            sock.close()
            return None
        if heard is not None:
            self._heard[sock.fileno()] = sock, heard
        return sock

    def wait(self, sock: socket.socket, heard: Callable[[], None] | None) -> None:
        """Have `heard` called from now on when a socket can be read, or nobody; what has come so
        far is dropped."""
        waited = sock.fileno() in self._heard
        if heard is None:
            if waited:
                self._heard[sock.fileno()] = sock, None
            return
        for _ in range(_DRAINS):
            if not read(sock)[0]:
                break
        if not waited:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM_BYTES)
            self._epoll.register(sock.fileno(), select.EPOLLIN)
        self._heard[sock.fileno()] = sock, heard

    def drop(self, sock: socket.socket) -> None:
        """Close a socket that `open` returned."""
        self._heard.pop(sock.fileno(), None)
        sock.close()  # which also takes it out of the epoll

    def look(self) -> None:
        """Have those read that can be."""
        for number, events in self._epoll.poll(0, _AT_ONCE):
            if number not in self._heard:
                continue  # closed by what another one heard
            sock, heard = self._heard[number]
            if heard is None:
                del self._heard[number]
                self._epoll.unregister(number)
                continue
            heard()
            if events & select.EPOLLERR and sock.fileno() >= 0:
                _complaints(sock)  # left alone, they would be told of again and again

    def close(self) -> None:
        """Wait for none any more."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()


def read(sock: socket.socket) -> tuple[Packets, Address | None]:
    """Return the packets that wait at a socket, and who refuses what was sent, as ICMP says."""
    packets: Packets = []
    for _ in range(_READS):
        try:
            packets.append(sock.recvfrom(_PACKET_BYTES))
        except BlockingIOError:
            break
        except OSError as error:
            refused = _complaints(sock)
            return packets, refused if isinstance(error, ConnectionRefusedError) else None
    return packets, None


def comes_from(address: Address, source: Address) -> bool:
    """Say whether a packet is from `source`, as `MediaSession.source` tells it."""
    host, port = source
    return address[1] == port and host in ("", address[0])


def _complaints(sock: socket.socket) -> Address | None:
    """Empty a socket's queue of errors; return whom the last one was about."""
    about = None
    with contextlib.suppress(OSError):
        while True:
            about = sock.recvmsg(0, 0, socket.MSG_ERRQUEUE)[3]
    return about
