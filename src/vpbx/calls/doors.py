"""Who may bring a call without being an employee here, and to which number alone.

A carrier known by its address reaches numbers of its companies. An operator that calls the
Contact we registered with it reaches the number of that registration. A gateway that registers
here proves its password on every call. Whoever calls an address
`pbx-…@domain` (crm-api §15) reaches the number it stands for. None of them gets any further.
"""

from __future__ import annotations

from collections import OrderedDict

import structlog

from vpbx.calls.across import Visitor
from vpbx.calls.addresses import trunk_dialled
from vpbx.calls.connections import Connections
from vpbx.clock import Clock
from vpbx.directory import Directory, DomainConfig, Number, Trunk
from vpbx.frozen import dataclass
from vpbx.sip import Hop, Request, SipStack, network_of

__all__ = ["Doors", "Guest", "TurnedAway", "Unproven"]

log = structlog.get_logger("vpbx.calls")

_SIPURI_PREFIX = "pbx-"
_BURST = 20.0
_PER_S = 2.0
_SOURCES = 4096
_LIMIT = 30
"""Calls at the same time to one address of §15, which anybody may call."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A call let in: to this number, counted by `way`, of which there may be `limit` (0: any)."""

    domain: DomainConfig
    number: Number
    way: str
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Unproven:
    """A gateway that has to prove itself: 401 with these."""

    challenges: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A call that gets this answer."""

    code: int
    reason: str = ""


class Doors:
    """Decides by what an INVITE says and where it comes from."""

    def __init__(self, directory: Directory, connections: Connections, clock: Clock) -> None:
        self._directory = directory
        self._accounts = connections.accounts
        self._carriers = connections.carriers
        self._gateways = connections.gateways
        self._across = connections.across
        self._buckets = _Buckets(clock)

    def knocks(self, request: Request, hop: Hop) -> bool:
        """Say whether this is for `open`; else the caller must be an employee. No await."""
        user = _user(request)
        return (
            user[:4].lower() == _SIPURI_PREFIX
            or self._accounts.by_contact(user) is not None
            or self._carriers.source(hop) is not None
            or self._gateways.source(hop) is not None
            or self._across.knocks(request, hop)
            or self._accounts.by_operator(hop, user) is not None
        )

    def visits(self, request: Request, hop: Hop) -> bool:
        """Say whether this comes from a connected PBX, as it claims: then `Across.asks` of it."""
        return self._carriers.source(hop) is None and self._across.knocks(request, hop)

    async def open(
        self, request: Request, hop: Hop, stack: SipStack
    ) -> Guest | Visitor | Unproven | TurnedAway:
        """Return the number an INVITE may reach; call it when `knocks` said so."""
        user = _user(request)
        if user[:4].lower() == _SIPURI_PREFIX:
            return await self._sipuri(user, hop)
        if self.visits(request, hop):
            visitor = await self._across.visitor(request, hop, stack)
            if isinstance(visitor, list):
                return Unproven(tuple(visitor))
            return visitor or TurnedAway(404)
        account = self._accounts.by_contact(user)
        trunk = None
        if account is not None and not account.telnum:
            trunk = self._carriers.of_key(account.key)
        elif account is None:
            trunk = self._carriers.source(hop)
            gateway = self._gateways.source(hop) if trunk is None else None
            if gateway is not None:
                trunk = gateway
                if challenges := self._gateways.proves(gateway, request, hop, stack):
                    return Unproven(tuple(challenges))
        if trunk is not None:
            return await self._from_trunk(request, trunk)
        account = account or self._accounts.by_operator(hop, user)
        if account is None:
            return TurnedAway(404)
        domain = await self._directory.domain_by_id(account.domain_id)
        number = domain.numbers.get(account.telnum) if domain is not None else None
        if domain is None or number is None:
            return TurnedAway(404)
        return _guest(domain, number, account.key)

    async def _from_trunk(self, request: Request, trunk: Trunk) -> Guest | TurnedAway:
        for text in trunk_dialled(request):
            found = await self._directory.number(text, domain_id=trunk.domain_id)
            if found is not None:
                return _guest(*found, self._carriers.key(trunk))
        return TurnedAway(404)

    async def _sipuri(self, user: str, hop: Hop) -> Guest | TurnedAway:
        if not self._buckets.take(network_of(hop.host)):
            return TurnedAway(503)
        found = await self._directory.sipuri_transfers.owner(user)
        if found is None:
            return TurnedAway(404)
        domain, number = found
        return _guest(domain, number, f"{user.lower()}@{domain.name}", _LIMIT)


def _guest(domain: DomainConfig, number: Number, way: str, limit: int = 0) -> Guest | TurnedAway:
    if not domain.enabled or not number.enabled:
        return TurnedAway(480)
    return Guest(domain, number, way, limit)


def _user(request: Request) -> str:
    try:
        return request.uri.user or ""
    except ValueError:
        return ""


class _Buckets:
    """How often a source (an IPv4 address, an IPv6 /64) may try: a burst, then so many a second.
    The oldest are forgotten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, host: str) -> bool:
        """Count a try; False when it is one too many."""
        now = self._clock.now()
        left, at = self._left.pop(host, (_BURST, now))
        left = min(_BURST, left + (now - at) * _PER_S)
        self._left[host] = max(0.0, left - 1.0), now
        if len(self._left) > _SOURCES:
            self._left.popitem(last=False)
        if 1.0 <= left < 2.0:
            log.warning("calls to a SIP address come too fast, refused for a while", source=host)
        return left >= 1.0
