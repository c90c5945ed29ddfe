"""Taking a call from another phone than the one it rings or waits at.

An employee has dialled for it (`*8`, a parking place) or sent Replaces: their leg, which called
in, becomes the answer. Of several who do so at once the first one has the call.
"""

from __future__ import annotations

from vpbx.calls.addresses import party_of
from vpbx.calls.call import Call
from vpbx.calls.leg import Leg, LegEvent
from vpbx.calls.outcome import Joined
from vpbx.calls.sound import Unusable
from vpbx.directory import Employee
from vpbx.frozen import dataclass

__all__ = ["PickedUp", "TakeUp"]


@dataclass(frozen=True, slots=True)
class PickedUp(LegEvent):
    """An employee has dialled to take the call from their own phone, which is `leg`."""

    employee: Employee


class TakeUp:
    """Who wants to take one call. `leave` must be called at the end."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._legs: list[Leg] = []
        self._winner: Leg | None = None

    def pick_up(self, leg: Leg, employee: Employee) -> None:
        """Let `employee` have the call by the leg they dialled with, once its task gets there."""
        call = self._call
        leg.side, leg.inbox = call.host_side, call.inbox
        self._legs.append(leg)
        call.note_leg(leg)
        call.inbox.put(PickedUp(leg, employee))

    def take(self, event: PickedUp) -> Joined | None:
        """Answer them; None when they have put the phone down or speak no codec of the guest."""
        leg, call = event.leg, self._call
        if leg.ended:
            return None
        try:
            leg.sound = call.bridge.sound(leg.side)
            leg.agree(leg.session.remote_sdp, call.codecs)
        except Unusable:
            leg.hangup(488)
            return None
        leg.party, group = party_of(event.employee), call.chapter.story.group
        leg.accept()
        call.journal.ring(leg.party, group)
        self._winner = leg
        return Joined(leg, leg.party, group)

    def leave(self) -> None:
        """Turn away who came too late."""
        for leg in self._legs:
            if leg is not self._winner:
                leg.hangup(480)
