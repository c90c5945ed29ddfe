"""Calls between this company and a connected PBX (crm-api §16), by internal number.

They are SIP like any other. Both prove themselves by digest: the name is the caller's domain,
the password what the shared key makes (`vpbx.branches`). Who comes in this way reaches employees
and departments, never the outside. Two companies of one server call each other the same way,
through the server's own socket, so that each has the call in its own history.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import structlog

from vpbx.addresses import is_address
from vpbx.branches import BranchSecrets
from vpbx.calls.ways import Way
from vpbx.clock import Clock
from vpbx.directory import (
    Branch,
    BranchStatus,
    BranchUser,
    Directory,
    DomainConfig,
    Employee,
    Member,
    read_place,
)
from vpbx.events import Party
from vpbx.frozen import dataclass
from vpbx.outside import is_public
from vpbx.sip import (
    Authenticator,
    AuthResult,
    Credentials,
    Ha1,
    Hop,
    Proof,
    Request,
    SipStack,
    Throttle,
    ha1,
    network_of,
)
from vpbx.sip.followed import Followed
from vpbx.sip.resolver import Resolver
from vpbx.tasks import watched

__all__ = ["Across", "Visitor", "colleague_party", "connected", "member", "ringee"]

log = structlog.get_logger("vpbx.calls")

_OWN = "127.0.0.1"
_NAME_S = 5.0


@dataclass(slots=True)
class _Peer:
    """One connection, ready for calls."""

    branch: Branch
    password: str
    names: tuple[Followed, ...]
    """Where its calls go, the most wanted first; none: to ourselves."""
    tls: bool = False
    """Whether the first of `names` is TLS, and answers."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A call from a connected PBX that has proved itself: who calls, and whom."""

    domain: DomainConfig
    caller: Party
    ext: str


def ringee(domain: DomainConfig, login: str) -> Employee | None:
    """Return who is rung under this login: an employee, or somebody of a connected PBX.

    The latter are called `login@domain`, as no employee of ours can be.
    """
    name, at, peer = login.partition("@")
    if not at:
        return domain.employees.get(login)
    branch = domain.settings.branches.get(peer)
    people = branch.members if branch is not None else ()
    found = next((p for p in people if p.kind == "user" and p.login == name), None)
    if found is None or not found.ext:
        return None
    return Employee(0, login, found.ext, found.name)


def member(domain: DomainConfig, of: Member) -> Employee | None:
    """Return who a department's member is."""
    return ringee(domain, f"{of.login}@{of.branch_domain}" if of.branch_domain else of.login)


def connected(domain: DomainConfig, login: str) -> bool:
    """Say whether the PBX of `login@domain` is connected."""
    branch = domain.settings.branches.get(login.partition("@")[2])
    return branch is not None and branch.status is BranchStatus.SUCCESS


def colleague_party(person: BranchUser, peer: str) -> Party:
    """Return somebody of a connected PBX as call events name them."""
    return Party(f"{person.login}@{peer}", person.name, person.ext)


