"""The pages of the console, one module each, in the order of the menu."""

from __future__ import annotations

from vpbx.console.page import Page
from vpbx.console.pages import (
    audit,
    employees,
    history,
    invitation,
    live,
    login,
    me,
    missed,
    operator,
    phone,
    start,
)

__all__ = ["PAGES"]

PAGES: tuple[Page, ...] = (
    *start.pages,
    *live.pages,
    *history.pages,
    *missed.pages,
    *employees.pages,
    *audit.pages,
    *me.pages,
    *phone.pages,
    *login.pages,
    *invitation.pages,
    *operator.pages,
)
