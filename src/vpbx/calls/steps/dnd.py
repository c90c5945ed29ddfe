"""Do not disturb, switched by phone and confirmed by voice."""

from __future__ import annotations

from vpbx.calls.call import Call
from vpbx.calls.outcome import Outcome, Over, Result
from vpbx.directory.goals import SetDnd

__all__ = ["dnd"]


async def dnd(call: Call, goal: SetDnd) -> Outcome:
    """Switch whether the guest, an employee, receives calls; then say so."""
    caller = call.chapter.story.caller
    if caller is None:
        return Over(Result.NOT_FOUND)
    users = call.switch.directory.users
    await users.set_dnd(call.domain, caller.login, receives_calls=not goal.on)
    await call.hear_out("dnd-on" if goal.on else "dnd-off")
    return Over()
