"""What can be asked of the API, section by section; a client carries it out.

    pbx(api.users.add(name="Olga", mobile="79101234567"))
    pbx.each(api.telnums.list(search="495"))

Names of parameters are the API's own. A parameter that is None is not sent.
"""

from __future__ import annotations

from vpbx_sdk.api.company import am, blf, branches, domain, media_catalog, music, record, webhooks
from vpbx_sdk.api.numbers import (
    blacklist,
    caller_ids,
    restrictions,
    sip_registrations,
    sipuri_transfers,
    telnums,
)
from vpbx_sdk.api.people import groups, users
from vpbx_sdk.api.talks import calls, events, history, make_call, notes

__all__ = [
    "am",
    "blacklist",
    "blf",
    "branches",
    "caller_ids",
    "calls",
    "domain",
    "events",
    "groups",
    "history",
    "make_call",
    "media_catalog",
    "music",
    "notes",
    "record",
    "restrictions",
    "sip_registrations",
    "sipuri_transfers",
    "telnums",
    "users",
    "webhooks",
]
