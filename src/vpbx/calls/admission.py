"""Who is asking: a carrier by its address, an employee by their password, or nobody we know.

No leg is taken from anybody else, and what each may reach is decided by who they are: a
carrier reaches numbers of ours and nothing else, an employee their own company and, through
it, the outside.

Which domain an employee belongs to is said by the host of From, else of To, else of the
Request-URI: the first that names a domain. Where none does, because a phone was given the
server's address instead of the domain's name, and exactly one domain exists, it is that one;
the digest realm is always the domain's name, so guessing a domain opens nothing. Where there
is no such domain the sender is challenged all the same, and never right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from vpbx.addresses import is_address
from vpbx.calls.addresses import hidden_sender, hides_caller
from vpbx.calls.challenges import Challenges
from vpbx.calls.doors import Doors
from vpbx.calls.passes import login_of
from vpbx.calls.peers import Peers, account_of
from vpbx.calls.switch import Switch
from vpbx.calls.watching.package import EVENTS
from vpbx.directory import DomainConfig, Employee, Ha1Pair, Trunk
from vpbx.frozen import dataclass
from vpbx.sip import (
    Authenticator,
    AuthResult,
    Ha1,
    Hop,
    Proof,
    Request,
    Response,
    Standing,
    make_response,
    network_of,
)

__all__ = ["Admission", "Admitted", "Challenged", "Refused"]


@dataclass(frozen=True, slots=True)
class Admitted:
    """An employee who proved the password."""

    domain: DomainConfig
    employee: Employee
    hides: bool = False
    """Whether the called party is not to learn who calls (RFC 3323)."""
    username: str = ""
    """By which they proved it: their login, their ext, or a page's (`Passes`)."""


