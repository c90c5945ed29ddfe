"""An outside number, through one trunk after the other."""

from __future__ import annotations

from vpbx.calls.call import Call
from vpbx.calls.inbox import Event, Reminder, Tick
from vpbx.calls.leg import Answered, Ended, Failed, Leg, Progress
from vpbx.calls.outcome import Outcome, Result
from vpbx.calls.sound import Unusable
from vpbx.calls.trunks import dial_through
from vpbx.directory import Trunk
from vpbx.events import Party
from vpbx.media import Side

__all__ = ["Dial"]

_RINGING = (180, 181, 182)


class Dial:
    """Calls `called` for the employee `party`, showing `clid`.

    The next trunk is tried when one fails with 5xx or does not answer at all, as long as
    nobody's phone has rung. The caller hears ringing, or the carrier's early media.
    """

    def __init__(self, called: str, clid: str, trunks: list[Trunk], party: Party) -> None:
        self._called = called
        self._clid = clid
        self._trunks = trunks
        self._party = party

    async def run(self, call: Call) -> Outcome:
        outcome = Outcome(Result.UNREACHABLE, 503)
        if not self._trunks:
            return outcome
        call.journal.dial(self._party)
        try:
            for trunk in self._trunks:
                attempt = _Attempt(call, trunk, last=trunk is self._trunks[-1])
                outcome = await attempt.make(self._called, self._clid)
                if not attempt.worth_another:
                    break
        finally:
            if not outcome.answered:
                call.journal.stop(self._party)
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

    async def make(self, called: str, clid: str) -> Outcome:
        call, config = self._call, self._call.switch.config
        leg = dial_through(call, self._trunk, called, clid, call.offer(Side.B))
        self._too_long = call.remind(config.dial_timeout_s)
        self._silent = None if self._last else call.remind(config.trunk_silence_s)
        outcome = None
        try:
            while outcome is None:
                outcome = await self._take(leg, await call.next())
            return outcome
        finally:
            self._too_long.cancel()
            if self._silent is not None:
                self._silent.cancel()
            if outcome is None or not outcome.answered:
                leg.hangup()
                call.free(self._trunk.id)

    async def _take(self, leg: Leg, event: Event) -> Outcome | None:
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
                return Outcome(Result.FAILED, code)
            case Ended(leg=which) if which is leg:
                return Outcome(Result.FAILED, 480)
        return None

    def _answered(self, leg: Leg, sdp: str | None) -> Outcome:
        try:
            leg.agree(sdp, self._codecs)
        except Unusable:
            return Outcome(Result.NOT_ACCEPTABLE, 488)
        return Outcome(Result.ANSWERED, leg=leg)

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

    def _time(self, leg: Leg, event: Event) -> Outcome | None:
        if self._too_long is not None and self._too_long.means(event):
            return Outcome(Result.NO_ANSWER, 480)
        silent = self._silent is not None and self._silent.means(event)
        if silent and not leg.session.proceeding:
            self.worth_another = True
            return Outcome(Result.UNREACHABLE, 408)
        return None
