"""The ways out, as values: what a leg through one needs, and which of them to try first.

Pure: no sockets, no directory, the clock is a parameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from vpbx.calls.addresses import ANONYMOUS, Shown, name_addr
from vpbx.clock import Clock
from vpbx.directory import Identity
from vpbx.frozen import dataclass
from vpbx.sip import Credentials, Hop, Target

__all__ = ["Resting", "Way", "identity_headers", "preferred"]

_FAILURES = 3
_REST_S = 30.0
_MAX_HOPS = 3


@dataclass(frozen=True, slots=True)
class Way:
    """A trunk, or a registration at another operator, that can take a call now."""

    key: str
    """What its calls are counted by, and how it is named in logs."""
    host: str
    """Its name or address, for Request-URI and To."""
    hops: tuple[Hop, ...]
    """Where to send the INVITE, in the order to try."""
    port: int = 0
    """Written into the Request-URI; 0: none."""
    transport: str = ""
    """Written into the Request-URI where it is tcp or tls."""
    credentials: Credentials | None = None
    identity: Identity = Identity.PAI
    from_user: str = ""
    from_domain: str = ""
    customers_numbers: bool = False
    """Whether a call that is sent on may show its customer's number."""
    route: tuple[str, ...] = field(default=(), compare=False)
    """Route headers: the Service-Route of a registration (RFC 3608)."""
    limit: int = 0
    """Calls at the same time; 0: as many as the server takes."""
    encrypts: bool = False
    """Whether sound is offered encrypted where signalling is."""

    def secures(self, hop: Hop) -> str:
        """Return the transport by which to decide what is offered by `hop` (`Call.offer`)."""
        return hop.transport if self.encrypts else "udp"

    def target(self, called: str, hop: Hop) -> Target:
        """Return where an INVITE for `called` (digits) goes by `hop`."""
        port = f":{self.port}" if self.port else ""
        transport = f";transport={self.transport}" if self.transport in ("tcp", "tls") else ""
        return Target(f"sip:{called}@{self.written_host}{port}{transport}", hop, self.route)

    @property
    def written_host(self) -> str:
        """The host as it stands in a URI."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def tries(self) -> tuple[Hop, ...]:
        """The hops worth trying for one call."""
        return self.hops[:_MAX_HOPS]


def identity_headers(
    way: Way, clid: str, domain: str, *, private: bool = False, customer: str = ""
) -> tuple[str, list[tuple[str, str]]]:
    """Return From (without tag) and the headers that say who calls, as `way` wants them.

    `clid` is our number, digits; `domain` the company's. `private` hides it from the called
    side, not from the carrier (RFC 3323, RFC 3325). `customer` is the number of who called us,
    on a call that is sent on: where the way lets it, it is shown as the caller, and Diversion
    (RFC 5806) says that the call comes by way of ours.
    """
    diverted = bool(customer) and way.customers_numbers
    if diverted:
        clid, ours = customer, clid
    host = way.from_domain or domain
    number = f"<sip:{clid}@{host}>"
    user = way.from_user or clid
    from_ = name_addr(Shown(user, clid if user != clid else ""), host)
    headers: list[tuple[str, str]] = []
    if way.identity is Identity.PAI:
        headers.append(("P-Asserted-Identity", number))
    elif way.identity is Identity.RPID:
        hide = "full" if private else "off"
        headers.append(("Remote-Party-ID", f"{number};party=calling;screen=yes;privacy={hide}"))
    if diverted:
        headers.append(("Diversion", f"<sip:{ours}@{host}>;reason=unconditional;counter=1"))
    if private:
        headers.append(("Privacy", "id"))
        if way.identity is not Identity.FROM:
            from_ = name_addr(Shown(""), host)
        elif way.from_user:
            from_ = name_addr(Shown(user, ANONYMOUS), host)
    return from_, headers


class Resting:
    """Which ways rest: one that failed three times in a row is left alone for 30 s.

    After that a single call tries it again; failing, it rests once more.
    """

    def __init__(self, clock: Clock, failures: int = _FAILURES, rest_s: float = _REST_S) -> None:
        self._clock = clock
        self._failures = failures
        self._rest_s = rest_s
        self._failed: dict[str, int] = {}
        self._until: dict[str, float] = {}

    def failed(self, key: str) -> bool:
        """Count a failure; True when the way begins to rest by it."""
        count = self._failed[key] = self._failed.get(key, 0) + 1
        if count < self._failures:
            return False
        self._until[key] = self._clock.now() + self._rest_s
        return True

    def served(self, key: str) -> bool:
        """Note that it took a call; True when that ends a time of trouble."""
        troubled = self._failed.pop(key, 0) >= self._failures
        self._until.pop(key, None)
        return troubled

    def rests(self, key: str) -> bool:
        """Say whether it is to be left alone now."""
        return self._until.get(key, 0.0) > self._clock.now()

    def left_s(self, key: str) -> float:
        """Return for how long it still rests."""
        return max(0.0, self._until.get(key, 0.0) - self._clock.now())

    def forget(self, keys: set[str]) -> None:
        """Forget all but these."""
        for gone in (self._failed.keys() | self._until.keys()) - keys:
            self._failed.pop(gone, None)
            self._until.pop(gone, None)


def preferred(ways: Sequence[Way], usable: Sequence[bool]) -> list[Way]:
    """Return the ways that are fit to take a call, in order; if none is, all of them.

    A carrier that rests may have come back, and one call lost to find out costs nothing when
    there is no other way.
    """
    fit = [way for way, good in zip(ways, usable, strict=True) if good]
    return fit or list(ways)
