"""What a company has set: employees, departments, numbers, trunks, the CRM, every rule.

Reading: `Directory.domain(name)` gives a `DomainConfig`, a frozen snapshot of everything calls
need; attribute lookups, no database. Changing: the operations of each section, each of which
validates, writes in one transaction of one domain, and has the new snapshot in place when it
returns. Other processes see it within a second.

Every operation raises `Invalid` (errors by field), or `NotFound`. `values` are mappings as a
client sent them: strings, numbers, booleans and `true/false/1/0`; unknown names are ignored; on
edit only what is there changes.

    Directory(database, *, poll_s=0.5, secrets=None)     start() stop()
    await domain(name), domain_by_id(id), domains()      cached(name): no await, None if not loaded
    await number(telnum) -> (DomainConfig, Number)       cached_number(telnum)
    trunks() trunk(name, domain) trunk_by_source(host, port) default_trunk(domain)
    await authenticate_key(key, host, remote_ip) -> KeyIdentity, or raises AuthFailure
    normalize(text, country)                             directions_of(called) region_of(called)
"""

from __future__ import annotations

from vpbx.directory.errors import AuthFailure, DirectoryError, FieldError, Invalid, NotFound
from vpbx.directory.model import (
    Advanced,
    CallOrder,
    Commands,
    Contact,
    Department,
    DomainConfig,
    Employee,
    Format,
    Ha1Pair,
    Integration,
    Limits,
    Member,
    MobileRedirect,
    Number,
    NumberType,
    Origin,
    Role,
    Services,
    Timeout,
    TimeoutTarget,
    Trunk,
)
from vpbx.directory.numbering import direction_of, directions_of, is_emergency, normalize, region_of

__all__ = [
    "Advanced",
    "AuthFailure",
    "CallOrder",
    "Commands",
    "Contact",
    "Department",
    "DirectoryError",
    "DomainConfig",
    "Employee",
    "FieldError",
    "Format",
    "Ha1Pair",
    "Integration",
    "Invalid",
    "Limits",
    "Member",
    "MobileRedirect",
    "NotFound",
    "Number",
    "NumberType",
    "Origin",
    "Role",
    "Services",
    "Timeout",
    "TimeoutTarget",
    "Trunk",
    "direction_of",
    "directions_of",
    "is_emergency",
    "normalize",
    "region_of",
]
