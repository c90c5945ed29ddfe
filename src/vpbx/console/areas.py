"""What each role may do in the console: the one place where it is written (crm-api §6)."""

from __future__ import annotations

from enum import StrEnum

from vpbx.directory import DomainConfig, Employee, Role


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


class Reach:
    """Whose calls somebody may see and hear: everybody's, or these employees' and departments'."""

    def __init__(self, everybody: bool, logins: tuple[str, ...], groups: tuple[str, ...]) -> None:
        self.everybody = everybody
        self.logins = logins
        self.groups = groups

    def sees(self, *, login: str = "", caller: str = "", group: str = "") -> bool:
        """Say whether a call of these may be seen: who took it, who called, through where."""
        return (
            self.everybody
            or bool(({login, caller} - {""}) & set(self.logins))
            or (bool(group) and group in self.groups)
        )


def reach(domain: DomainConfig, employee: Employee) -> Reach:
    """Return whose calls an employee sees.

    A head of department sees those of the departments they are in, and of their members; any
    other employee their own.
    """
    if employee.role is Role.ADMIN:
        return Reach(True, (), ())
    if employee.role is not Role.GROUP_HEAD:
        return Reach(False, (employee.login,), ())
    groups = domain.departments_of(employee.login)
    logins = {m.login for g in groups for m in g.members if not m.branch_domain}
    return Reach(
        False, tuple(sorted({*logins, employee.login})), tuple(group.id for group in groups)
    )
