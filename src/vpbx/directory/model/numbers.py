"""Numbers with what answers them, and the carriers calls go through (crm-api §9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from typing import Any

from vpbx.directory.routes import CustomRoute, Day, Menu, Route
from vpbx.frozen import dataclass

_NOTHING: Mapping[Any, Any] = MappingProxyType({})


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
