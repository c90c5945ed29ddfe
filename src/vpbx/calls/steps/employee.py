"""An employee: all their devices, their mobile as they have set it, then their voicemail."""

from __future__ import annotations

from vpbx.calls.call import Call
from vpbx.calls.outcome import Onward, Outcome, Over, Result
from vpbx.calls.ringing import ring
from vpbx.directory.goals import ToEmployee, ToVoicemail

__all__ = ["employee"]


async def employee(call: Call, goal: ToEmployee) -> Outcome:
    """Ring an employee for as long as the company rings; then go where the goal says."""
    domain = call.domain
    person = domain.employees.get(goal.login)
    if person is None:  # who passed the call on, or parked it, and has been deleted since
        heir = domain.first_admin().login
        return Onward(ToEmployee(heir)) if heir != goal.login else Over(Result.NOT_FOUND)
    outcome: Outcome = await ring(call, [(person, None)], domain.ring_timeout_s, insist=goal.insist)
    if not isinstance(outcome, Over):
        return outcome
    if goal.otherwise is not None:
        return Onward(goal.otherwise)
    await call.switch.directory.domain_by_id(call.info.domain_id)  # as it is set by now
    if goal.login not in call.domain.employees:
        # Deleted while they were rung: what named them names who takes their calls now.
        return Onward(ToEmployee(call.domain.first_admin().login))
    if domain.settings.voicemail.covers(domain, goal.login):
        return Onward(ToVoicemail(user=goal.login))
    return outcome
