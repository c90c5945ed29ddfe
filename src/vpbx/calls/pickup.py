"""Picking up a call that rings at a colleague: `*8` and an internal number, or `*8` alone.

`*8` and an employee's ext: the call that has rung there longest. `*8` and the ext of a department
of one's own: the one that has rung there longest. `*8` alone: the one that has rung longest in any
department of one's own, for the department or for a member of it.
"""

from __future__ import annotations

from vpbx.calls.shared.lines import Line
from vpbx.calls.switch import Picked, Switch
from vpbx.directory import Department, DomainConfig, Employee

__all__ = ["PICK_UP", "find_ringing", "picks_up"]

PICK_UP = "*8"


def picks_up(dialled: str) -> bool:
    """Say whether what an employee dialled is a pick-up."""
    rest = dialled.removeprefix(PICK_UP)
    return dialled.startswith(PICK_UP) and (not rest or (rest.isascii() and rest.isdigit()))


def find_ringing(
    switch: Switch, domain: DomainConfig, employee: Employee, dialled: str
) -> Picked | None:
    """Return the ringing that `employee` wants to end by taking the call; None: nothing rings."""
    line = _line(switch, domain, employee, dialled.removeprefix(PICK_UP))
    return switch.ringing.get(line.callid) if line is not None else None


def _line(switch: Switch, domain: DomainConfig, employee: Employee, ext: str) -> Line | None:
    lines, own = switch.lines, domain.departments_of(employee.login)
    if ext:
        whose = domain.by_ext.get(ext)
        if isinstance(whose, Employee):
            return lines.ringing_at(domain.id, whose.login)
        if not isinstance(whose, Department) or whose not in own:
            return None
        own = (whose,)
    found = lines.ringing_in(domain.id, frozenset(each.id for each in own))
    ringing = [found[1]] if found is not None else []
    if not ext:
        members = {m.login for each in own for m in each.members if not m.branch_domain}
        direct = (lines.ringing_at(domain.id, login) for login in members - {employee.login})
        ringing += [line for line in direct if line is not None]
    return min(ringing, key=lambda line: (line.since, line.callid), default=None)
