"""Where a SIP name is reached: RFC 3263 over real DNS, never blocking, never for long.

`Resolver.find` answers one question. What it gives has a time to live, and an order that is
drawn anew for each call where SRV records carry weights (RFC 2782). An IP address and a name of
/etc/hosts need no DNS at all. See `followed` for names that are kept current.

    no port, no transport    NAPTR, else SRV of UDP, TCP and TLS, else addresses
    no port, a transport     SRV of it, else addresses
    a port                   addresses

Two kinds of failure are told apart: a name that is not there (`Unresolved.gone`), and servers
that do not answer. After the second kind what was known before stays good.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver

from vpbx.addresses import is_address
from vpbx.frozen import dataclass
from vpbx.sip.etc_hosts import EtcHosts
from vpbx.sip.transport import Hop

__all__ = ["LONGEST_S", "SHORTEST_S", "Found", "Resolver", "Unresolved", "default_port"]

_LIFETIME_S = 4.0
_ONE_SERVER_S = 1.5
SHORTEST_S = 1.0
LONGEST_S = 3600.0
_LOCAL_S = 30.0
"""A name of /etc/hosts is looked up again after so long; addresses never."""
_MAX_HOPS = 16
_SERVICES = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
_SRV = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}


class Unresolved(OSError):
    """A name leads nowhere. `gone`: DNS says so; else nobody could be asked."""

    def __init__(self, reason: str, *, gone: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.gone = gone


@dataclass(frozen=True, slots=True)
class _Place:
    """One target of a name: its addresses, and the place RFC 2782 gives it."""

    priority: int
    weight: int
    hops: tuple[Hop, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What a name leads to, for `ttl_s` seconds; 0: for good."""

    places: tuple[_Place, ...]
    ttl_s: float = 0.0

    @property
    def hops(self) -> tuple[Hop, ...]:
        """All hops, in no order that matters."""
        return tuple(hop for place in self.places for hop in place.hops)

    def order(self, rng: random.Random | None = None) -> tuple[Hop, ...]:
        """Return the hops in the order to try them now: by priority, then by lot and weight."""
        draw = (rng or random).uniform
        left = sorted(self.places, key=lambda place: (place.priority, place.weight))
        chosen: list[Hop] = []
        while left:
            first = [place for place in left if place.priority == left[0].priority]
            point = draw(0, sum(place.weight for place in first))
            for place in first:
                point -= place.weight
                if point <= 0:
                    break
            left.remove(place)
            chosen += place.hops
        return tuple(dict.fromkeys(chosen))


def default_port(transport: str) -> int:
    """Return the port of a transport where nobody names one (RFC 3261 §19.1.2)."""
    return 5061 if transport == "tls" else 5060


