"""An internal number of a connected PBX."""

from __future__ import annotations

from vpbx.calls.across import colleague_party
from vpbx.calls.call import Call
from vpbx.calls.leg import Leg
from vpbx.calls.outcome import Joined, Outcome, Over, Result
from vpbx.calls.sound import Sound
from vpbx.calls.steps.dial import dial_by
from vpbx.calls.trunks import call_across
from vpbx.calls.ways import Way
from vpbx.directory.goals import ToBranch
from vpbx.sip import Hop

__all__ = ["branch"]


async def branch(call: Call, goal: ToBranch) -> Outcome:
    """Call who has this ext on the other side, for as long as a company rings."""
    found = call.domain.settings.branches.get(goal.domain)
    people = found.members if found is not None else ()
    person = next((each for each in people if each.ext == goal.ext), None)
    switch = call.switch
    way = switch.connections.across.way(call.domain, goal.domain, switch.stack)
    if person is None:
        return Over(Result.NOT_FOUND)
    if way is None:
        return Over(Result.UNREACHABLE, 480)
    party = colleague_party(person, goal.domain)

    def reach(way: Way, hop: Hop, sound: Sound) -> Leg:
        leg = call_across(call, way, goal.ext, sound, hop=hop, side=call.host_side)
        leg.party = party
        return leg

    outcome: Outcome | None = None
    call.journal.ring(party)
    try:
        outcome = await dial_by(call, [way], reach)
        if isinstance(outcome, Joined):
            outcome = Joined(outcome.leg, party)
        return outcome
    finally:
        if not isinstance(outcome, Joined):
            call.journal.stop(party)
