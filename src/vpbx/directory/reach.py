"""Whose calls an employee may see, hear and step into: the one place where roles say so
(crm-api §6)."""

from __future__ import annotations

from vpbx.directory.model import DomainConfig, Employee, Role

__all__ = ["Reach", "reach", "supervises"]


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


def supervises(employee: Employee) -> bool:
    """Say whether an employee may step into calls that they see and are not in: listen, whisper,
    barge in, take what rings elsewhere."""
    return employee.role in (Role.ADMIN, Role.GROUP_HEAD)
