"""Datagrams of a call that are no RTP: T.38 over UDPTL, at ports of ours and past RTPProxy.

Like sound, they are taken from whom an SDP names only; the kernel drops the rest.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable
from functools import partial

from vpbx.frozen import dataclass

from . import kernel
from .model import MediaConfig, MediaError, Side
from .packet_filter import NOTHING, Source, udp_filter

__all__ = ["PacketPeer", "PacketRelay", "bind_packets", "let_in"]

_TRIES = 200
_AT_ONCE = 32
"""Datagrams passed on before others have their turn."""
_LONGEST = 2048


@dataclass(frozen=True, slots=True)
class PacketPeer:
    """A peer that speaks T.38: where it is, and what it said of itself."""

    host: str
    port: int
    behind: str = ""
    """Address of a NAT it is behind: it may send from any port of that."""
    version: int = 0
    rate: int = 14400
    local_tcf: bool = False
    most_bytes: int = 1400


def bind_packets(config: MediaConfig) -> socket.socket:
    """Return a socket at a media port, deaf until `let_in`; MediaError: all are taken."""
    ports = range(config.port_min + config.port_min % 2, config.port_max, 2)
    for _ in range(_TRIES):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.bind((config.listen_host, random.choice(ports)))
        except OSError:
            sock.close()
        else:
            kernel.attach_filter(sock.fileno(), NOTHING)
            return sock
    raise MediaError("all media ports are taken")


def let_in(sock: socket.socket, peer: PacketPeer) -> None:
    """Hear what this peer sends, and nobody else."""
    try:
        socket.inet_aton(peer.host)
        sources: tuple[Source, ...] = ((peer.host, peer.port),)
    except OSError:
        raise MediaError(f"T.38 needs an IPv4 address, not {peer.host[:64]}") from None
    if peer.behind:
        sources = (*sources, (peer.behind, None))
    kernel.attach_filter(sock.fileno(), udp_filter(sources))


class PacketRelay:
    """Passes on what two peers send each other, as it is; `alive` hears of it."""

    def __init__(self, config: MediaConfig, alive: Callable[[], None]) -> None:
        self._alive = alive
        self._loop = asyncio.get_running_loop()
        self._targets: dict[Side, tuple[str, int]] = {}
        first = bind_packets(config)
        try:
            self._sockets = {Side.A: first, Side.B: bind_packets(config)}
        except MediaError:
            first.close()
            raise
        for side, sock in self._sockets.items():
            sock.setblocking(False)
            self._loop.add_reader(sock.fileno(), partial(self._heard, side))

    def port(self, side: Side) -> int:
        """The port that the peer of `side` is to be told."""
        return int(self._sockets[side].getsockname()[1])

    def admit(self, side: Side, peer: PacketPeer) -> None:
        """Have `side` be this peer from now on."""
        let_in(self._sockets[side], peer)
        self._targets[side] = peer.host, peer.port

    def close(self) -> None:
        """Let go of both ports; harmless twice."""
        for sock in self._sockets.values():
            if sock.fileno() >= 0:
                self._loop.remove_reader(sock.fileno())
                sock.close()

    def _heard(self, side: Side) -> None:
        """What may be heard is the peer's: behind a NAT that is where it sends from."""
        sock, other = self._sockets[side], self._sockets[side.other]
        for _ in range(_AT_ONCE):
            try:
                data, source = sock.recvfrom(_LONGEST)
                if side in self._targets:
                    self._targets[side] = source
                    self._alive()
                target = self._targets.get(side.other)
                if target is not None:
                    other.sendto(data, target)
            except BlockingIOError:
                return
            except OSError:  # nobody is there any more (ICMP), or there is no way to them
                continue
