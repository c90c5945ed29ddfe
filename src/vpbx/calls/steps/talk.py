"""The talk of the guest with whoever was found."""

from __future__ import annotations

from vpbx.calls.call import Call
from vpbx.calls.leg import Digit, Ended
from vpbx.calls.outcome import Ender, Joined, Over
from vpbx.calls.steps.rating import rate

__all__ = ["talk"]


async def talk(call: Call, joined: Joined) -> Over:
    """Join the two and serve both until the host ends it; the guest's end cancels the step."""
    await call.join(joined)
    host = joined.leg
    while True:
        event = await call.next()
        match event:
            case Ended(leg=leg) if leg is host:
                await rate(call)
                call.ended_by = Ender.CALLEE
                return Over()
            case Digit(body=body) if body:
                call.bridge.carry(event.leg.side.other, event.digit, body, event.content_type)