@dataclass(frozen=True, slots=True)
class Challenged:
    """Somebody who has to prove it (again): 401 with these."""

    challenges: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Somebody who will not be let in."""

    code: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()


_OTHER_URI = "Digest uri is not the Request-URI"
_LATER = (("Retry-After", "30"),)
_MAX_NAME = 128
ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, PRACK, UPDATE, INFO, SUBSCRIBE"
_KNOWN = frozenset(ALLOW.split(", ")) | {"REFER", "NOTIFY", "MESSAGE", "PUBLISH"}

_IN_CALLS = frozenset(("BYE", "PRACK", "UPDATE", "INFO"))


def _challenged(request: Request, challenges: Sequence[str]) -> Response:
    headers = [("WWW-Authenticate", value) for value in challenges]
    return make_response(request, 401, headers=headers)


def answer_outside_of_calls(request: Request) -> Response:
    """Answer what is neither a call, nor part of one, nor a registration."""
    if request.method == "OPTIONS":
        headers = [
            ("Allow", ALLOW),
            ("Allow-Events", EVENTS),
            ("Accept", "application/sdp"),
            ("Supported", "path, replaces"),
        ]
        return make_response(request, 200, headers=headers)
    code = 481 if request.method in _IN_CALLS else 405 if request.method in _KNOWN else 501
    return make_response(request, code, headers=[("Allow", ALLOW)] if code == 405 else ())


class Admission:
    """Decides by request and source."""

    def __init__(self, switch: Switch, doors: Doors) -> None:
        self._switch = switch
        self._doors = doors
        config = switch.config
        self._authenticator = Authenticator(
            config.secret,
            clock=switch.clock,
            nonce_ttl_s=config.nonce_ttl_s,
            without_qop=config.without_qop,
        )
        self._challenges = Challenges()
        self.peers = Peers(switch.directory, self._carries)
        self.throttle = switch.throttle

    def trunk(self, hop: Hop) -> Trunk | None:
        """Return the carrier a request comes from, by its source address."""
        return self._switch.connections.carriers.source(hop)

    def is_carriers(self, hop: Hop, source: Hop) -> bool:
        """Say whether a device's address is a carrier's: that very place, or, for a device
        that registers from elsewhere, any port of the carrier's host."""
        if self.trunk(hop) is not None:
            return True
        known = self._switch.connections.carriers.known_host
        return hop.host != source.host and known(hop.host)

    def _carries(self, hop: Hop) -> bool:
        connections = self._switch.connections
        return connections.carriers.source(hop) is not None or (
            connections.gateways.source(hop) is not None
        )

    def standing(self, hop: Hop) -> Standing:
        """Say who is at a hop (`vpbx.sip.Doorkeeper`)."""
        return self.peers.standing(hop)

    def screen(self, request: Request, hop: Hop) -> Response | None:
        """Answer whoever has not proved that they receive what we send them.

        None for whoever may call without being an employee (`Doors`), and for an employee's
        request with an answer to a challenge that was sent to that very source: whether the
        password is right, `employee` finds out.
        Known and unknown companies and employees are answered alike.
        """
        method = request.method
        if method not in ("INVITE", "REGISTER", "SUBSCRIBE"):
            return answer_outside_of_calls(request)
        if method == "INVITE" and self._doors.visits(request, hop):
            challenges = self._switch.connections.across.asks(request, hop)
            return _challenged(request, challenges) if challenges else None
        if method == "INVITE" and self._doors.knocks(request, hop):
            return None
        try:
            realm = self._realm(request)
            asked = self._gateways_challenges(request, hop, realm)
        except ValueError:
            return make_response(request, 400)
        if asked is not None:
            return _challenged(request, asked) if asked else None
        proof, username = self._authenticator.proof(request, realm, network_of(hop.host))
        if proof is Proof.PROVED:
            return self._turned_away(request, hop, realm, username)
        if proof is Proof.OTHER_URI:
            return make_response(request, 400, _OTHER_URI)
        challenged = self._challenge(request, hop, realm, stale=proof is Proof.UNPROVED)
        return _challenged(request, challenged.challenges)

    def _gateways_challenges(self, request: Request, hop: Hop, realm: str) -> list[str] | None:
        """Return what to ask of a gateway that registers: nothing when it has proved that it
        receives what we send. None: this is no gateway's REGISTER."""
        gateways = self._switch.connections.gateways
        gateway = gateways.named(request) if request.method == "REGISTER" else None
        if gateway is None:
            return None
        domain = self._switch.directory.cached(realm)
        user = request.to_address.uri.user or ""
        if domain is not None and domain.find_employee(user) is not None:
            return None
        return gateways.asks(request, hop)

    def _turned_away(
        self, request: Request, hop: Hop, realm: str, username: str
    ) -> Response | None:
        account = self._account(realm, username)
        if self.peers.account_at(hop) == account or not self.throttle.shut_out(hop, account):
            return None
        return make_response(request, 503, headers=_LATER)

    async def employee(self, request: Request, hop: Hop) -> Admitted | Challenged | Refused:
        """Find out which employee sends `request`.

        The password must be that of the employee whom From names (To, for a REGISTER): nobody
        speaks for a colleague. Only a call may hide its From (RFC 3323): then the credentials
        alone say who it is. Failures are counted by source and account, see `Throttle`.
        """
        try:
            name = (
                request.to_address if request.method == "REGISTER" else request.from_address
            ).uri
            realm = self._realm(request)
        except ValueError:
            return Refused(400)
        domain = await self._switch.directory.domain(realm)
        source = network_of(hop.host)
        _, username = self._authenticator.proof(request, realm, source)
        account = self._account(realm, username)
        familiar = self.peers.is_familiar(hop, account)
        if not familiar and not await self._take_turn(hop, account, realm, username):
            return Refused(503, headers=_LATER)
        verdict = self._authenticator.verify(
            request, realm, lambda user: self._secret(domain, user), source
        )
        if verdict.result is AuthResult.OTHER_URI:
            return Refused(400, _OTHER_URI)
        if verdict.result is not AuthResult.OK or domain is None:
            if verdict.result is AuthResult.WRONG:
                self.throttle.failed(hop, account, login=username, domain=realm)
            return self._challenge(request, hop, realm, stale=verdict.result is AuthResult.STALE)
        self._challenges.answered(request, hop)
        if not familiar:
            self.throttle.give_back(hop, account)
        if self.peers.proved(hop, account):
            self._switch.stack.layer.proved(hop, account)
        return _admitted(domain, request, name.user or "", verdict.username)

    def registered(self, hop: Hop, who: Admitted, until: float) -> None:
        """Know a phone by its place until its registration ends, by the monotonic clock."""
        self.peers.proved(hop, account_of(who.domain.id, who.employee.login), until=until)

    async def _take_turn(self, hop: Hop, account: str, realm: str, username: str) -> bool:
        """Say whether a password may be looked at now, after waiting if need be."""
        wait_s = self.throttle.turn_s(hop, account, login=username, domain=realm)
        if wait_s is None:
            return False
        if wait_s:
            over = asyncio.Event()
            timer = self._switch.clock.call_later(wait_s, over.set)
            try:
                await over.wait()
            finally:
                timer.cancel()
                self.throttle.waited(hop, account)
        return True

    def _challenge(self, request: Request, hop: Hop, realm: str, *, stale: bool) -> Challenged:
        return Challenged(
            tuple(
                self._authenticator.challenges(
                    realm,
                    source=network_of(hop.host),
                    stale=stale,
                    md5_only=self._challenges.md5_only(request, hop),
                )
            )
        )

    async def is_employees(self, request: Request) -> bool:
        """Say whether To names an employee of the domain that a REGISTER is for."""
        try:
            domain = await self._switch.directory.domain(self._realm(request))
            user = request.to_address.uri.user or ""
        except ValueError:
            return False
        return domain is not None and domain.find_employee(user) is not None

    def _account(self, realm: str, username: str) -> str:
        """Name what is being tried: an employee, by login or ext, or what is not there."""
        domain = self._switch.directory.cached(realm)
        employee = domain.find_employee(login_of(username)) if domain is not None else None
        if domain is not None and employee is not None:
            return account_of(domain.id, employee.login)
        return f"{realm}/{username[:_MAX_NAME]}?"

    def _secret(self, domain: DomainConfig | None, username: str) -> Ha1 | None:
        """Return what is kept for a username: a login, an ext, or that of a page's pass."""
        if domain is None:
            return None
        return _ha1(domain, username) or self._switch.passes.secret(domain, username)

    def _realm(self, request: Request) -> str:
        """Return the domain a request is for, or what its sender takes for one."""
        directory = self._switch.directory
        hosts = (
            request.from_address.uri.host,
            request.to_address.uri.host,
            request.uri.host,
        )
        for host in hosts:
            if host and directory.knows(host):
                return host.lower()
        names = directory.domain_names()
        if len(names) == 1:
            return names[0]
        return next((host.lower()[:_MAX_NAME] for host in hosts if host), "sip")

    def out_of_reach(self, request: Request, domain: DomainConfig) -> int:
        """Return what to answer to an employee whose Request-URI leads out of their company.

        0 when it does not: its host is the domain, an address (the server's, as the phone
        knows it) or what the phone takes for the domain. Another company here is forbidden,
        a domain elsewhere is not found.
        """
        try:
            uri, own = request.uri, request.from_address.uri.host.lower()
        except ValueError:
            return 400
        host = uri.host.lower()
        if uri.scheme == "tel" or host == domain.name.lower():
            return 0
        if self._switch.directory.knows(host):
            return 403
        by_place = host == "localhost" or is_address(host.strip("[]"))
        return 0 if host == own or by_place else 404


def _admitted(
    domain: DomainConfig, request: Request, sender: str, username: str
) -> Admitted | Refused:
    """Say who has proved the password of `username`, in a request that names `sender`."""
    employee = domain.find_employee(login_of(username))
    hides = request.method == "INVITE" and hides_caller(request)
    nameless = hides and hidden_sender(request)
    if employee is None or not (nameless or employee is domain.find_employee(sender)):
        return Refused(403, "Not your name")
    if not domain.enabled:
        return Refused(403, "Domain is off")
    return Admitted(domain, employee, hides, username)


def _ha1(domain: DomainConfig, username: str) -> Ha1 | None:
    """Return what is kept for a username, which is a login or an ext."""
    employee = domain.find_employee(username)
    if employee is None:
        return None
    pair: Ha1Pair = employee.ha1_ext if username == employee.ext else employee.ha1_login
    return Ha1(pair.md5, pair.sha256) if pair.md5 and pair.sha256 else None
