"""What a company has set: employees, departments, numbers, trunks, the CRM, every rule.

Reading: `Directory.domain(name)` gives a `DomainConfig`, a frozen snapshot of everything calls
need; attribute lookups, no database. Changing: the operations of each section, each of which
validates, writes in one transaction of one domain, and has the new snapshot in place when it
returns. Other processes see it within a second.

Every operation raises `Invalid` (errors by field), or `NotFound`. `values` are mappings as a
client sent them: strings, numbers, booleans and `true/false/1/0`; unknown names are ignored; on
edit only what is there changes.

    Directory(database, *, clock=None, poll_s=0.5, secrets=None)    start() stop()
    await domain(name), domain_by_id(id), domains() -> list    domain_names()
    cached(name): no await; None when not loaded yet
    await number(telnum) -> (DomainConfig, Number) | None
    trunks() trunk(name, domain) trunks_of(domain)
    revision    await changed(since) -> revision
    await authenticate_key(key, host, remote_ip) -> KeyIdentity, or raises AuthFailure
    read_number(text, country) -> PhoneNumber(digits, extension)  normalize(text, country)
    directions_of(called)  region_of(called)  is_emergency(called, c)
    is_outside_number(called, country)
    DomainConfig: find_employee find_department callee first_admin departments_of holding(number,
    moment) outgoing_number(employee, called); settings.blacklist.entry_for(client),
    settings.restrictions.allows(domain, employee, called), settings.caller_ids, …
    route_at(moment, zone, work=…, other=…, schedule=…, …)  production_calendar(country)

    companies     add(name, timezone, password) -> NewDomain; get edit switch delete
    users         list get add edit delete groups subscription set_subscription dnd set_dnd
                  is_online set_call_waiting
    groups        list get add edit delete change_users
    telnums       list get add edit delete set_enabled set_main
                  add_interval edit_interval delete_interval add_special_day edit_special_day
                  delete_special_day
    hours         copy(telnum, to=)
    trunk_rules   list get add edit delete numbers(name) password(trunk)
                  contact(trunk) keep_contact (the operator's)
    keys          add list revoke
    integrations  get set learn_format delete set_responsible add_address set_address
                  delete_address
    blacklist     list(statistics=) add(entries) delete(telnums) set_block_anonymous blocked
    music         get set(kind, file)          media  list(type) get add say_anew delete
    record_exceptions blf am_users am_groups   list add(names) delete(names)
    caller_ids    get -> (main, CallerIds) telnums regions set_main set_user set_group set_region
                  delete_user delete_group delete_region
    restrictions  get add_main set_main delete_main add_users add_groups set_users set_groups
                  delete_user delete_group
    sip_registrations  list get add edit delete set_status password(registration)
    sipuri_transfers   list get add edit delete find(domain, user)
    branches      list get add edit delete sync keep key(branch)
    webhooks      list add delete
    locations     bindings(domain_id, login) save(domain_id, login, rows) online (no await)

All but `locations` and `trunk_rules` take the domain (DomainConfig) first; `login` may be an
ext, `group_id` a department's ext.
"""

from __future__ import annotations

from vpbx.db import is_passing as is_unavailable
from vpbx.directory.blacklist import BlackListEntry
from vpbx.directory.callbacks import PromisedCall
from vpbx.directory.card import card_url
from vpbx.directory.companies import NewDomain
from vpbx.directory.directions import (
    direction_of,
    directions_of,
    is_emergency,
    is_outside_number,
    region_of,
)
from vpbx.directory.directory import Directory
from vpbx.directory.errors import (
    CRM_DISABLED,
    CRM_SWITCHED_OFF,
    INVALID_TOKEN,
    AuthFailure,
    DirectoryError,
    FieldError,
    Invalid,
    NotFound,
)
from vpbx.directory.keys import RIGHTS, KeyIdentity, KeyInfo, NewKey
from vpbx.directory.locations import LocationRow
from vpbx.directory.model import (
    MAIN,
    Advanced,
    CallOrder,
    Commands,
    Contact,
    Department,
    DomainConfig,
    Employee,
    Format,
    Ha1Pair,
    Identity,
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
    TrunkMode,
)
from vpbx.directory.numbering import PhoneNumber, normalize, read_number
from vpbx.directory.page import Page
from vpbx.directory.places import read_host, read_place
from vpbx.directory.policy import (
    BlackList,
    Branch,
    BranchStatus,
    BranchUser,
    CallerIds,
    MediaFile,
    Music,
    RegistrationStatus,
    Restrictions,
    Settings,
    SipRegistration,
    SipuriTransfer,
    VoicemailCopies,
    Webhook,
)
from vpbx.directory.reach import Reach, reach, supervises
from vpbx.directory.regions import REGIONS, Region
from vpbx.directory.restrictions import ordered
from vpbx.directory.routes import (
    CustomRoute,
    Day,
    Holding,
    Hours,
    Interval,
    Menu,
    MenuItem,
    Route,
    SpecialDay,
    Subtype,
    production_calendar,
    route_at,
)
from vpbx.directory.secrets import Secrets
from vpbx.directory.text import composed, composed_if_short
from vpbx.directory.users import NewEmployee
from vpbx.directory.values import as_boolean

__all__ = [
    "CRM_DISABLED",
    "CRM_SWITCHED_OFF",
    "INVALID_TOKEN",
    "MAIN",
    "REGIONS",
    "RIGHTS",
    "Advanced",
    "AuthFailure",
    "BlackList",
    "BlackListEntry",
    "Branch",
    "BranchStatus",
    "BranchUser",
    "CallOrder",
    "CallerIds",
    "Commands",
    "Contact",
    "CustomRoute",
    "Day",
    "Department",
    "Directory",
    "DirectoryError",
    "DomainConfig",
    "Employee",
    "FieldError",
    "Format",
    "Ha1Pair",
    "Holding",
    "Hours",
    "Identity",
    "Integration",
    "Interval",
    "Invalid",
    "KeyIdentity",
    "KeyInfo",
    "Limits",
    "LocationRow",
    "MediaFile",
    "Member",
    "Menu",
    "MenuItem",
    "MobileRedirect",
    "Music",
    "NewDomain",
    "NewEmployee",
    "NewKey",
    "NotFound",
    "Number",
    "NumberType",
    "Origin",
    "Page",
    "PhoneNumber",
    "PromisedCall",
    "Reach",
    "Region",
    "RegistrationStatus",
    "Restrictions",
    "Role",
    "Route",
    "Secrets",
    "Services",
    "Settings",
    "SipRegistration",
    "SipuriTransfer",
    "SpecialDay",
    "Subtype",
    "Timeout",
    "TimeoutTarget",
    "Trunk",
    "TrunkMode",
    "VoicemailCopies",
    "Webhook",
    "as_boolean",
    "card_url",
    "composed",
    "composed_if_short",
    "direction_of",
    "directions_of",
    "is_emergency",
    "is_outside_number",
    "is_unavailable",
    "normalize",
    "ordered",
    "production_calendar",
    "reach",
    "read_host",
    "read_number",
    "read_place",
    "region_of",
    "route_at",
    "supervises",
]
