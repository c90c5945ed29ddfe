"""What a company has set, as frozen values in the words of crm-api.md.

A `DomainConfig` is one consistent snapshot of a domain; reading it costs attribute lookups.
It never changes: after a change there is a new one. Phone numbers are digits only, with the country
code; employees are named by login, departments by id, numbers by telnum; empty text is "".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from vpbx.directory.errors import Invalid
from vpbx.directory.numbering import normalize
from vpbx.directory.policy import Settings
from vpbx.directory.routes import (
    CustomRoute,
    Day,
    Holding,
    Menu,
    Route,
    production_calendar,
    route_at,
)

_NOTHING: Mapping[Any, Any] = MappingProxyType({})


class Role(StrEnum):
    """What an employee may do in the console (crm-api §6)."""

    ADMIN = "admin"
    GROUP_HEAD = "group_head"
    USER = "user"
    RESTRICTED_USER = "restricted_user"


class CallOrder(StrEnum):
    """How a department's employees are rung (crm-api §8)."""

    ALL = "ALL"
    EVENLY = "EVENLY"
    BYORDER = "BYORDER"
    WATERFALL = "WATERFALL"


class Advanced(StrEnum):
    """What a waiting caller is offered when all are busy (crm-api §8)."""

    OFF = "off"
    MSG_BUSY = "msg_busy"
    CALLBACK = "callback"


class TimeoutTarget(StrEnum):
    """Where a call goes that a department did not take in time (crm-api §8)."""

    VOICEMAIL = "voicemail"
    USER = "user"
    GROUP = "group"
    TELNUM = "telnum"
    MSG_BUSY = "msg_busy"


class NumberType(StrEnum):
    """What answers a number (crm-api §9)."""

    USER = "user"
    GROUP = "group"
    IVR = "ivr"
    SCHEDULER = "scheduler"
    FAX = "fax"


class Origin(StrEnum):
    """How a number came to the domain: by the operator's trunk, §14, or §15."""

    OPERATOR = "operator"
    SIP_REGISTRATION = "sip_registration"
    SIPURI = "sipuri"


class Format(StrEnum):
    """How commands to the CRM are encoded."""

    AUTO = "auto"
    FORM = "form"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Ha1Pair:
    """H(username:realm:password), hex, realm = the domain's name. Empty: no such login."""

    md5: str = ""
    sha256: str = ""

    def __repr__(self) -> str:
        return "Ha1Pair(...)"


@dataclass(frozen=True, slots=True)
class MobileRedirect:
    """Whether and how the mobile rings (crm-api §6). forward: only the mobile; delay: seconds."""

    enabled: bool = False
    forward: bool = False
    delay: int = 0


@dataclass(frozen=True, slots=True)
class Employee:
    """An employee (crm-api §6 User)."""

    id: int
    login: str
    ext: str
    name: str
    position: str = ""
    email: str = ""
    role: Role = Role.USER
    mobile: str = ""
    mobile_redirect: MobileRedirect = MobileRedirect()
    receives_calls: bool = True
    """False: do not disturb (crm-api §6 dnd, is_absence_active)."""
    telnum: str = ""
    """Direct number: the lowest number that is routed to this employee."""
    ha1_login: Ha1Pair = Ha1Pair()
    ha1_ext: Ha1Pair = Ha1Pair()
    call_waiting: bool = False
    since_ms: int = 0
    """From when on what bears the login is this employee's (since 1970): somebody had it before
    them; 0: nobody had."""


@dataclass(frozen=True, slots=True)
class Member:
    """An employee's place in a department. branch_domain: of an employee of a connected PBX."""

    login: str
    calls_enable: bool = True
    group_head: bool = False
    name: str = ""
    other_pbx_type: str = ""
    branch_domain: str = ""


@dataclass(frozen=True, slots=True)
class Timeout:
    """Where the call goes after `time` seconds; user, group or telnum by target."""

    time: int = 120
    target: TimeoutTarget = TimeoutTarget.VOICEMAIL
    user: str = ""
    group: str = ""
    telnum: str = ""


@dataclass(frozen=True, slots=True)
class Department:
    """A department (crm-api §8 Group). `call_duration` is 0 for ALL."""

    row_id: int
    id: str
    name: str
    ext: str
    call_order: CallOrder = CallOrder.ALL
    call_duration: int = 15
    members: tuple[Member, ...] = ()
    timeout: Timeout = Timeout()
    advanced: Advanced = Advanced.OFF
    queue_position: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """A number and its route (crm-api §9)."""

    telnum: str
    name: str = ""
    type: NumberType = NumberType.USER
    user: str = ""
    group: str = ""
    greeting: bool = False
    greeting_custom: bool = False
    greeting_file: str = ""
    """Id of the media file (§11 media-catalog), "" for the built-in greeting."""
    enabled: bool = True
    trunk: str = ""
    """Name of the trunk calls from this number leave by; "" for the domain's default."""
    responsible_first: bool = False
    rating: bool = False
    """Whether the customer is asked to rate the employee who has hung up (crm-api §2 rating)."""
    crm: str = ""
    """Login or department id that gets the call if the responsible employee does not answer."""
    calltracking: str = ""
    origin: Origin = Origin.OPERATOR
    outgoing: bool = True
    """Whether calls may leave with this number (crm-api §12 caller-ids/telnums `enabled`)."""
    ivr: Menu | None = None
    work: Route | None = None
    other: Route | None = None
    custom_routes: tuple[CustomRoute, ...] = ()
    schedule: Mapping[str, Day] = field(default_factory=lambda: _NOTHING)
    """monday … sunday → Day; empty: always business hours."""
    location: str = ""
    row_id: int = 0