class Across:
    """The ways to connected PBXs, and who comes from there."""

    def __init__(
        self,
        directory: Directory,
        resolver: Resolver,
        clock: Clock,
        secrets: BranchSecrets,
        secret: bytes,
        throttle: Throttle | None = None,
    ) -> None:
        self._directory = directory
        self._resolver = resolver
        self._clock = clock
        self._secrets = secrets
        self._authenticator = Authenticator(secret, clock=clock)
        self._throttle = throttle or Throttle(clock)
        self._stack: SipStack | None = None
        self._peers: dict[tuple[int, str], _Peer] = {}
        self._probes: set[asyncio.Task[None]] = set()

    async def prepare(self, stack: SipStack) -> None:
        """Be ready to call every connected PBX, as it is set now."""
        self._stack = stack
        seen = set()
        for domain_id in self._directory.connecting():
            domain = await self._directory.domain_by_id(domain_id)
            if domain is None or not domain.enabled or not domain.services.branch:
                continue
            for branch in domain.settings.branches.values():
                at = domain.id, branch.domain
                seen.add(at)
                before = self._peers.get(at)
                if before is None or _changed(before.branch, branch):
                    await self._take(at, domain, branch, stack)
        for gone in self._peers.keys() - seen:
            for name in self._peers.pop(gone).names:
                name.stop()

    async def _take(
        self, at: tuple[int, str], domain: DomainConfig, branch: Branch, stack: SipStack
    ) -> None:
        try:
            password = await self._secrets.sip_password(domain, branch)
        except ValueError as error:
            log.error("the key of a connected PBX cannot be read", reason=str(error))
            return
        here = self._directory.knows(branch.domain) and not branch.sip
        names = (
            ()
            if here
            else tuple(self._follow(place, told=not branch.sip) for place in _places(branch))
        )
        peer = _Peer(branch, password, names)
        if before := self._peers.get(at):
            for name in before.names:
                name.stop()
        self._peers[at] = peer
        if names and names[0].transport == "tls":
            probe = watched(asyncio.get_running_loop().create_task(self._probe(peer, stack)))
            self._probes.add(probe)
            probe.add_done_callback(self._probes.discard)

    async def _probe(self, peer: _Peer, stack: SipStack) -> None:
        """Find out, beside everything else, whether the other side answers by TLS."""
        await peer.names[0].ready(_NAME_S)
        for hop in _by_name(peer.names[0].hops[:1], peer.branch.domain):
            peer.tls = await stack.layer.can_connect(hop)

    def _follow(self, place: tuple[str, int, str], *, told: bool) -> Followed:
        """`told`: the other side, or the company, says so, not who runs this server."""

        def usable(hop: Hop) -> bool:
            return not told or self._directory.private() or is_public(hop.host)

        name = Followed(self._resolver, self._clock, *place, usable=usable)
        name.start()
        return name

    def stop(self) -> None:
        """Follow no name any more."""
        for probe in self._probes:
            probe.cancel()
        for peer in self._peers.values():
            for name in peer.names:
                name.stop()
        self._peers.clear()

    # -- out --------------------------------------------------------------------------------------

    def way(self, domain: DomainConfig, peer: str, stack: SipStack) -> Way | None:
        """Return the way to a connected PBX; None when it leads nowhere now."""
        found = self._peers.get((domain.id, peer))
        if found is None:
            return None
        names = found.names if found.tls or len(found.names) < 2 else found.names[1:]
        hops = tuple(hop for name in names for hop in _by_name(name.order(), peer))
        if not found.names:
            own = own_socket(stack)
            hops = (own,) if own is not None else ()
        if not hops:
            return None
        return Way(
            key=f"branch {peer} of {domain.name}",
            host=peer,
            hops=hops,
            credentials=Credentials(domain.name, found.password),
            encrypts=True,
        )

    # -- in ---------------------------------------------------------------------------------------

    def knocks(self, request: Request, hop: Hop) -> bool:
        """Say whether a call claims to come from a PBX that the company called has added."""
        try:
            peer, here = request.from_address.uri.host.lower(), request.uri.host.lower()
        except ValueError:
            return False
        domain = self._directory.cached(here)
        if domain is None or domain.id not in self._directory.connected_to(peer):
            return False
        # employees of a company here call from their phones, not from our own socket
        return not self._directory.knows(peer) or _is_ours(hop, self._stack)

    def asks(self, request: Request, hop: Hop) -> list[str]:
        """Return the challenges for a call that answers none which was sent to its source; none
        when it does, rightly or not."""
        source, realm = network_of(hop.host), request.uri.host.lower()
        proof, _ = self._authenticator.proof(request, realm, source)
        if proof is Proof.PROVED:
            return []
        return self._authenticator.challenges(realm, source=source, stale=proof is Proof.UNPROVED)

    async def visitor(
        self, request: Request, hop: Hop, stack: SipStack
    ) -> Visitor | list[str] | None:
        """Return who calls whom; challenges when that is to be proved; None: nobody we know."""
        peer = request.from_address.uri.host.lower()
        domain = await self._directory.domain(request.uri.host)
        found = self._peers.get((domain.id, peer)) if domain is not None else None
        if domain is None or found is None or not domain.enabled:
            return None
        known = ha1(peer, domain.name, found.password)

        def lookup(name: str) -> Ha1 | None:
            return known if name == peer else None

        source, account = network_of(hop.host), f"branch {peer} of {domain.name}"
        if self._throttle.shut_out(hop, account):
            return self._authenticator.challenges(domain.name, source=source)
        verdict = self._authenticator.verify(request, domain.name, lookup, source)
        if not verdict.ok:
            if verdict.result is AuthResult.WRONG:
                self._throttle.failed(hop, account, login=peer, domain=domain.name)
            stale = verdict.result is AuthResult.STALE
            return self._authenticator.challenges(domain.name, source=source, stale=stale)
        stack.layer.proved(hop, account)
        ext = (request.from_address.uri.user or "")[:64]
        branch = domain.settings.branches.get(peer)
        members = branch.members if branch is not None else ()
        person = next((each for each in members if each.ext == ext), None)
        name = request.from_address.name or (person.name if person is not None else "")
        login = person.login if person is not None else ext
        caller = Party(f"{login}@{peer}", name[:80], ext)
        return Visitor(domain, caller, request.uri.user or "")


def _by_name(hops: tuple[Hop, ...], peer: str) -> tuple[Hop, ...]:
    """Have the certificate of a TLS hop show the other side's domain, wherever it is."""
    return tuple(
        replace(hop, name=peer) if hop.transport == "tls" and is_address(hop.host) else hop
        for hop in hops
    )


def own_socket(stack: SipStack) -> Hop | None:
    """Return the hop that leads back to ourselves."""
    for listen in stack.listens:
        if listen.transport == "udp" and ":" not in listen.host:
            host = _OWN if listen.host == "0.0.0.0" else listen.host  # noqa: S104 - compared
            return Hop("udp", host, listen.port)
    return None


def _is_ours(hop: Hop, stack: SipStack | None) -> bool:
    own = own_socket(stack) if stack is not None else None
    return own is not None and (own.transport, own.host, own.port) == (
        hop.transport,
        hop.host,
        hop.port,
    )


def _changed(before: Branch, now: Branch) -> bool:
    return (before.id, before.key, before.sip, before.sip_told) != (
        now.id,
        now.key,
        now.sip,
        now.sip_told,
    )


def _places(branch: Branch) -> list[tuple[str, int, str]]:
    """Return where a PBX takes calls: as set here, else as it told, else as DNS says."""
    places = []
    for word in (branch.sip or branch.sip_told).split():
        with suppress(ValueError):
            places.append(read_place(word))
    places = places or [(branch.domain, 0, "")]
    return sorted(places, key=lambda place: place[2] != "tls")
