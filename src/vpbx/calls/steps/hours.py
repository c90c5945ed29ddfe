"""A schedule: where a scheduler's number leads at this moment (crm-api §9)."""

from __future__ import annotations

from datetime import UTC, datetime

from vpbx.calls.call import Call
from vpbx.calls.outcome import Onward, Outcome, Over, Result
from vpbx.directory import Hours, Subtype
from vpbx.directory.goals import ByHours, of_route
from vpbx.events import Destination

__all__ = ["hours"]

_ATTENDED = (Subtype.USER, Subtype.GROUP)


async def hours(call: Call, goal: ByHours) -> Outcome:
    """Ask the schedule, play the route's greeting if it has one, and go where it leads.

    A call that spans the change of hours stays where it was sent. Who attends outside business
    hours is `onduty` to history as long as they have not taken the call.
    """
    domain = call.domain
    number = domain.numbers.get(goal.telnum)
    moment = datetime.fromtimestamp(call.switch.clock.time(), UTC)
    holding = domain.holding(number, moment) if number is not None else None
    if holding is None:
        return Over(Result.NOT_FOUND)
    route = holding.route
    if route.greeting:
        await call.greet()
    attended = holding.hours is Hours.CLOSED and route.subtype in _ATTENDED
    return Onward(of_route(route), Destination.ONDUTY if attended else Destination.NONE)
