"""What all transports share: where to, where at, limits, and what a connection is.

A TCP, TLS or WebSocket peer is a `Connection`; all of them hand what they get to the same
`Receiver`.
"""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from functools import lru_cache
from ipaddress import ip_network
from typing import Protocol

from vpbx.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Hop:
    """The next place a message goes to, or the one it came from.

    `transport` is "udp", "tcp", "tls", "ws" or "wss"; `host` an address or a name (IPv6
    without brackets). `connection` 0 means any open connection to that place, or a new one;
    else that very connection (the spirit of RFC 5923), or a new one when it is gone. For UDP
    it names the local socket, where there are several. `name` is what the certificate of a TLS
    connection must show, where `host` is an address that was found by that name.
    """

    transport: str
    host: str
    port: int
    connection: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Listen:
    """A place to listen at; port 0 takes a free one. `tls` is the server's side of TLS."""

    transport: str
    host: str
    port: int
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What the network may fill. A connection over a limit is closed."""

    message_bytes: int = 65535
    connections: int = 10_000
    connections_per_source: int = 1000
    """Incoming ones from one address, those of registered phones not counted: an office of
    phones behind one NAT needs many."""
    connections_per_account: int = 30
    """Of registered phones, whatever their addresses."""
    unsent_bytes: int = 1 << 20
    """What may wait in a connection whose peer does not read."""
    idle_s: float = 3900.0
    """Silence on a connection; more than an hour, the longest registration."""
    silent_s: float = 30.0
    """From the opening of an incoming connection to its first message."""
    half_message_s: float = 10.0
    connect_s: float = 5.0
    """For connecting, TLS handshake included, both ways."""
    handshakes_per_s: float = 500.0
    """TLS handshakes with strangers, all together: a quarter of one processor."""
    handshakes_per_source_s: float = 100.0
    handshakes_of_source_at_once: int = 400
    """An office of phones behind one address comes back at once."""
    handshakes_at_once: int = 1000


class Receiver(Protocol):
    """Who takes what transports bring."""

    def wait_s(self, hop: Hop, data: bytes) -> float:
        """Say how long a message, the next of its stream, has to wait; 0: it is taken now."""

    def receive(self, data: bytes, hop: Hop) -> None:
        """Take a datagram, or one message of a stream; must not raise."""

    def receive_broken(self, head: bytes, hop: Hop, code: int, reason: str) -> None:
        """Take the headers of a message whose end cannot be found; the stream ends after it."""

    def connection_lost(self, connection: Connection) -> None:
        """Hear that a connection is gone."""

    def unreachable(self, hop: Hop, reason: str) -> None:
        """Hear that a datagram to `hop` did not arrive (ICMP)."""


class Connection(ABC):
    """A peer behind a reliable transport.

    `hop` is its address as it is, `asked_for` the place of a connection we opened, which may
    hold a name; None for an incoming one.
    """

    def __init__(self, hop: Hop, *, asked_for: Hop | None, now: float) -> None:
        self.hop = hop
        self.asked_for = asked_for
        self.incoming = asked_for is None
        self.opened_at = now
        self.heard_at = now
        self.half_since: float | None = None
        """When the message that is still incomplete began."""
        self.heard_message = False
        self.account = ""
        """Who proved a password there; empty: nobody yet."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send one message; what the peer does not read is kept up to a limit."""

    @abstractmethod
    def close(self, reason: str) -> None:
        """Close after what has been written; idempotent."""

    @abstractmethod
    def abort(self) -> None:
        """Close at once."""

    def leads_to(self, hop: Hop) -> bool:
        """Say whether `hop` means this connection."""
        if hop.connection:
            return hop.connection == self.hop.connection
        return (hop.transport, hop.host, hop.port) in self.places()

    def places(self) -> set[tuple[str, str, int]]:
        """Return transport, host and port of where it leads, by address and by name."""
        hops = (self.hop, self.asked_for or self.hop)
        return {(hop.transport, hop.host, hop.port) for hop in hops}

    def overdue(self, now: float, limits: Limits) -> str:
        """Say why to close it now, empty when there is no reason."""
        if self.half_since is not None and now - self.half_since >= limits.half_message_s:
            return "half a message and no more"
        if self.incoming and not self.heard_message and now - self.opened_at >= limits.silent_s:
            return "no message"
        return "idle" if now - self.heard_at >= limits.idle_s else ""


@lru_cache(maxsize=4096)
def network_of(host: str) -> str:
    """Return what counts as one source: an IPv4 address, an IPv6 /64."""
    if ":" not in host:
        return host
    try:
        return str(ip_network(f"{host.partition('%')[0]}/64", strict=False))
    except ValueError:
        return host
