"""The company-wide settings of crm-api §10–§17, as frozen values of a domain's snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol

from vpbx.directory.directions import directions_of, region_of

_NOTHING: Mapping[Any, Any] = MappingProxyType({})


class Caller(Protocol):
    """Who calls: an employee, as far as rules are concerned."""

    @property
    def login(self) -> str:
        """Their login."""


class Place(Protocol):
    """Somebody's place in a department, as far as rules are concerned."""

    @property
    def login(self) -> str:
        """Whose it is."""

    @property
    def branch_domain(self) -> str:
        """The connected PBX they belong to, "" for one of ours."""


class Unit(Protocol):
    """A department, as far as rules are concerned."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def members(self) -> Sequence[Place]:
        """Who is in it."""


class Company(Protocol):
    """A domain, as far as rules are concerned."""

    @property
    def country(self) -> str:
        """Its country, as ISO 3166 has it."""

    @property
    def main_telnum(self) -> str:
        """Its main number, "" when it has none."""

    @property
    def employees(self) -> Mapping[str, Caller]:
        """By login."""

    @property
    def departments(self) -> Mapping[str, Unit]:
        """By id."""

    def departments_of(self, login: str) -> Sequence[Unit]:
        """Return the departments an employee is a member of."""

    def first_admin(self) -> Caller:
        """Return the administrator who has been there longest."""


@dataclass(frozen=True, slots=True)
class BlackList:
    """Callers that are refused (§10): numbers, prefixes (`7900800*`), anonymous ones."""

    entries: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    """telnum or prefix with `*` → comment."""
    block_anonymous: bool = False

    def entry_for(self, client: str) -> str | None:
        """Return the entry that refuses the caller `client` (digits; "" is anonymous).

        "" when it is anonymity that is refused; None when the caller may pass.
        """
        if not client:
            return "" if self.block_anonymous else None
        if not self.entries:
            return None
        if client in self.entries:
            return client
        for length in range(len(client), 0, -1):
            prefix = client[:length] + "*"
            if prefix in self.entries:
                return prefix
        return None


@dataclass(frozen=True, slots=True)
class CallerIds:
    """Outgoing numbers (§12): login, department id and region id → telnum."""

    users: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    groups: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    regions: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    def candidates(self, domain: Company, employee: Caller | None, called: str) -> Iterator[str]:
        """Give the numbers set for a call to `called`, the one to prefer first."""
        if employee is not None:
            if employee.login in self.users:
                yield self.users[employee.login]
            if self.groups:
                for department in domain.departments_of(employee.login):
                    if department.id in self.groups:
                        yield self.groups[department.id]
        if self.regions:
            region = region_of(called)
            if region is not None and region.id in self.regions:
                yield self.regions[region.id]
        if domain.main_telnum:
            yield domain.main_telnum


@dataclass(frozen=True, slots=True)
class Restrictions:
    """Allowed directions (§13): of all, and by login and department id."""

    main: frozenset[str] = frozenset({"ALL"})
    users: Mapping[str, frozenset[str]] = field(default_factory=lambda: _NOTHING)
    groups: Mapping[str, frozenset[str]] = field(default_factory=lambda: _NOTHING)

    def allows(self, domain: Company, employee: Caller, called: str) -> bool:
        """Say whether `employee` may call `called` (digits, E.164).

        By their own rule; else by a rule of one of their departments; else by main.
        """
        if employee.login in self.users:
            rules = [self.users[employee.login]]
        else:
            of_groups = [
                self.groups[department.id]
                for department in domain.departments_of(employee.login)
                if department.id in self.groups
            ]
            rules = of_groups or [self.main]
        return _let_through(rules, domain, called)

    def allows_department(self, domain: Company, group: str, called: str) -> bool:
        """Say whether a department may call `called` for itself: by its rule, else by main."""
        return _let_through([self.groups.get(group, self.main)], domain, called)


def _let_through(rules: Iterable[frozenset[str]], domain: Company, called: str) -> bool:
    """Say whether any of these rules allows to call `called`."""
    if any("ALL" in rule for rule in rules):
        return True
    home = domain.main_telnum
    taken = set(directions_of(called, home=home, country=domain.country))
    return any(not taken.isdisjoint(rule) for rule in rules)


@dataclass(frozen=True, slots=True)
class Music:
    """A chosen sound (§11 music): id of the file, its name, whether the company uploaded it."""

    file: str
    name: str
    uploaded: bool = False


@dataclass(frozen=True, slots=True)
class VoicemailCopies:
    """Who gets voicemail by e-mail (§11 am): everybody, employees, departments, an address."""

    all: bool = False
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    email: str = ""

    def covers(self, domain: Company, login: str) -> bool:
        """Say whether voicemail is on for an employee: all, named, or of a department named."""
        return (
            self.all
            or login in self.users
            or any(group.id in self.groups for group in domain.departments_of(login))
        )

    def boxes(self, domain: Company, *, user: str = "", group: str = "") -> tuple[str, ...]:
        """Return whose mailboxes a message for an employee or department goes into, by login.

        Of a department those of its members who have voicemail, else all its members; of
        neither everybody who has it, else the first administrator: a message is never lost.
        """
        if user in domain.employees:
            return (user,)
        department = domain.departments.get(group)
        if department is None:
            logins = [login for login in domain.employees if self.covers(domain, login)]
            return tuple(logins) or (domain.first_admin().login,)
        members = [
            member.login
            for member in department.members
            if not member.branch_domain and member.login in domain.employees
        ]
        if not members:
            return (domain.first_admin().login,)
        if group in self.groups:
            return tuple(members)
        return tuple(m for m in members if self.covers(domain, m)) or tuple(members)


class RegistrationStatus(StrEnum):
    """How a SIP registration stands (§14)."""

    SUCCESS = "success"
    WAITING = "waiting"
    ERROR = "error"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class SipRegistration:
    """A number of another operator that we register there (§14)."""

    telnum: str
    active: bool
    name: str
    domain: str
    auth_name: str
    expires: int
    proxy: str
    status: RegistrationStatus
    outgoing: bool
    login: str = field(repr=False, default="")
    sealed_password: str = field(repr=False, default="")
    """Encrypted; `Directory.sip_registrations.password` opens it."""
    id: int = 0
    reason: str = ""
    """Why the status is what it is, for who looks after it."""


def registration_of(row: Any, telnum: str) -> SipRegistration:
    """Return the value of a row of `sip_registrations`, of the number `telnum`."""
    return SipRegistration(
        telnum=telnum,
        active=row.active,
        name=row.name,
        domain=row.domain,
        auth_name=row.auth_name,
        expires=row.expires,
        proxy=row.proxy,
        status=RegistrationStatus(row.status) if row.active else RegistrationStatus.OFF,
        outgoing=row.outgoing,
        login=row.login,
        sealed_password=row.sealed_password,
        id=row.id,
        reason=row.reason if row.active else "",
    )


@dataclass(frozen=True, slots=True)
class SipuriTransfer:
    """An address of ours another operator sends a number's calls to (§15): user part `pbx-…`."""

    telnum: str
    uri: str
    active: bool