class TrunkMode(StrEnum):
    """How a trunk and we know each other."""

    ADDRESS = "address"
    """By address, with a password on our calls where one is set."""
    REGISTER = "register"
    """We register there, as a phone would."""
    ACCEPT = "accept"
    """It registers here: a gateway, or a PBX behind NAT."""


class Identity(StrEnum):
    """Where a trunk looks for the number that calls."""

    FROM = "from"
    PAI = "pai"
    """P-Asserted-Identity (RFC 3325), and From."""
    RPID = "rpid"
    """Remote-Party-ID, and From."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """A carrier: the operator's, for all domains (domain_id None), or a domain's own."""

    id: int
    name: str
    host: str
    """Address or name; "" for one that registers here."""
    port: int
    """0: what DNS says (RFC 3263)."""
    transport: str = "udp"
    """udp, tcp or tls; "": what DNS says."""
    domain_id: int | None = None
    username: str = ""
    auth_name: str = ""
    """The name in digests, where it is another than `username`."""
    sealed_password: str = field(repr=False, default="")
    """Encrypted; `Directory.trunk_rules.password` opens it."""
    mode: TrunkMode = TrunkMode.ADDRESS
    more_addresses: tuple[tuple[str, int], ...] = ()
    """Further hosts and ports its calls come from and, when the first fails, go to."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Calls from any port there are its calls too."""
    identity: Identity = Identity.PAI
    from_user: str = ""
    """User part of From; "" for the number that calls."""
    from_domain: str = ""
    """Host of From; "" for the company's domain."""
    customers_numbers: bool = False
    """Whether a call that is sent on may show its customer's number there; else it shows ours."""
    max_calls: int = 0
    """At the same time, both ways; 0: as many as the server takes."""
    priority: int = 100
    """Of several the lowest is the default; then the oldest."""
    enabled: bool = True

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """All hosts with their ports, the main one first."""
        return ((self.host, self.port), *self.more_addresses) if self.host else ()


@dataclass(frozen=True, slots=True)
class Commands:
    """Which commands are sent to the CRM (crm-api §1)."""

    history: bool = True
    event: bool = True
    contact: bool = True
    rating: bool = True


MAIN = "main"
"""Name of the address that `Integration` itself is."""


@dataclass(frozen=True, slots=True)
class Integration:
    """The CRM of a domain (crm-api §1). enabled False: neither commands nor API access.

    A company may have further addresses beside the main one (`others`): each is an Integration
    too, of which `networks` and `origins` mean nothing; its `enabled` switches it alone.
    """

    url: str = field(repr=False)
    """May hold a user and a password; `shown_url` does not."""
    token: str = field(repr=False)
    format: Format = Format.AUTO
    learned_format: Format = Format.AUTO
    """FORM or JSON once `auto` has learned what the CRM takes, else AUTO."""
    enabled: bool = True
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Addresses allowed to call the API; empty: all."""
    commands: Commands = Commands()
    origins: tuple[str, ...] = ()
    """Browser origins allowed to call the API (CORS)."""
    late_events: bool = False
    """Whether events older than a minute, of calls that are over, are still sent."""
    signing_secret: str = field(default="", repr=False)
    """Signs what is sent, where the CRM wants that; empty: nothing is signed."""
    name: str = MAIN
    """Of the address, unique in its company."""
    others: tuple[Integration, ...] = ()
    """The further addresses, in the order of their names; of the main one only."""

    def at(self, name: str) -> Integration | None:
        """Return the address of this name; `enabled` says whether it is sent anything."""
        if name == self.name:
            return self
        return next((each for each in self.switched if each.name == name), None)

    @property
    def switched(self) -> tuple[Integration, ...]:
        """The further addresses; all of them off, where the main one is."""
        if self.enabled:
            return self.others
        return tuple(replace(each, enabled=False) for each in self.others)

    def receivers(self, command: str) -> tuple[Integration, ...]:
        """Return the addresses that are sent a command: history, event or rating."""
        if not self.enabled:
            return ()
        if not self.others:
            return (self,) if getattr(self.commands, command) else ()
        every = (self, *self.others)
        return tuple(e for e in every if e.enabled and getattr(e.commands, command))

    @property
    def asked(self) -> Integration | None:
        """The one address that is asked who calls: the first that is to be and can be."""
        return next((each for each in self.receivers("contact") if each.url), None)

    @property
    def shown_url(self) -> str:
        """The address without the password in it."""
        scheme, slashes, rest = self.url.partition("://")
        place, slash, path = rest.partition("/")
        user, at, host = place.rpartition("@")
        return f"{scheme}{slashes}{user.partition(':')[0]}{at}{host}{slash}{path}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many of each a domain may have; -1: any number."""

    users: int = -1
    groups: int = -1
    local_gw: int = -1


