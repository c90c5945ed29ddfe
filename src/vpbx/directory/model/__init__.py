"""What a company has set, as frozen values in the words of crm-api.md.

A `DomainConfig` is one consistent snapshot of a domain; reading it costs attribute lookups.
It never changes: after a change there is a new one. Phone numbers are digits only, with the country
code; employees are named by login, departments by id, numbers by telnum; empty text is "".
"""

from __future__ import annotations

from vpbx.directory.model.crm import MAIN, Commands, Contact, Format, Integration
from vpbx.directory.model.domain import DomainConfig, Limits, Services
from vpbx.directory.model.numbers import Identity, Number, NumberType, Origin, Trunk, TrunkMode
from vpbx.directory.model.people import (
    Advanced,
    CallOrder,
    Department,
    Employee,
    Ha1Pair,
    Member,
    MobileRedirect,
    Role,
    Timeout,
    TimeoutTarget,
)

__all__ = [
    "MAIN",
    "Advanced",
    "CallOrder",
    "Commands",
    "Contact",
    "Department",
    "DomainConfig",
    "Employee",
    "Format",
    "Ha1Pair",
    "Identity",
    "Integration",
    "Limits",
    "Member",
    "MobileRedirect",
    "Number",
    "NumberType",
    "Origin",
    "Role",
    "Services",
    "Timeout",
    "TimeoutTarget",
    "Trunk",
    "TrunkMode",
]
