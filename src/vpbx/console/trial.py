"""What would happen if an employee called a number outside: found by what calls themselves ask."""

from __future__ import annotations

from dataclasses import dataclass

from vpbx.calls.restrictions import may_call
from vpbx.console.forms import errors_of
from vpbx.console.visit import Visit
from vpbx.directory import (
    Employee,
    Invalid,
    Number,
    directions_of,
    is_emergency,
    normalize,
    region_of,
)

__all__ = ["Trial", "tried"]


@dataclass(frozen=True, slots=True)
class Trial:
    """A call that was thought through; `wrong` says why there is none."""

    who: str
    asked: str
    wrong: str = ""
    employee: Employee | None = None
    called: str = ""
    is_allowed: bool = False
    is_emergency: bool = False
    directions: tuple[str, ...] = ()
    region: str = ""
    shown: Number | None = None


def tried(visit: Visit) -> Trial | None:
    """Return the call that the address asks about; None: about none."""
    domain, who, asked = visit.company, visit.asked("who"), visit.asked("call")
    if not asked:
        return None
    employee = domain.find_employee(who)
    if employee is None:
        return Trial(who, asked, visit.texts("There is no such employee."))
    try:
        called = normalize(asked, domain.country)
    except Invalid as error:
        return Trial(who, asked, next(iter(errors_of(error, visit.texts).values())), employee)
    region = region_of(called)
    return Trial(
        who,
        asked,
        employee=employee,
        called=called,
        is_allowed=may_call(domain, employee, called),
        is_emergency=is_emergency(called, domain.country),
        directions=directions_of(called, home=domain.main_telnum, country=domain.country),
        region=region.name if region is not None else "",
        shown=domain.outgoing_number(employee, called),
    )
