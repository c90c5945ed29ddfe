"""A call from an employee's phone to the outside."""

from __future__ import annotations

from vpbx.calls.addresses import party_of
from vpbx.calls.call import Call
from vpbx.calls.outcome import Outcome
from vpbx.calls.steps import Dial
from vpbx.calls.trunks import ways_out
from vpbx.directory import DomainConfig, Employee, Number

__all__ = ["Outgoing", "number_shown"]


class Outgoing:
    """The route of a call from `employee` to the outside number `called`, showing `number`.

    The phone gets the carrier's final answer as it is: it knows best how to tell its owner.
    """

    def __init__(self, employee: Employee, called: str, number: Number) -> None:
        self._employee = employee
        self._called = called
        self._number = number

    async def __call__(self, call: Call) -> Outcome:
        party = party_of(self._employee)
        call.engage(party.login)
        call.journal.start(party)
        await call.open_media()
        ways = ways_out(call.switch, call.domain, self._number)
        outcome = await Dial(self._called, self._number.telnum, ways, party).run(call)
        if outcome.answered:
            await call.connect(outcome)
            await call.talk()
        return outcome


def number_shown(domain: DomainConfig, employee: Employee, called: str) -> Number | None:
    """Return the number an employee's call leaves with; None when the company has none.

    What was set for them, else for their department, the called region, the company (crm-api
    §12). An employee's direct number has no place in this order.
    """
    return domain.outgoing_number(employee, called)