class Resolver:
    """Asks DNS where names are reached.

    nameservers: (address, port) of those to ask instead of the system's.
    ipv6: whether addresses of that family are of any use.
    """

    def __init__(
        self,
        *,
        nameservers: Sequence[tuple[str, int]] = (),
        ipv6: bool = True,
        hosts: Path = Path("/etc/hosts"),
        resolv_conf: Path = Path("/etc/resolv.conf"),
    ) -> None:
        self.ipv6 = ipv6
        self._given = tuple(nameservers)
        self._hosts = EtcHosts(hosts)
        self._resolv_conf = resolv_conf
        self._asking: dns.asyncresolver.Resolver | None = None
        self._asking_as_of = -1.0

    def local(self, host: str, port: int = 0, transport: str = "") -> Found | None:
        """Return what needs no DNS: an address, a name of /etc/hosts. None: ask `find`."""
        host = host.strip("[]").lower().rstrip(".")
        transport = transport or "udp"
        port = port or default_port(transport)
        if is_address(host):
            return Found((_Place(0, 0, (Hop(transport, host, port),)),))
        usable = [one for one in self._hosts.find(host) if self.ipv6 or ":" not in one]
        if not usable:
            return None
        hops = tuple(
            Hop(transport, one, port, name=_server_name(transport, host)) for one in usable
        )
        return Found((_Place(0, 0, hops),), _LOCAL_S)

    async def find(self, host: str, port: int = 0, transport: str = "") -> Found:
        """Return where `host` is reached; raises Unresolved within a few seconds.

        port 0 and transport "": not given, DNS says (RFC 3263 §4). The hops of TLS carry the
        name that was asked for, which is the one its certificate must show (RFC 5922 §4).
        """
        local = self.local(host, port, transport)
        if local is not None:
            return local
        host = host.lower().rstrip(".")
        try:
            async with asyncio.timeout(2 * _LIFETIME_S):
                if port:
                    return await self._addresses(host, port, transport or "udp", host)
                return await self._services(host, transport)
        except TimeoutError:
            raise Unresolved("the name servers do not answer", gone=False) from None

    async def _services(self, host: str, transport: str) -> Found:
        """Follow NAPTR and SRV, else take the name's own addresses."""
        wanted = [transport] if transport else []
        records: list[tuple[str, str]] = []
        ttl_s = LONGEST_S
        if not transport:
            records, ttl_s = await self._naptr(host)
        records = records or [(t, f"{_SRV[t]}.{host}") for t in wanted or ("udp", "tcp", "tls")]
        answers = await asyncio.gather(
            *(self._srv(name, kind, host, 100 * i) for i, (kind, name) in enumerate(records)),
            return_exceptions=True,
        )
        found = [answer for answer in answers if isinstance(answer, Found)]
        places = tuple(place for answer in found for place in answer.places)
        if places:
            return Found(places[:_MAX_HOPS], min([ttl_s, *(one.ttl_s for one in found)]))
        failed = [a for a in answers if isinstance(a, BaseException)]
        for error in failed:
            if not isinstance(error, Unresolved):
                raise error
            if not error.gone:
                raise error  # to go on with the plain address would be a guess
        if any(error.args[0] == _REFUSED for error in failed):
            raise Unresolved(_REFUSED, gone=True)
        transport = transport or "udp"
        return await self._addresses(host, default_port(transport), transport, host)

    async def _naptr(self, host: str) -> tuple[list[tuple[str, str]], float]:
        """Return (transport, name of SRV records) in the order the domain prefers.

        Most domains have no such records, and some name servers choke on the question; either
        way SRV records are asked for by their usual names.
        """
        try:
            answer = await self._ask(host, "NAPTR")
        except Unresolved as error:
            return [], LONGEST_S if error.gone else _LOCAL_S
        records = sorted(answer, key=lambda record: (record.order, record.preference))
        found = []
        for record in records:
            transport = _SERVICES.get(record.service.decode("ascii", "replace").upper())
            if transport is not None and record.flags.lower() == b"s":
                found.append((transport, str(record.replacement).rstrip(".")))
        return found, float(answer.rrset.ttl)

    async def _srv(self, name: str, transport: str, asked: str, after: int) -> Found:
        """Return the targets of SRV records; those of a less wanted service come `after`."""
        answer = await self._ask(name, "SRV")
        if [str(record.target) for record in answer] == ["."]:
            raise Unresolved(_REFUSED, gone=True)
        targets = sorted(answer, key=lambda record: (record.priority, -record.weight))[:_MAX_HOPS]
        found = await asyncio.gather(
            *(
                self._addresses(str(record.target).rstrip("."), record.port, transport, asked)
                for record in targets
            ),
            return_exceptions=True,
        )
        places, ttl_s = [], float(answer.rrset.ttl)
        for record, answered in zip(targets, found, strict=True):
            if isinstance(answered, Found):
                hops = answered.hops
                places.append(_Place(after + record.priority, record.weight, hops))
                ttl_s = min(ttl_s, answered.ttl_s)
        if not places:
            error = next(one for one in found if isinstance(one, BaseException))
            raise error
        return Found(tuple(places), ttl_s)

    async def _addresses(self, host: str, port: int, transport: str, asked: str) -> Found:
        local = self.local(host, port, transport)
        if local is not None:
            return local
        kinds = ("A", "AAAA") if self.ipv6 else ("A",)
        answers = await asyncio.gather(
            *(self._ask(host, kind) for kind in kinds), return_exceptions=True
        )
        hops, ttl_s = [], LONGEST_S
        for answer in answers:
            if isinstance(answer, BaseException):
                continue
            ttl_s = min(ttl_s, float(answer.rrset.ttl))
            name = _server_name(transport, asked)
            hops += [Hop(transport, record.address, port, name=name) for record in answer]
        if hops:
            return Found((_Place(0, 0, tuple(hops)),), max(ttl_s, SHORTEST_S))
        failed = [answer for answer in answers if isinstance(answer, BaseException)]
        raise next((e for e in failed if not isinstance(e, Unresolved) or not e.gone), failed[0])

    async def _ask(self, name: str, kind: str) -> Any:
        try:
            answer = await self._resolver().resolve(
                name, kind, lifetime=_LIFETIME_S, search="." not in name
            )
        except dns.resolver.NXDOMAIN:
            raise Unresolved(f"there is no {name}", gone=True) from None
        except dns.resolver.NoAnswer:
            raise Unresolved(f"{name} has no address", gone=True) from None
        except dns.exception.Timeout:
            raise Unresolved("the name servers do not answer", gone=False) from None
        except dns.resolver.NoResolverConfiguration:
            raise Unresolved("this machine has no name servers", gone=False) from None
        except (dns.resolver.NoNameservers, OSError):
            raise Unresolved("the name servers cannot say", gone=False) from None
        except (dns.exception.DNSException, ValueError, UnicodeError) as error:
            raise Unresolved(f"{name} is no name: {type(error).__name__}", gone=True) from None
        return answer

    def _resolver(self) -> dns.asyncresolver.Resolver:
        """Return what asks, made anew when the system's settings have changed."""
        if self._given:
            if self._asking is None:
                self._asking = dns.asyncresolver.Resolver(configure=False)
                self._asking.nameservers = [
                    dns.nameserver.Do53Nameserver(host, port) for host, port in self._given
                ]
                self._asking.timeout = _ONE_SERVER_S
            return self._asking
        as_of = 0.0
        with suppress(OSError):
            as_of = self._resolv_conf.stat().st_mtime
        if self._asking is None or as_of != self._asking_as_of:
            self._asking = dns.asyncresolver.Resolver(str(self._resolv_conf))
            self._asking.timeout = _ONE_SERVER_S
            self._asking_as_of = as_of
        return self._asking


_REFUSED = "it says that it takes no SIP"


def _server_name(transport: str, host: str) -> str:
    return host if transport == "tls" else ""
