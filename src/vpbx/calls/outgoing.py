"""A call from an employee's phone to the outside."""

from __future__ import annotations

from vpbx.calls.addresses import hides_caller, party_of
from vpbx.calls.call import Call
from vpbx.calls.outcome import Over, Result
from vpbx.calls.restrictions import may_call
from vpbx.calls.walk import walk
from vpbx.causes import Cause
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
        call.hidden = call.guest is not None and hides_caller(call.guest.session.request)
        call.journal.start(party_of(self._employee))
        await call.open_media()
        if not may_call(call.domain, self._employee, self._called):
            return await self._refuse(call)
        return await walk(call, ToOutside(self._called))

    async def _refuse(self, call: Call) -> Over:
        """Say to the employee, before any answer, that they may not call there."""
        call.journal.because(Cause("restricted", self._employee.name or self._employee.login))
        over = call.settled = Over(Result.REFUSED, 403)
        if call.ring_early():
            await call.hear_out("not-allowed")
        return over


def number_shown(domain: DomainConfig, employee: Employee, called: str) -> Number | None:
    """Return the number an employee's call leaves with; None when the company has none.

    What was set for them, else for their department, the called region, the company (crm-api
    §12). An employee's direct number has no place in this order.
    """
    return domain.outgoing_number(employee, called)
