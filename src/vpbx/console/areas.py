"""What each role may do in the console (crm-api §6); whose calls it sees says
`vpbx.directory.reach`, for API and calls too."""

from __future__ import annotations

from enum import StrEnum

from vpbx.directory import Reach, Role, reach

__all__ = ["Area", "Reach", "may", "reach"]


class Area(StrEnum):
    """A part of the console that somebody may use or not."""

    START = "start"
    CALLS = "calls"
    """History and missed calls: of whom, says `reach`."""
    LIVE = "live"
    REPORTS = "reports"
    """Calls counted: of whom, says `reach`."""
    COMPANY = "company"
    """Everything that a company sets."""
    MINE = "mine"


_ALL = frozenset(Area)
_MAY = {
    Role.ADMIN: _ALL,
    Role.GROUP_HEAD: _ALL - {Area.COMPANY},
    Role.USER: _ALL - {Area.COMPANY, Area.LIVE, Area.REPORTS},
    Role.RESTRICTED_USER: frozenset({Area.CALLS, Area.MINE}),
}


def may(role: Role, area: Area, *, own: bool) -> bool:
    """Say whether a role may use an area at all; `own`: they are one of the company's."""
    return area in _MAY[role] and (own or area is not Area.MINE)
