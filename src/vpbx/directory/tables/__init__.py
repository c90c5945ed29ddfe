"""The directory's tables.

Every row of a company carries `domain_id`, and references between rows of a company are made of
(domain_id, id) pairs, so that the database itself refuses one that crosses domains. A reference
that must not outlive its target but whose loss means a decision (a number's employee, a menu's
button) has no ON DELETE: the rule in `consistency.py` decides first, and the database stops
whoever forgets. Mere list entries go with their target (CASCADE).
"""

from __future__ import annotations

from vpbx.directory.tables.columns import Words
from vpbx.directory.tables.company import (
    api_keys,
    crm_addresses,
    directory_state,
    domains,
    integrations,
    webhooks,
)
from vpbx.directory.tables.numbers import (
    main_numbers,
    media_files,
    music,
    number_refs,
    numbers,
    sip_registrations,
    sipuri_transfers,
    trunks,
)
from vpbx.directory.tables.people import (
    branch_users,
    branches,
    callbacks,
    former_logins,
    group_members,
    groups,
    locations,
    names,
    users,
)
from vpbx.directory.tables.rules import (
    blacklist,
    blacklist_hits,
    call_rules,
    caller_ids,
    group_lists,
    user_lists,
)

__all__ = [
    "Words",
    "api_keys",
    "blacklist",
    "blacklist_hits",
    "branch_users",
    "branches",
    "call_rules",
    "callbacks",
    "caller_ids",
    "crm_addresses",
    "directory_state",
    "domains",
    "former_logins",
    "group_lists",
    "group_members",
    "groups",
    "integrations",
    "locations",
    "main_numbers",
    "media_files",
    "music",
    "names",
    "number_refs",
    "numbers",
    "sip_registrations",
    "sipuri_transfers",
    "trunks",
    "user_lists",
    "users",
    "webhooks",
]
