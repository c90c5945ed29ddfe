"""A place of ours in the way between RTPProxy and one side of a session.

RTPProxy is told that the side is here, and what the side sends comes here first (its `Gate`
lends it). Neither the side nor RTPProxy notices: the side hears us from the port it knows, and
what goes on to RTPProxy is relayed, recorded and looked through for digits as ever. Packets are
passed on as they are, unless who opened the splice sends others in their place.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

from . import kernel
from .end import End
from .listeners import Address, read

__all__ = ["Splice"]


class Splice:
    """Made by `MediaSession.splice`; `close` takes it out."""

    def __init__(
        self, end: End, host: str, near: Callable[[bytes], None], far: Callable[[bytes], None]
    ) -> None:
        """`near` gets what the side says, `far` what it is to hear. OSError: no socket."""
        self._end = end
        self._near, self._far = near, far
        self._proxy: Address = (host, end.port)
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.bind((host, 0))
        except OSError:
            self._socket.close()
            raise
        self.inside: Address = self._socket.getsockname()
        """Where RTPProxy sends what the side is to hear."""
        self._loop.add_reader(self._socket.fileno(), self.look)

    def heard(self, packet: bytes) -> None:
        """Take a packet that the side has sent."""
        self._near(packet)

    def look(self) -> None:
        """Read what waits (also where the event loop has not told of it)."""
        packets = read(self._socket)[0] if self._socket is not None else []
        for packet, source in packets:
            if source == self._proxy:
                self._far(packet)

    def to_far(self, packet: bytes) -> None:
        """Let RTPProxy, and so the other side, have a packet as the side's."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(packet, self._proxy)

    def to_near(self, packet: bytes) -> None:
        """Let the side have a packet."""
        end = self._end
        listens = end.peer is None or end.peer.listens
        if end.gate is not None and end.target is not None and listens:
            kernel.send_from(end.gate.numbers[0], packet, end.target)

    def free(self) -> None:
        """Close the socket: nothing comes to it any more."""
        sock, self._socket = self._socket, None
        if sock is not None:
            self._loop.remove_reader(sock.fileno())
            sock.close()
