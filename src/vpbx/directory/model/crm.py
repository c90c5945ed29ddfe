"""The CRM of a company: its addresses, what each is sent, what it said (crm-api §1, §2)."""

from __future__ import annotations

from dataclasses import field, replace
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network

from vpbx.frozen import dataclass


class Format(StrEnum):
    """How commands to the CRM are encoded."""

    AUTO = "auto"
    FORM = "form"
    JSON = "json"


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
class Contact:
    """What the CRM said about a caller (crm-api §2 contact). Empty: not known."""

    name: str = ""
    responsible: str = ""
