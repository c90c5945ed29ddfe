"""Who is asking: a carrier by its address, an employee by their password, or nobody we know.

No leg is taken from anybody else, and what each may reach is decided by who they are: a
carrier reaches numbers of ours and nothing else, an employee their own company and, through
it, the outside.

Which domain an employee belongs to is said by the host of From, else of To, else of the
Request-URI: the first that names a domain. Where none does, because a phone was given the
server's address instead of the domain's name, and exactly one domain exists, it is that one;
the digest realm is always the domain's name, so guessing a domain opens nothing.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from vpbx.calls.challenges import Challenges
from vpbx.calls.switch import Switch
from vpbx.directory import DomainConfig, Employee, Ha1Pair, Trunk
from vpbx.sip import Authenticator, AuthResult, Ha1, Hop, Request

__all__ = ["Admission", "Admitted", "Challenged", "Refused"]


@dataclass(frozen=True, slots=True)
class Admitted:
    """An employee who proved the password."""

    domain: DomainConfig
    employee: Employee


@dataclass(frozen=True, slots=True)
class Challenged:
    """Somebody who has to prove it (again): 401 with these."""

    challenges: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Somebody who will not be let in."""

    code: int
    reason: str = ""


class Admission:
    """Decides by request and source."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        config = switch.config
        self._authenticator = Authenticator(
            config.secret, clock=switch.clock, nonce_ttl_s=config.nonce_ttl_s
        )
        self._challenges = Challenges()

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

    async def employee(self, request: Request, hop: Hop) -> Admitted | Challenged | Refused:
        """Find out which employee sends `request`.

        The password must be that of the employee whom From names (To, for a REGISTER): nobody
        speaks for a colleague. Failures are counted, and the SIP layer shuts their source out.
        """
        throttle = self._switch.stack.layer.throttle
        try:
            name = (
                request.to_address if request.method == "REGISTER" else request.from_address
            ).uri
            domain = await self._domain(request)
        except ValueError:
            return Refused(400)
        if domain is None:
            throttle.failed(hop)
            return Refused(403, "Unknown domain")
        verdict = self._authenticator.verify(request, domain.name, lambda user: _ha1(domain, user))
        if verdict.result is AuthResult.OK:
            self._challenges.answered(request, hop)
            employee = domain.find_employee(verdict.username)
            if employee is None or employee is not domain.find_employee(name.user or ""):
                throttle.failed(hop)
                return Refused(403, "Not your name")
            return Admitted(domain, employee) if domain.enabled else Refused(403, "Domain is off")
        if verdict.result is AuthResult.WRONG:
            throttle.failed(hop)
        stale = verdict.result is AuthResult.STALE
        md5_only = self._challenges.md5_only(request, hop)
        return Challenged(
            tuple(self._authenticator.challenges(domain.name, stale=stale, md5_only=md5_only))
        )

    async def is_employees(self, request: Request) -> bool:
        """Say whether To names an employee of the domain that a REGISTER is for."""
        try:
            domain = await self._domain(request)
            user = request.to_address.uri.user or ""
        except ValueError:
            return False
        return domain is not None and domain.find_employee(user) is not None

    async def _domain(self, request: Request) -> DomainConfig | None:
        directory = self._switch.directory
        for host in (
            request.from_address.uri.host,
            request.to_address.uri.host,
            request.uri.host,
        ):
            if host and directory.knows(host):
                return await directory.domain(host)
        names = directory.domain_names()
        return await directory.domain(names[0]) if len(names) == 1 else None

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
        return 0 if host == own or _is_address(host) else 404


def _ha1(domain: DomainConfig, username: str) -> Ha1 | None:
    """Return what is kept for a username, which is a login or an ext."""
    employee = domain.find_employee(username)
    if employee is None:
        return None
    pair: Ha1Pair = employee.ha1_ext if username == employee.ext else employee.ha1_login
    return Ha1(pair.md5, pair.sha256) if pair.md5 and pair.sha256 else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host == "localhost"
    return True
