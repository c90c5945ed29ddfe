"""Accounts we hold at other operators: registered there, kept so, and known when they call.

An account is a company's registration (crm-api §14) or a trunk with `--register`. `sync` is
given all there should be, as often as anything changed, and starts, stops and restarts what
differs. A call through an account is known by the Contact we registered, which holds a token
that only the operator was told: an address can be forged, and many companies share one.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from itertools import count

import structlog

from vpbx.calls.ways import Way
from vpbx.clock import Clock
from vpbx.directory import DomainConfig, Number, RegistrationStatus
from vpbx.frozen import dataclass
from vpbx.outside import Private, is_public
from vpbx.sip import Credentials, Hop, Registration, RegistrationState, SipStack, Target
from vpbx.sip.followed import Followed
from vpbx.sip.message import new_call_id
from vpbx.sip.resolver import Resolver

__all__ = ["Account", "Accounts", "registration_key"]

log = structlog.get_logger("vpbx.calls")

KEEP_ALIVE_S = 28.0
PRIVATE = "leads to a private network, see --allow-private-crm"
_MARK = "r-"


@dataclass(frozen=True, slots=True)
class Account:
    """What is needed to register somewhere."""

    key: str
    host: str
    """The operator's domain: of the Request-URI, From and To."""
    port: int
    login: str
    auth_name: str
    password: str = field(repr=False)
    expires_s: int = 600
    transport: str = ""
    """udp, tcp, tls; "": what DNS says."""
    proxy: tuple[str, int, str] | None = None
    """Where to send to instead of `host`: host, port (0: what DNS says), transport."""
    domain_id: int = 0
    """The company it is of; 0: a trunk's."""
    telnum: str = ""

    @property
    def who(self) -> tuple[str, int, str, tuple[str, int, str]]:
        """What stays the same when only a password or a time changes."""
        return self.host, self.port, self.login, self.place

    @property
    def place(self) -> tuple[str, int, str]:
        """Where its requests go: host, port, transport."""
        return self.proxy or (self.host, self.port, self.transport)

    @property
    def credentials(self) -> Credentials:
        """What challenges are answered with."""
        return Credentials(self.auth_name or self.login, self.password)


def registration_key(domain_id: int, telnum: str) -> str:
    """Return the key of a company's registration."""
    return f"registration {telnum} of {domain_id}"


class _Client:
    """One account being kept registered."""

    def __init__(
        self,
        account: Account,
        name: Followed,
        contact: str,
        series: tuple[str, Iterator[int]],
        stack: SipStack,
        changed: Callable[[_Client], None],
    ) -> None:
        self.account = account
        self.name = name
        self.status = RegistrationStatus.WAITING
        self.reason = ""
        self.stopping = False
        self.begun = False
        self._changed = changed
        host = f"[{account.host}]" if ":" in account.host else account.host
        port = f":{account.port}" if account.port else ""
        self._uri = f"sip:{host}{port}"
        self.registration = Registration(
            stack,
            self._targets,
            f"sip:{account.login}@{host}",
            credentials=account.credentials,
            user=contact,
            expires_s=account.expires_s,
            on_change=self._became,
            call_id=series[0],
            cseq=series[1],
            keep_alive_s=KEEP_ALIVE_S,
        )

    def _targets(self) -> list[Target]:
        return [Target(self._uri, hop) for hop in self.name.order()]

    def moved(self) -> None:
        """The name leads somewhere, elsewhere, or nowhere."""
        registration = self.registration
        if self.stopping or not self.begun:
            return
        if registration.state is RegistrationState.IDLE:
            registration.start()
        elif self.name.hops and (
            registration.state is RegistrationState.FAILED
            or (registration.hop is not None and registration.hop not in self.name.hops)
        ):
            registration.refresh()

    def begin(self) -> None:
        """Register as soon as the name is known."""
        self.begun = True
        self.name.start()
        if not self.name.pending:
            self.registration.start()

    def leave(self) -> None:
        """Unregister, if it is registered."""
        self.stopping = True
        self.name.stop()
        self.registration.stop()

    def _became(self, state: RegistrationState, code: int) -> None:
        before = self.status, self.reason
        if self.stopping:
            if state is RegistrationState.IDLE:
                self._changed(self)
            return
        if state is RegistrationState.REGISTERED:
            self.status, self.reason = RegistrationStatus.SUCCESS, ""
        elif state is RegistrationState.FAILED:
            self.status = RegistrationStatus.ERROR
            self.reason = self.registration.reason
            if self.name.shut:
                self.reason = f"{self.name.host}: {PRIVATE}"
            elif code == 0:
                self.reason = f"{self.name.host}: {self.name.problem or 'does not resolve'}"
        if (self.status, self.reason) != before:
            self._changed(self)


