"""The socket that stands for a peer nobody knows yet (see latch.py)."""

from __future__ import annotations

import contextlib
import socket
import struct

from .model import MediaConfig

GUARD_PAYLOAD = 72
"""No RTP uses it: with the marker bit it would look like RTCP (RFC 5761 §4)."""
_PACKET = struct.pack("!BBHIIBBH", 0x80, GUARD_PAYLOAD, 0, 0, 0x76706278, 0, 0, 0)


class Sink:
    """Swallows what is sent before the real receiver is known, and guards its port."""

    def __init__(self, host: str, proxy_host: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # Never read: the kernel drops what does not fit, and little does.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        self._socket.setblocking(False)
        self._socket.bind((host, 0))
        self._proxy_host = proxy_host
        self.address: tuple[str, int] = self._socket.getsockname()

    def latch(self, *ports: int) -> None:
        """Make RTPProxy take us for the peer that sends to these ports."""
        for port in ports:
            with contextlib.suppress(OSError):
                self._socket.sendto(_PACKET, (self._proxy_host, port))

    def close(self) -> None:
        """Free the socket."""
        self._socket.close()


def make_sink(config: MediaConfig) -> Sink | None:
    """Return a sink that RTPProxy can reach; None when there is no way to it."""
    if config.remote is None:
        return Sink(config.inner_host, config.inner_host)
    kind, _, where = config.remote.partition(":")
    proxy_host = "127.0.0.1" if kind == "unix" else where.rpartition(":")[0]
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((proxy_host, 9))
            return Sink(probe.getsockname()[0], proxy_host)
    except OSError:
        return None
