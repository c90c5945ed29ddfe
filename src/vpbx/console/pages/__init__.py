"""The pages of the console, one module each, in the order of the menu."""

from __future__ import annotations

from vpbx.console.page import Page
from vpbx.console.pages import (
    audit,
    blacklist,
    blf,
    call,
    caller_ids,
    companies,
    connections,
    departments,
    employees,
    history,
    integration,
    invitation,
    live,
    login,
    me,
    media,
    missed,
    my_phone,
    numbers,
    operator,
    phone,
    recording,
    restrictions,
    safety,
    start,
    voicemail,
)

__all__ = ["PAGES"]

PAGES: tuple[Page, ...] = (
    *start.pages,
    *live.pages,
    *history.pages,
    *call.pages,
    *missed.pages,
    *voicemail.pages,
    *employees.pages,
    *departments.pages,
    *numbers.pages,
    *media.pages,
    *recording.pages,
    *restrictions.pages,
    *caller_ids.pages,
    *blacklist.pages,
    *blf.pages,
    *integration.pages,
    *connections.pages,
    *safety.pages,
    *audit.pages,
    *my_phone.pages,
    *me.pages,
    *phone.pages,
    *login.pages,
    *invitation.pages,
    *operator.pages,
    *companies.pages,
)