@dataclass(frozen=True, slots=True)
class Services:
    """What the operator has switched on for the domain (crm-api §11)."""

    record: bool = True
    local_gw: bool = True
    branch: bool = True


@dataclass(frozen=True, slots=True)
class Contact:
    """What the CRM said about a caller (crm-api §2 contact). Empty: not known."""

    name: str = ""
    responsible: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class DomainConfig:
    """Everything calls need to know of one domain, at one moment."""

    id: int
    name: str
    timezone: str
    zone: ZoneInfo
    country: str
    language: str
    enabled: bool
    revision: int
    employees: Mapping[str, Employee]
    """By login, in the order of exts."""
    by_ext: Mapping[str, Employee | Department]
    departments: Mapping[str, Department]
    """By id, in the order of exts."""
    numbers: Mapping[str, Number]
    """By telnum."""
    integration: Integration | None = None
    limits: Limits = Limits()
    services: Services = Services()
    record_external: bool = True
    record_inner: bool = False
    record_exceptions: frozenset[str] = frozenset()
    ring_timeout_s: int = 30
    contact_timeout_s: float = 2.0
    main_telnum: str = ""
    crm_card_url: str = ""
    """Where a customer's card is in the CRM, with `{places}` (`directory.card`)."""
    widget_origins: tuple[str, ...] = ()
    """Sites whose pages may embed the phone."""
    settings: Settings = field(default_factory=Settings)

    def __repr__(self) -> str:
        return f"DomainConfig({self.name!r}, revision={self.revision})"

    def find_employee(self, login_or_ext: str) -> Employee | None:
        """Return the employee with this login or ext."""
        found = self.employees.get(login_or_ext) or self.employees.get(login_or_ext.lower())
        if found is None:
            by_ext = self.by_ext.get(login_or_ext)
            return by_ext if isinstance(by_ext, Employee) else None
        return found

    def find_named(self, text: str) -> Employee | None:
        """Return the employee whom another program names, which knows them by what it stores.

        That is a login, an ext, `login@domain`, or a direct number in any spelling
        (crm-api §2 contact, and the older version of the API).
        """
        name, _, domain = text.strip().partition("@")
        if not name or (domain and domain.lower() != self.name.lower()):
            return None
        found = self.find_employee(name)
        if found is not None:
            return found
        try:
            digits = normalize(name, self.country)
        except Invalid:
            return None
        return next((each for each in self.employees.values() if each.telnum == digits), None)

    def find_department(self, id_or_ext: str) -> Department | None:
        """Return the department with this id or ext."""
        found = self.departments.get(id_or_ext)
        if found is None:
            by_ext = self.by_ext.get(id_or_ext)
            return by_ext if isinstance(by_ext, Department) else None
        return found

    def callee(self, ext: str) -> Employee | Department | None:
        """Return who answers an internal number (or login)."""
        return self.by_ext.get(ext) or self.find_employee(ext)

    def first_admin(self) -> Employee:
        """Return the administrator who has been there longest; there is always one."""
        admins = (e for e in self.employees.values() if e.role is Role.ADMIN)
        return min(admins, key=lambda employee: employee.id)

    def departments_of(self, login: str) -> tuple[Department, ...]:
        """Return the departments `login` is a member of, by ext."""
        return tuple(
            department
            for department in self.departments.values()
            if any(m.login == login and not m.branch_domain for m in department.members)
        )

    def holding(self, number: Number, moment: datetime) -> Holding | None:
        """Return the route of a scheduler number that holds at `moment` (aware); else None."""
        if number.work is None or number.other is None:
            return None
        return route_at(
            moment,
            self.zone,
            work=number.work,
            other=number.other,
            schedule=number.schedule,
            custom_routes=number.custom_routes,
            is_holiday=production_calendar(self.country),
        )

    @property
    def numbers_allowed_as_clid(self) -> frozenset[str]:
        """Numbers outgoing calls may show."""
        return frozenset(n.telnum for n in self.numbers.values() if n.outgoing)

    def outgoing_number(self, employee: Employee | None, called: str) -> Number | None:
        """Return the number shown for a call to `called` (crm-api §12, without clid).

        The employee's, their department's, that of the region of `called`, main; else the
        first that may be used at all; None when the domain has none.
        """
        for telnum in self.settings.caller_ids.candidates(self, employee, called):
            number = self.numbers.get(telnum)
            if number is not None and number.outgoing:
                return number
        return next((n for n in self.numbers.values() if n.outgoing), None)
