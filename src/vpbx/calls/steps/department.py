"""A department: its members who receive its calls, all at once."""

from __future__ import annotations

from vpbx.calls.addresses import group_of
from vpbx.calls.call import Call
from vpbx.calls.outcome import Outcome, Over, Result
from vpbx.calls.ringing import ring
from vpbx.directory.goals import ToDepartment

__all__ = ["department"]


async def department(call: Call, goal: ToDepartment) -> Outcome:
    """Ring the members of a department; never who calls it."""
    domain = call.domain
    found = domain.departments.get(goal.id)
    if found is None:
        return Over(Result.NOT_FOUND)
    caller = call.chapter.story.caller
    without = caller.login if caller is not None else ""
    group = group_of(found)
    people = [
        (domain.employees[member.login], group)
        for member in found.members
        if member.calls_enable
        and not member.branch_domain
        and member.login in domain.employees
        and member.login != without
    ]
    return await ring(call, people, domain.ring_timeout_s)
