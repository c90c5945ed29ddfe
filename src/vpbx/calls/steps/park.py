"""A parking place: the guest waits with music until a phone of the company dials it.

Who parked them hears which place that is; nobody having dialled it in time, it rings back at
theirs.
"""

from __future__ import annotations

from dataclasses import replace

from vpbx.calls.call import Call
from vpbx.calls.inbox import Event
from vpbx.calls.leg import Ended, Leg
from vpbx.calls.outcome import Onward, Outcome, Over, Result
from vpbx.calls.takeup import PickedUp, TakeUp
from vpbx.directory.goals import ToEmployee, ToPark
from vpbx.media import phrases

__all__ = ["park"]


class Told(Event):
    """Who parked the guest has heard where."""


async def park(call: Call, goal: ToPark) -> Outcome:
    """Give the guest a place; a new one, unless the goal names one that was told already."""
    await call.pick_up()
    visit = _Visit(call, goal)
    try:
        return await visit.run()
    finally:
        visit.leave()


class _Visit:
    """One guest at one place."""

    def __init__(self, call: Call, goal: ToPark) -> None:
        self._call = call
        self._goal = goal
        self._takers = TakeUp(call)
        self._over = call.remind(call.switch.config.park_s)
        lot = call.switch.parked
        call.parked = lot.take(call.domain, self._takers, goal.place)
        self._listener = call.leaving

    async def run(self) -> Outcome:
        call, place = self._call, self._call.parked
        back = (
            Onward(ToEmployee(self._goal.by, insist=True))
            if self._goal.by
            else Over(Result.NO_ANSWER)
        )
        if not place:
            return back
        call.goal = replace(self._goal, place=place)
        assert call.guest is not None
        await call.bridge.loop(call.guest.side, call.bridge.hold_music)
        await self._announce(place)
        while True:
            match await call.next():
                case PickedUp() as event:
                    if (joined := self._takers.take(event)) is not None:
                        await self._let_go()
                        return joined
                case event if self._over.means(event):
                    await self._let_go()
                    return back
                case Told():
                    await self._let_go()
                case Ended(leg=leg) if leg is self._listener:
                    await self._let_go()

    def leave(self) -> None:
        """Give the place back, and turn away who came too late."""
        call = self._call
        self._over.cancel()
        self._takers.leave()
        call.switch.parked.leave(call.info.domain_id, call.parked, self._takers)
        call.parked = ""
        if self._listener is not None:
            call.let_go(self._listener)

    async def _announce(self, place: str) -> None:
        """Say the place to who has parked the guest; to the guest, if they called for one."""
        call = self._call
        if self._goal.place:  # they know
            await self._let_go()
        elif self._listener is not None and not _hears_nothing(self._listener):
            said = call.sounds(phrases.parked(place))
            call.bridge.speak(self._listener.side, said, lambda: call.inbox.put(Told()))
        elif self._listener is not None:
            await self._let_go()
        elif not self._goal.by:
            call.say(phrases.parked(place))

    async def _let_go(self) -> None:
        """Part with who has parked the guest."""
        listener, self._listener = self._listener, None
        if listener is not None:
            await self._call.bridge.hush(listener.side)
            self._call.let_go(listener)


def _hears_nothing(leg: Leg) -> bool:
    return leg.ended or leg.sound.held
