"""The talk of the guest with whoever was found."""

from __future__ import annotations

from vpbx.calls.addresses import party_of
from vpbx.calls.call import Call
from vpbx.calls.leg import Digit, Ended, Handed, Leg, Referred
from vpbx.calls.outcome import Ender, Joined, Over, Passed
from vpbx.calls.registry import LiveCall
from vpbx.calls.star_two import StarTwo
from vpbx.calls.steps.consult import consult
from vpbx.calls.steps.rating import rate
from vpbx.calls.transfer import Asked, Refused, consulted, refuse, take
from vpbx.events import Direction
from vpbx.sip import make_response

__all__ = ["talk"]


async def talk(call: Call, joined: Joined) -> Over | Passed:
    """Join the two and serve both until the host ends it; the guest's end cancels the step.

    An employee may pass the other one on (REFER), or put somebody through in their own place.
    """
    await call.join(joined)
    keys = StarTwo(call)
    try:
        return await _serve(call, keys)
    finally:
        keys.leave()


async def _serve(call: Call, keys: StarTwo) -> Over | Passed:
    while True:
        event = await call.next(transfers=True)
        passed = await keys.take(event)
        if passed is not None:
            return passed
        match event:
            case Asked(attended=True) if event.leg in call.legs() and not event.leg.ended:
                if len(call.legs()) == 2 and (passed := await consult(call, event)) is not None:
                    return passed
            case Asked(goal=goal, by=by, leg=leg) if leg in call.legs() and not leg.ended:
                return Passed(goal, party_of(by), leg, waits=False)
            case Referred():
                passed = await _transfer(call, event)
                if passed is not None:
                    return passed
            case Ended(leg=leg) if leg is call.host:
                await rate(call)
                call.ended_by = Ender.CALLEE
                return Over()
            case Digit(body=body) if body and not call.bridge.diverts(event.leg.side):
                call.bridge.carry(event.leg.side.other, event.digit, body, event.content_type)


async def _transfer(call: Call, event: Referred) -> Passed | None:
    """Serve a REFER; None when the talk goes on, with whomever."""
    try:
        wanted = take(call, event)
        found = consulted(call, wanted) if wanted.replaces is not None else None
    except Refused as refused:
        refuse(event, refused.code)
        return None
    goal = wanted.goal
    if found is not None:
        other, theirs, goal = found
        if theirs is None and goal is None:
            refuse(event, 603)
            return None
    event.tx.respond(make_response(event.tx.request, 202))
    event.leg.tell(100, "Trying", over=False)
    if found is not None:
        if theirs is not None:
            await _put_through(call, event.leg, other, theirs)
            return None
        other.hang_up(Ender.CALLER, 487)
    assert goal is not None
    return Passed(goal, party_of(wanted.by), event.leg, referred_by=wanted.referred_by)


async def _put_through(call: Call, by: Leg, other: LiveCall, theirs: Leg) -> None:
    """Join those to whom the employee of `by` talks in two calls; one of the calls goes on.

    It is this one, unless it is the consultation and the other one the customer's: some phones
    say so there.
    """
    inner = Direction.INNER
    mine = next(leg for leg in other.legs() if leg is not theirs)
    stays = call.host if by is call.guest else call.guest
    if call.info.direction is not inner or other.info.direction is inner or stays is None:
        other.give_up(theirs)
        await call.put_through(by, theirs)
        return
    by.tell(200, "OK", over=False)
    call.give_up(stays)
    other.inbox.put(Handed(mine, stays))
