"""How much of HTTP one client, one address and all of them together may take.

`Bounds` says it in numbers, `Connections` counts who is here and whom to let go when a newcomer
finds no room, and `Turnstile` lets so much work through in one turn of the loop that calls are
served between any two turns.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Protocol

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

__all__ = ["Bounds", "Connections", "Guest", "Turnstile"]

log = structlog.get_logger("vpbx.app")


@dataclass(frozen=True, slots=True)
class Bounds:
    """The numbers. Sizes in bytes, times in seconds."""

    head_bytes: int = 64 * 1024
    """Request line and headers together (431)."""
    headers: int = 200
    """Header lines, trailers among them (431)."""
    trailer_bytes: int = 64 * 1024
    """What a chunked body may hold besides the body: sizes, extensions, trailers; and eight
    times the body, for a client that sends its bytes one by one."""
    unwanted_bytes: int = 1024 * 1024
    """Of a body that is still coming when it has been answered already."""
    pipelined: int = 16
    """Requests that wait behind the one being answered; only those that stand in one piece of
    data with it do, all others wait in the network."""
    piece_bytes: int = 4 * 1024
    """What is read of one connection before the next one's turn."""
    handshake_s: float = 10.0
    """For TLS to stand."""
    head_s: float = 10.0
    """For a head to be whole, from its first byte (of a connection's first: from the accept)."""
    body_s: float = 30.0
    """For a body to be whole; and a second more for each `body_rate` bytes that have come."""
    body_rate: int = 1024
    idle_s: float = 60.0
    """Between an answer and the next request."""
    stalled_s: float = 60.0
    """For a client that takes nothing of its answer."""
    linger_s: float = 2.0
    """For a refused client to read why, before the connection goes."""
    per_source: int = 200
    """Connections of one address (IPv6: of one /64); trusted proxies are not counted."""
    total: int = 1000
    """Connections of all addresses."""
    turn_s: float = 0.003
    """Reading in one turn of the loop."""
    turn_requests: int = 4
    """Requests begun in one turn of the loop."""

    backlog: int = 1024
    """Connections that the kernel keeps for us; beyond, who connects waits a second or more."""


class Guest(Protocol):
    """A connection, as `Connections` and `Turnstile` see it."""

    source: str
    queued: bool

    @property
    def is_waiting(self) -> bool:
        """Whether nobody would miss it: no request of it is being answered."""

    def dismiss(self) -> None:
        """Go now, for somebody else's sake."""

    def step(self) -> bool:
        """Do a small piece of what is to do; True when there is more."""

    def look(self, now: float) -> None:
        """End it if its time is over."""


class Connections:
    """Who is connected, over all listeners of the server."""

    def __init__(
        self,
        bounds: Bounds,
        *,
        trusted: Sequence[str] = (),
        registry: CollectorRegistry | None = None,
    ) -> None:
        self.bounds = bounds
        self._all: OrderedDict[Guest, None] = OrderedDict()
        self._of: dict[str, OrderedDict[Guest, None]] = {}
        networks = tuple(ip_network(item, strict=False) for item in trusted)
        self._is_trusted = lru_cache(maxsize=1024)(lambda host: _within(host, networks))
        self._said_at: dict[str, float] = {}
        self._refused = Counter(
            "vpbx_http_refused",
            "HTTP connections and requests that went beyond a bound",
            ("bound",),
            registry=registry,
        )
        Gauge("vpbx_http_connections", "HTTP connections", registry=registry).set_function(
            lambda: len(self._all)
        )

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, guest: Guest) -> bool:
        return guest in self._all

    def admit(self, guest: Guest) -> bool:
        """Take a newcomer in; who has waited longest goes where there is no room.

        First of its own address, so that who opens many is the one to lose some. False: all
        that are here are being served.
        """
        own = self._of.setdefault(guest.source, OrderedDict())
        has_room = True
        if len(own) >= self.bounds.per_source and not self._is_trusted(guest.source):
            self.refused("connections of one address", guest.source)
            has_room = self._make_room(own)
        if has_room and len(self._all) >= self.bounds.total:
            self.refused("connections", guest.source)
            has_room = self._make_room(max(self._of.values(), key=len))
        own = self._of.setdefault(guest.source, own)
        if not has_room:
            if not own:
                del self._of[guest.source]
            return False
        own[guest] = None
        self._all[guest] = None
        return True

    def leave(self, guest: Guest) -> None:
        """Forget one; harmless when it is not here."""
        if guest not in self._all:
            return
        del self._all[guest]
        own = self._of[guest.source]
        del own[guest]
        if not own:
            del self._of[guest.source]

    def look(self, now: float) -> None:
        """End everybody whose time is over."""
        for guest in tuple(self._all):
            guest.look(now)

    def refused(self, bound: str, source: str) -> None:
        """Count a breach of `bound`; the log says it once a minute for each bound."""
        self._refused.labels(bound).inc()
        now = time.monotonic()
        if now - self._said_at.get(bound, -60.0) >= 60.0:
            self._said_at[bound] = now
            log.warning("HTTP clients go beyond a bound", bound=bound, source=source)

    def _make_room(self, among: OrderedDict[Guest, None]) -> bool:
        for guest in among:
            if guest.is_waiting:
                self.leave(guest)
                guest.dismiss()
                return True
        return False


class Turnstile:
    """Everybody's data goes through here, one piece after the other, a little in each turn."""

    def __init__(self, bounds: Bounds, loop: asyncio.AbstractEventLoop) -> None:
        self._turn_s = bounds.turn_s
        self._requests = bounds.turn_requests
        self._loop = loop
        self._queue: deque[Guest] = deque()
        self._is_due = False
        self.begun = 0
        """Requests begun in this turn; whoever begins one adds to it."""

    def enter(self, guest: Guest) -> None:
        """Have `guest.step` called until it returns False."""
        if not guest.queued:
            guest.queued = True
            self._queue.append(guest)
            self._call(self._turn)

    def _call(self, turn: Callable[[], None]) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(turn)

    def _turn(self) -> None:
        self._is_due = False
        self.begun = 0
        queue = self._queue
        end = time.perf_counter() + self._turn_s
        while queue and self.begun < self._requests:
            guest = queue.popleft()
            guest.queued = False
            if guest.step() and not guest.queued:
                guest.queued = True
                queue.append(guest)
            if time.perf_counter() >= end:
                break
        if queue:
            self._call(self._turn)


def source_of(host: str) -> str:
    """Return what is counted as one source: an IPv4 address, an IPv6 /64."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(IPv6Address(int(address) >> 64 << 64))
    return host


def _within(host: str, networks: Sequence[object]) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in networks)  # type: ignore[operator]
