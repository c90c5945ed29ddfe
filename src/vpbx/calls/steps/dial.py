"""An outside number, through one trunk after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import structlog

from vpbx.calls.call import Call
from vpbx.calls.inbox import Event, Tick
from vpbx.calls.leg import Answered, Ended, Failed, Leg, Progress
from vpbx.calls.outcome import Joined, Over, Result
from vpbx.calls.sound import Sound, Unusable
from vpbx.calls.trials import Trial, Trials
from vpbx.calls.trunks import dial_through, no_way_out
from vpbx.calls.ways import Way
from vpbx.causes import Cause, of_trunk
from vpbx.sip import Hop

__all__ = ["dial", "dial_by"]

log = structlog.get_logger("vpbx.calls")

Place: TypeAlias = Callable[[Way, Hop, Sound], Leg]
"""Begins a leg through a way, at one of its places."""

_BUSY = (486, 600)


async def dial(call: Call, called: str, clid: str, ways: Sequence[Way]) -> Joined | Over:
    """Call the outside number `called`, showing `clid`, by the first of `ways` that can.

    The next place is tried when one fails with 5xx (a gateway may have said 180 before it found
    its lines full), refuses our password, or does not answer at all: first the other addresses of
    the same trunk, then the next trunk. The guest hears ringing, or the carrier's early media.
    """
    if not ways:
        call.journal.because(*no_way_out(call.switch, call.domain))
        log.warning("no trunk can take a call", domain=call.domain.name)
    return await dial_by(
        call,
        ways,
        lambda way, hop, sound: dial_through(
            call, way, called, clid, sound, hop=hop, side=call.host_side
        ),
    )


async def dial_by(call: Call, ways: Sequence[Way], place: Place) -> Joined | Over:
    """Call by the first of `ways` that can, with legs that `place` makes."""
    outcome: Joined | Over = Over(Result.UNREACHABLE, 503)
    trials = Trials(call, ways)
    while (trial := trials.next()) is not None:
        attempt = _Attempt(call, trial)
        outcome = await attempt.make(place)
        if not attempt.worth_another:
            break
    return outcome


class _Attempt:
    """One INVITE to one place of a way."""

    def __init__(self, call: Call, trial: Trial) -> None:
        self._call = call
        self._trial = trial
        self._codecs = call.codecs
        """What was offered; early media may leave the caller with less."""
        self._too_long = call.remind(call.switch.config.dial_timeout_s)
        self._early = False
        self.worth_another = False
        """Whether it failed in a way that another trunk may not."""

    async def make(self, place: Place) -> Joined | Over:
        call, trial = self._call, self._trial
        sound = call.offer(call.host_side, trial.way.secures(trial.hop))
        leg = place(trial.way, trial.hop, sound)
        outcome: Joined | Over | None = None
        try:
            while outcome is None:
                outcome = await self._take(leg, await call.next())
            return outcome
        finally:
            self._too_long.cancel()
            trial.stop()
            if not isinstance(outcome, Joined):
                leg.hangup()
                call.free(trial.way.key)

    async def _take(self, leg: Leg, event: Event) -> Joined | Over | None:
        """Go one event further; an outcome ends the attempt."""
        match event:
            case Tick():
                return self._time(leg, event)
            case Progress(leg=which) if which is leg:
                await self._progress(leg, event)
            case Answered(leg=which) if which is leg:
                return self._answered(leg, event.sdp)
            case Failed(leg=which) if which is leg:
                code, way = event.code, self._trial.way.key
                self._call.journal.because(of_trunk(way, code, heard=event.said))
                self.worth_another = self._trial.failed(code)
                return Over(Result.BUSY if code in _BUSY else Result.UNREACHABLE, code)
            case Ended(leg=which) if which is leg:
                return Over(Result.UNREACHABLE, 480)
        return None

    def _answered(self, leg: Leg, sdp: str | None) -> Joined | Over:
        self._trial.served()
        try:
            leg.agree(sdp, self._codecs)
        except Unusable:
            way = self._trial.way.key
            self._call.journal.because(of_trunk(way, 488, heard=True))
            return Over(Result.NOT_ACCEPTABLE, 488)
        return Joined(leg)

    async def _progress(self, leg: Leg, event: Progress) -> None:
        self._trial.progress(event.code)
        if event.sdp is not None:
            try:
                leg.agree(event.sdp, self._codecs)
            except Unusable:
                return
            self._early = True
            await self._call.progress(leg)
        elif self._trial.rang and not self._early:
            await self._call.progress()

    def _time(self, leg: Leg, event: Event) -> Joined | Over | None:
        if self._too_long.means(event):
            self._call.journal.because(Cause("far_no_answer"))
            return Over(Result.NO_ANSWER, 480)
        if self._trial.is_silent(event, leg):
            self._call.journal.because(of_trunk(self._trial.way.key, 408, heard=False))
            self.worth_another = True
            return Over(Result.UNREACHABLE, 408)
        return None
