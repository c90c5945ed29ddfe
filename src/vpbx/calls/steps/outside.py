"""An outside number: the customer an employee calls, or where a call of a customer is sent on."""

from __future__ import annotations

from vpbx.calls.call import Call
from vpbx.calls.outcome import Joined, Onward, Outcome, Over, Result
from vpbx.calls.steps.dial import dial
from vpbx.calls.trunks import ways_out
from vpbx.directory.goals import ToOutside, of_number
from vpbx.events import Direction

__all__ = ["outside"]


async def outside(call: Call, goal: ToOutside) -> Outcome:
    """Dial an outside number, showing the number of ours the call goes through.

    For an employee who calls it, events tell that the customer is dialled for them. A call of a
    customer that is sent to another number of the company goes there without leaving the house,
    unless that number takes no calls.
    Who passes a call on shows the number that their own calls show.
    """
    domain, info = call.domain, call.info
    own = domain.numbers.get(goal.number)
    if own is not None and info.direction is Direction.IN:
        if not own.enabled:
            return Over(Result.UNREACHABLE)
        return Onward(of_number(domain, own))
    number = domain.numbers.get(info.diversion) or domain.outgoing_number(None, goal.number)
    by = domain.employees.get(goal.by)
    if by is not None:
        number = domain.outgoing_number(by, goal.number) or number
    clid = number.telnum if number is not None else info.diversion
    ways = ways_out(call.switch, domain, number, goal.number)
    party = call.chapter.story.user
    if info.direction is not Direction.OUT or call.passed_on or party is None or not ways:
        return await dial(call, goal.number, clid, ways)
    outcome: Outcome | None = None
    call.journal.dial(party, call.chapter.story.group)
    try:
        outcome = await dial(call, goal.number, clid, ways)
        return outcome
    finally:
        if not isinstance(outcome, Joined):
            call.journal.stop(party)
