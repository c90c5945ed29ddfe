"""A sentence to the guest, after which the call is over."""

from __future__ import annotations

from vpbx.calls.call import Call
from vpbx.calls.outcome import Outcome, Over
from vpbx.directory.goals import ToNotice

__all__ = ["notice"]


async def notice(call: Call, goal: ToNotice) -> Outcome:
    """Answer the guest, if nobody has, and say it."""
    await call.pick_up()
    await call.hear_out(goal.prompt)
    return Over()