class BranchStatus(StrEnum):
    """How the connection to another PBX stands (§16)."""

    WAITING = "waiting"
    SUCCESS = "success"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class BranchUser:
    """An employee or department of a connected PBX, as its directory told."""

    login: str
    name: str
    ext: str
    kind: str = "user"
    """user or group."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A connected PBX (§16)."""

    name: str
    domain: str
    status: BranchStatus
    users_count: int = 0
    groups_count: int = 0
    exts_count: int = 0
    collisions_count: int = 0
    key: str = field(repr=False, default="")
    """Encrypted; `Directory.branches.key` opens it."""
    members: tuple[BranchUser, ...] = ()
    id: int = 0
    reason: str = ""
    """Why the status is what it is, for who looks after it."""
    url: str = ""
    """Where its directory is asked, "" for https://DOMAIN."""
    sip: str = ""
    """Where its calls go, HOST:PORT or a SIP URI; "" for what it told, else what DNS says."""
    sip_told: str = ""
    """What the other side said of where it takes calls."""
    ca: str = field(repr=False, default="")
    """Authority its certificate is checked by, PEM; "" for the system's."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A subscription (§17)."""

    id: str
    type: str
    url: str


@dataclass(frozen=True, slots=True)
class MediaFile:
    """An uploaded sound of the media catalogue (§11). path: below the media directory.

    What the built-in voice said has the text and its language (`SPOKEN_LANGUAGES`).
    """

    id: str
    type: str
    name: str
    path: str
    duration_s: float = 0.0
    size_bytes: int = 0
    text: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """All of the above for one domain."""

    blacklist: BlackList = BlackList()
    caller_ids: CallerIds = CallerIds()
    restrictions: Restrictions = Restrictions()
    ringback: Music = Music("ringback", "Ringback tone")
    holdmusic: Music = Music("holdmusic", "Morning wave")
    blf_users: frozenset[str] = frozenset()
    voicemail: VoicemailCopies = VoicemailCopies()
    sip_registrations: Mapping[str, SipRegistration] = field(default_factory=lambda: _NOTHING)
    sipuri_transfers: Mapping[str, SipuriTransfer] = field(default_factory=lambda: _NOTHING)
    branches: Mapping[str, Branch] = field(default_factory=lambda: _NOTHING)
    webhooks: tuple[Webhook, ...] = ()
    media: Mapping[str, MediaFile] = field(default_factory=lambda: _NOTHING)
    prompts: Mapping[str, MediaFile] = field(default_factory=lambda: _NOTHING)
    """Name of a built-in prompt → the company's own, of those it has replaced."""
