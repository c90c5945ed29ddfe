"""A call from an employee's phone to the outside."""

from __future__ import annotations

from vpbx.calls.addresses import party_of
from vpbx.calls.call import Call
from vpbx.calls.outcome import Over
from vpbx.calls.walk import walk
from vpbx.directory import DomainConfig, Employee, Number
from vpbx.directory.goals import ToOutside

__all__ = ["Outgoing", "number_shown"]


class Outgoing:
    """The route of a call from `employee` to the outside number `called`.

    The phone gets the carrier's final answer as it is: it knows best how to tell its owner.
    """

    def __init__(self, employee: Employee, called: str) -> None:
        self._employee = employee
        self._called = called

    async def __call__(self, call: Call) -> Over:
        call.engage(self._employee.login)
        call.journal.start(party_of(self._employee))
        await call.open_media()
        return await walk(call, ToOutside(self._called))


def number_shown(domain: DomainConfig, employee: Employee, called: str) -> Number | None:
    """Return the number an employee's call leaves with; None when the company has none.

    What was set for them, else for their department, the called region, the company (crm-api
    §12). An employee's direct number has no place in this order.
    """
    return domain.outgoing_number(employee, called)
