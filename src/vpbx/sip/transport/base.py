"""What all transports share: where to, where at, and a connection."""

from __future__ import annotations

import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hop:
    """The next place a message goes to, or the one it came from.

    `transport` is "udp", "tcp", "tls", "ws" or "wss"; `host` an address or a name (IPv6
    without brackets). `connection` 0 means any open connection to that place, or a new one;
    else that very connection (the spirit of RFC 5923), or a new one when it is gone.
    """

    transport: str
    host: str
    port: int
    connection: int = 0


@dataclass(frozen=True, slots=True)
class Listen:
    """A place to listen at; port 0 takes a free one. `tls` is the server's side of TLS."""

    transport: str
    host: str
    port: int
    tls: ssl.SSLContext | None = None
