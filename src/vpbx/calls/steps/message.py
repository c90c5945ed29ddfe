"""A message, after which the call is over: closed hours, or everybody is busy."""

from __future__ import annotations

from vpbx.calls.call import Call
from vpbx.calls.outcome import Outcome, Over
from vpbx.directory.goals import ToMessage

__all__ = ["message"]


async def message(call: Call, goal: ToMessage) -> Outcome:
    """Answer the guest, if nobody has, say the message, and end the call."""
    await call.pick_up()
    await call.hear_out("closed" if goal.closed else "call-later")
    return Over()
