"""An outside number, through one trunk after the other."""

from __future__ import annotations

from collections.abc import Sequence

from vpbx.calls.call import Call
from vpbx.calls.inbox import Event, Reminder, Tick
from vpbx.calls.leg import Answered, Ended, Failed, Leg, Progress
from vpbx.calls.outcome import Joined, Over, Result
from vpbx.calls.sound import Unusable
from vpbx.calls.trunks import dial_through
from vpbx.directory import Trunk
from vpbx.media import Side

__all__ = ["dial"]

_RINGING = (180, 181, 182)
_BUSY = (486, 600)


async def dial(call: Call, called: str, clid: str, trunks: Sequence[Trunk]) -> Joined | Over:
    """Call the outside number `called`, showing `clid`, by the first of `trunks` that can.

    The next one is tried when one fails with 5xx or does not answer at all, as long as nobody's
    phone has rung. The guest hears ringing, or the carrier's early media.
    """
    outcome: Joined | Over = Over(Result.UNREACHABLE, 503)
    for trunk in trunks:
        attempt = _Attempt(call, trunk, last=trunk is trunks[-1])
        outcome = await attempt.make(called, clid)
        if not attempt.worth_another:
            break
    return outcome


class _Attempt:
    """One INVITE through one trunk."""

    def __init__(self, call: Call, trunk: Trunk, *, last: bool) -> None:
        self._call = call
        self._trunk = trunk
        self._last = last
        self._codecs = call.codecs
        """What was offered; early media may leave the caller with less."""
        self._silent: Reminder | None = None
        self._too_long: Reminder | None = None
        self._rang = False
        self._early = False
        self.worth_another = False
        """Whether it failed in a way that another trunk may not."""

    async def make(self, called: str, clid: str) -> Joined | Over:
        call, config = self._call, self._call.switch.config
        leg = dial_through(call, self._trunk, called, clid, call.offer(Side.B))
        self._too_long = call.remind(config.dial_timeout_s)
        self._silent = None if self._last else call.remind(config.trunk_silence_s)
        outcome: Joined | Over | None = None
        try:
            while outcome is None:
                outcome = await self._take(leg, await call.next())
            return outcome
        finally:
            self._too_long.cancel()
            if self._silent is not None:
                self._silent.cancel()
            if not isinstance(outcome, Joined):
                leg.hangup()
                call.free(self._trunk.id)

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
                code = event.code
                self.worth_another = not self._rang and (code == 408 or code // 100 == 5)
                return Over(Result.BUSY if code in _BUSY else Result.UNREACHABLE, code)
            case Ended(leg=which) if which is leg:
                return Over(Result.UNREACHABLE, 480)
        return None

    def _answered(self, leg: Leg, sdp: str | None) -> Joined | Over:
        try:
            leg.agree(sdp, self._codecs)
        except Unusable:
            return Over(Result.NOT_ACCEPTABLE, 488)
        return Joined(leg)

    async def _progress(self, leg: Leg, event: Progress) -> None:
        self._rang = self._rang or event.code in _RINGING
        if event.sdp is not None:
            try:
                leg.agree(event.sdp, self._codecs)
            except Unusable:
                return
            self._early = True
            await self._call.progress(leg)
        elif self._rang and not self._early:
            await self._call.progress()

    def _time(self, leg: Leg, event: Event) -> Joined | Over | None:
        if self._too_long is not None and self._too_long.means(event):
            return Over(Result.NO_ANSWER, 480)
        silent = self._silent is not None and self._silent.means(event)
        if silent and not leg.session.proceeding:
            self.worth_another = True
            return Over(Result.UNREACHABLE, 408)
        return None
