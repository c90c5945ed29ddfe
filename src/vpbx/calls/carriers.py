"""Trunks as calls see them: where each is now, which to try, and whose call comes in.

Names are followed in DNS from the first question about them on; nothing here waits for a name
server, but for a moment right after the start. A trunk whose name leads nowhere is out of use
and says why; one that failed three times in a row rests.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable
from contextlib import suppress

import structlog

from vpbx.calls.accounts import Accounts
from vpbx.calls.gateways import Gateways
from vpbx.calls.registry import CallRegistry
from vpbx.calls.ways import Resting, Way, preferred
from vpbx.clock import Clock
from vpbx.directory import Directory, DomainConfig, Number, Trunk, TrunkMode
from vpbx.frozen import dataclass
from vpbx.sip import Credentials, Hop
from vpbx.sip.followed import Followed
from vpbx.sip.resolver import Resolver, default_port

__all__ = ["Carriers", "TrunkState"]

log = structlog.get_logger("vpbx.calls")

_FIRST_ANSWER_S = 2.0


@dataclass(frozen=True, slots=True)
class TrunkState:
    """How a trunk stands, for whoever looks after it."""

    name: str
    state: str
    """ok, off, unresolved, resting, waiting, error (of a registration), unregistered."""
    reason: str
    calls: int
    addresses: tuple[str, ...]
    """Where it is reached now: host:port/transport."""


class Carriers:
    """All trunks of this server, and the registrations of companies as ways out."""

    def __init__(
        self,
        directory: Directory,
        calls: CallRegistry,
        *,
        resolver: Resolver,
        accounts: Accounts,
        gateways: Gateways,
        clock: Clock,
        max_tried: int,
    ) -> None:
        self._directory = directory
        self._calls = calls
        self._resolver = resolver
        self._accounts = accounts
        self._gateways = gateways
        self._clock = clock
        self._max_tried = max_tried
        self._names: dict[tuple[str, int, str], Followed] = {}
        self._resting = Resting(clock)
        self._sources: dict[str, list[tuple[int, bool, Trunk]]] = {}
        self._sources_of: tuple[Trunk, ...] | None = None

    # -- its life -------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to follow all names; wait a moment for the first answers."""
        followed = [name for trunk in self._directory.trunks() for name in self._of(trunk)]
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_ANSWER_S):
                await asyncio.gather(*(name.ready(_FIRST_ANSWER_S) for name in followed))

    def stop(self) -> None:
        """Follow no name any more."""
        for name in self._names.values():
            name.stop()
        self._names.clear()

    def tidy(self) -> None:
        """Leave the names and the counts of trunks that are no more."""
        trunks = self._directory.trunks()
        wanted = {place for trunk in trunks for place in _places(trunk)}
        for gone in self._names.keys() - wanted:
            self._names.pop(gone).stop()
        for trunk in trunks:
            self._of(trunk)

    # -- ways out -------------------------------------------------------------------------------

    def ways(
        self, domain: DomainConfig, number: Number | None, *, urgent: bool = False
    ) -> list[Way]:
        """Return the ways to try for a call that shows `number`, in order.

        The registration or the trunk the number belongs to, then the domain's default trunk,
        then the others. Those switched off, full, leading nowhere or another company's are left
        out; those that rest or failed to register are used only when there is nothing else. For
        an `urgent` call none is full.
        """
        ways: list[Way] = []
        fit: list[bool] = []
        own = self._accounts.way(domain, number) if number is not None else None
        if own is not None:
            ways.append(own)
            fit.append(self._accounts.registered(own.key) and not self._resting.rests(own.key))
        first = number.trunk if number is not None else ""
        usable = self._directory.trunks_of(domain)
        for trunk in sorted(usable, key=lambda trunk: trunk.name != first):  # stable
            way = self._way(trunk)
            if way is None or not (urgent or self._calls.trunk_has_room(way.key, way.limit)):
                continue
            ways.append(way)
            registered = trunk.mode is not TrunkMode.REGISTER or self._accounts.registered(way.key)
            fit.append(registered and not self._resting.rests(way.key))
        return preferred(ways, fit)[: self._max_tried]

    def failed(self, way: Way, why: str) -> None:
        """Note that a way did not take a call, by a fault of its own."""
        if self._resting.failed(way.key):
            log.warning("a trunk fails and rests", trunk=way.key, reason=why)

    def served(self, way: Way) -> None:
        """Note that a way took a call, or refused it for reasons of the call's."""
        if self._resting.served(way.key):
            log.info("a trunk takes calls again", trunk=way.key)

    def _way(self, trunk: Trunk) -> Way | None:
        """Return a trunk as a way out; None when it leads nowhere now."""
        key = trunk_key(trunk)
        route: tuple[str, ...] = ()
        if trunk.mode is TrunkMode.ACCEPT:
            hops = self._gateways.hops(trunk)
            route = self._gateways.route(trunk)
        else:
            hops = tuple(hop for name in self._of(trunk) for hop in name.order())
        if trunk.mode is TrunkMode.REGISTER:
            hops = self._accounts.hops(key) or hops
            route = self._accounts.route(key)
        if not hops:
            return None
        return Way(
            key=key,
            host=trunk.host or hops[0].host,
            port=0 if trunk.port == default_port(trunk.transport) else trunk.port,
            transport=trunk.transport,
            hops=hops,
            credentials=self.credentials(trunk),
            identity=trunk.identity,
            from_user=trunk.from_user,
            from_domain=trunk.from_domain,
            route=route,
            customers_numbers=trunk.customers_numbers,
            limit=trunk.max_calls,
        )

    def credentials(self, trunk: Trunk) -> Credentials | None:
        """Return what a trunk's challenges are answered with."""
        if trunk.mode is TrunkMode.ACCEPT or not trunk.username:
            return None
        try:
            password = self._directory.trunk_rules.password(trunk)
        except ValueError as error:
            log.error("a trunk's password cannot be read", trunk=trunk.name, reason=str(error))
            return None
        return Credentials(trunk.auth_name or trunk.username, password)

    # -- whose call comes in --------------------------------------------------------------------

    def source(self, hop: Hop) -> Trunk | None:
        """Return the enabled trunk a message came from.

        By address and port; over a stream (tcp, tls) the port is the carrier's whim, so there
        the address and a stream transport of the trunk are enough. From a trunk's networks any
        port will do.
        """
        for port, stream, trunk in self._by_host().get(hop.host, ()):
            if port == hop.port or (stream and hop.transport != "udp"):
                return trunk
        return next((trunk for trunk in self._with_networks() if _within(hop.host, trunk)), None)

    def key(self, trunk: Trunk) -> str:
        """Return what a trunk's calls are counted by."""
        return trunk_key(trunk)

    def of_key(self, key: str) -> Trunk | None:
        """Return the enabled trunk of this key."""
        trunks = self._directory.trunks()
        return next((t for t in trunks if t.enabled and trunk_key(t) == key), None)

    def known_host(self, host: str) -> bool:
        """Say whether calls of some trunk come from this address."""
        return host in self._by_host() or any(_within(host, t) for t in self._with_networks())

    def _with_networks(self) -> Iterable[Trunk]:
        return (t for t in self._directory.trunks() if t.networks and t.enabled)

    def _by_host(self) -> dict[str, list[tuple[int, bool, Trunk]]]:
        """Return address → (port, whether over streams, trunk), made anew after changes."""
        trunks = self._directory.trunks()
        if trunks is not self._sources_of:
            self._sources = {}
            for trunk in trunks:
                if not trunk.enabled:
                    continue
                for name in self._of(trunk):
                    for hop in name.hops:
                        stream = hop.transport != "udp" or trunk.transport == ""
                        self._sources.setdefault(hop.host, []).append((hop.port, stream, trunk))
            self._sources_of = trunks
        return self._sources

    # -- names ----------------------------------------------------------------------------------

    def _of(self, trunk: Trunk) -> list[Followed]:
        return [self._follow(place) for place in _places(trunk)]

    def _follow(self, place: tuple[str, int, str]) -> Followed:
        followed = self._names.get(place)
        if followed is None:
            followed = self._names[place] = Followed(
                self._resolver, self._clock, *place, changed=self._moved
            )
            followed.start()
        return followed

    def _moved(self) -> None:
        self._sources_of = None

    # -- for whoever looks after it ---------------------------------------------------------------

    def states(self) -> list[TrunkState]:
        """Return how every trunk stands."""
        return [self._state(trunk) for trunk in self._directory.trunks()]

    def _state(self, trunk: Trunk) -> TrunkState:
        key = trunk_key(trunk)
        names = self._of(trunk)
        hops = [hop for name in names for hop in name.hops]
        if trunk.mode is TrunkMode.ACCEPT:
            hops = list(self._gateways.hops(trunk))
        state, reason = "ok", ""
        problems = [f"{name.host}: {name.problem}" for name in names if name.problem]
        if not trunk.enabled:
            state = "off"
        elif trunk.mode is TrunkMode.ACCEPT and not hops:
            state, reason = "waiting", "it has not registered here"
        elif not hops:
            state = "unresolved" if problems else "waiting"
            reason = "; ".join(problems) or "its name is being looked up"
        elif self._resting.rests(key):
            state = "resting"
            reason = f"failed several times, tried again in {self._resting.left_s(key):.0f} s"
        elif trunk.mode is TrunkMode.REGISTER:
            state, reason = self._accounts.state(key)
        return TrunkState(
            trunk.name,
            state,
            reason or "; ".join(problems),
            self._calls.on_trunk(key),
            tuple(dict.fromkeys(_shown(hop) for hop in hops)),
        )


def trunk_key(trunk: Trunk) -> str:
    """Return what a trunk's calls are counted by."""
    return f"trunk {trunk.name}"


def _places(trunk: Trunk) -> list[tuple[str, int, str]]:
    if trunk.mode is TrunkMode.ACCEPT:
        return []
    return [(host, port, trunk.transport) for host, port in trunk.addresses]


def _within(host: str, trunk: Trunk) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in trunk.networks)


def _shown(hop: Hop) -> str:
    host = f"[{hop.host}]" if ":" in hop.host else hop.host
    return f"{host}:{hop.port}/{hop.transport}"
