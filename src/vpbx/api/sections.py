"""The sections of the API, in the order they are shown.

Busy ones come first: routes are tried in this order.
"""

from __future__ import annotations

from vpbx.api import (
    blacklist,
    branches,
    caller_ids,
    calls,
    domain,
    events,
    groups,
    history,
    lists,
    makecall,
    media,
    notes,
    restrictions,
    sip_registrations,
    sipuri_transfers,
    telnums,
    users,
    webhook,
)

__all__ = ["SECTIONS"]

assert lists.section is media.section is domain.section  # they add to it

SECTIONS = (
    history.section,
    makecall.section,
    calls.section,
    users.section,
    groups.section,
    telnums.section,
    blacklist.section,
    domain.section,
    caller_ids.section,
    restrictions.section,
    sip_registrations.section,
    sipuri_transfers.section,
    branches.section,
    webhook.section,
    events.section,
    notes.section,
)
