"""An employee: all their devices, their mobile as they have set it, then their voicemail."""

from __future__ import annotations

from vpbx.calls.call import Call
from vpbx.calls.outcome import Onward, Outcome, Over, Result
from vpbx.calls.ringing import ring
from vpbx.directory.goals import ToEmployee

__all__ = ["employee"]


async def employee(call: Call, goal: ToEmployee) -> Outcome:
    """Ring an employee for as long as the company rings; then go where the goal says."""
    domain = call.domain
    person = domain.employees.get(goal.login)
    outcome: Outcome = Over(Result.NOT_FOUND)
    if person is not None:
        outcome = await ring(call, [(person, None)], domain.ring_timeout_s)
    if isinstance(outcome, Over) and goal.otherwise is not None:
        return Onward(goal.otherwise)
    return outcome
