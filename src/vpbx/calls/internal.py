"""A call from one employee to another, or to a department."""

from __future__ import annotations

from vpbx.calls.addresses import group_of, party_of
from vpbx.calls.call import Call
from vpbx.calls.incoming import department_ring, employee_ring
from vpbx.calls.outcome import Outcome
from vpbx.calls.steps import Ring
from vpbx.directory import Department, Employee

__all__ = ["Internal", "begin_inner", "inner_ring"]


class Internal:
    """The route of a call from `employee` to `callee`, both of one domain."""

    def __init__(self, employee: Employee, callee: Employee | Department) -> None:
        self._employee = employee
        self._callee = callee

    async def __call__(self, call: Call) -> Outcome:
        call.engage(self._employee.login)
        begin_inner(call, self._callee, self._employee)
        await call.open_media()
        outcome = await inner_ring(call, self._callee, self._employee).run(call)
        if outcome.answered:
            await call.connect(outcome)
            await call.talk()
        return outcome


def begin_inner(call: Call, callee: Employee | Department, caller: Employee) -> None:
    """Journal an inner call to `callee`; a department stands for its first employee."""
    group = None
    if isinstance(callee, Department):
        group = group_of(callee)
        members = (m.login for m in callee.members if m.login in call.domain.employees)
        first = next(members, "")
        callee = call.domain.employees.get(first) or call.domain.first_admin()
    call.journal.start(party_of(callee), group=group, caller=party_of(caller))


def inner_ring(call: Call, callee: Employee | Department, caller: Employee) -> Ring:
    """Return the step that rings `callee`; a department without the caller."""
    if isinstance(callee, Department):
        return department_ring(call.domain, callee, without=caller.login)
    return employee_ring(call.domain, callee)