class Accounts:
    """All accounts of this server.

    `secret` makes the Contacts, so that they stay the same over a restart. `changed` hears how
    an account stands, whenever that is news. `private` tells whether companies may register in
    private networks; an account that is the operator's own trunk always may.
    """

    def __init__(
        self,
        resolver: Resolver,
        clock: Clock,
        secret: bytes,
        changed: Callable[[Account, RegistrationStatus, str], None],
        private: Private = lambda: True,
    ) -> None:
        self._private = private
        self._resolver = resolver
        self._clock = clock
        self._secret = secret
        self._told = changed
        self._clients: dict[str, _Client] = {}
        self._leaving: dict[str, _Client] = {}
        self._contacts: dict[str, str] = {}
        self._users: defaultdict[str, list[str]] = defaultdict(list)
        self._series: dict[tuple[str, ...], tuple[str, Iterator[int]]] = {}

    def sync(self, stack: SipStack, wanted: Iterable[Account]) -> None:
        """Keep exactly these accounts registered from now on."""
        by_key = {account.key: account for account in wanted}
        for key, client in list(self._clients.items()):
            following = by_key.get(key)
            if following == client.account:
                continue
            del self._clients[key]
            if following is not None and following.who == client.account.who:
                client.name.stop()  # the same Contact at the same place: just go on from there
                client.registration.abandon()
                continue
            log.info("registration ends", account=key, operator=client.account.host)
            self._leaving[key] = client
            client.leave()
        for key, account in by_key.items():
            if key not in self._clients:
                self._begin(stack, account)
        self._contacts = {self._token(key): key for key in self._clients}
        self._users = defaultdict(list)
        for key, client in self._clients.items():
            if client.account.telnum:
                for user in {client.account.telnum, client.account.login}:
                    self._users[user].append(key)

    def stop(self) -> None:
        """Leave all as they stand: the next start takes them up again."""
        for client in self._clients.values():
            client.name.stop()
            client.registration.abandon()
        self._clients.clear()

    def _begin(self, stack: SipStack, account: Account) -> None:
        who = account.key, account.host, account.login
        series = self._series.setdefault(who, (new_call_id(), count(1)))
        client: _Client

        def moved() -> None:
            client.moved()

        def usable(hop: Hop) -> bool:
            return not account.domain_id or self._private() or is_public(hop.host)

        name = Followed(self._resolver, self._clock, *account.place, changed=moved, usable=usable)
        client = _Client(account, name, self._token(account.key), series, stack, self._changed)
        self._clients[account.key] = client
        leaving = self._leaving.get(account.key)
        if leaving is None or leaving.account.who[:3] != account.who[:3]:
            client.begin()  # else that must be over, or it would undo this

    def _changed(self, client: _Client) -> None:
        account = client.account
        if client.stopping:
            if self._leaving.get(account.key) is client:
                del self._leaving[account.key]
                following = self._clients.get(account.key)
                if following is not None and not following.begun:
                    following.begin()
            return
        if client.status is RegistrationStatus.SUCCESS:
            log.info("registered", account=account.key, operator=account.host)
        else:
            log.warning(
                "cannot register",
                account=account.key,
                operator=account.host,
                login=account.login,
                reason=client.reason,
            )
        self._told(account, client.status, client.reason)

    def _token(self, key: str) -> str:
        digest = hmac.new(self._secret, f"contact {key}".encode(), hashlib.sha256)
        return _MARK + digest.hexdigest()[:20]

    # -- what calls ask ---------------------------------------------------------------------------

    def renew(self, key: str) -> None:
        """Register now, and tell how it went though it be no news."""
        client = self._clients.get(key)
        if client is not None and client.status is not RegistrationStatus.WAITING:
            client.status = RegistrationStatus.WAITING
            client.registration.refresh()

    def get(self, key: str) -> Account | None:
        """Return the account of this key."""
        client = self._clients.get(key)
        return client.account if client is not None else None

    def registered(self, key: str) -> bool:
        """Say whether an account is registered now."""
        client = self._clients.get(key)
        return client is not None and client.status is RegistrationStatus.SUCCESS

    def state(self, key: str) -> tuple[str, str]:
        """Return how an account stands (`RegistrationStatus`, "ok" for success), and why."""
        client = self._clients.get(key)
        if client is None:
            return "waiting", ""
        good = client.status is RegistrationStatus.SUCCESS
        return ("ok" if good else str(client.status)), client.reason

    def hops(self, key: str) -> tuple[Hop, ...]:
        """Return where calls through an account go: the registrar that knows us, first."""
        client = self._clients.get(key)
        if client is None:
            return ()
        hops, here = client.name.order(), client.registration.hop
        if here is None or here not in hops:
            return hops
        return (here, *(hop for hop in hops if hop != here))

    def route(self, key: str) -> tuple[str, ...]:
        """Return the Service-Route an account was given (RFC 3608)."""
        client = self._clients.get(key)
        return client.registration.service_route if client is not None else ()

    def way(self, domain: DomainConfig, number: Number) -> Way | None:
        """Return the way out of a company's number that is registered elsewhere."""
        registration = domain.settings.sip_registrations.get(number.telnum)
        if registration is None or not (registration.active and registration.outgoing):
            return None
        key = registration_key(domain.id, number.telnum)
        client = self._clients.get(key)
        hops = self.hops(key)
        if client is None or not hops:
            return None
        account = client.account
        return Way(
            key=key,
            host=account.host,
            port=account.port,
            hops=hops,
            transport=account.transport,
            credentials=account.credentials,
            from_user=account.login,
            from_domain=f"[{account.host}]" if ":" in account.host else account.host,
            route=self.route(key),
        )

    def by_contact(self, user: str) -> Account | None:
        """Return the account whose registered Contact has this user part."""
        if not user.startswith(_MARK):
            return None
        client = self._clients.get(self._contacts.get(user, ""))
        return client.account if client is not None else None

    def by_operator(self, source: Hop, user: str) -> Account | None:
        """Return the account an operator means that does not call our Contact as we gave it.

        Some write the number or the login in its place. That counts only when it comes from
        the very registrar that keeps us registered for this number.
        """
        for key in self._users.get(user.lstrip("+"), ()):
            client = self._clients[key]
            hop = client.registration.hop
            if hop is None or client.status is not RegistrationStatus.SUCCESS:
                continue
            same_port = hop.port == source.port or source.transport != "udp"
            if (hop.host, hop.transport) == (source.host, source.transport) and same_port:
                return client.account
        return None
