"""A call: its two legs, its sound, its events, from the first INVITE to the last BYE.

Theory of operation. One task runs a call: it walks through a route (`run`), whose steps find
somebody who answers; then both talk (`talk`) until one side ends it; then everything is taken
down and told (`_finish`), whatever happened before. SIP callbacks only put events into the
inbox, so nothing else ever changes a call but its own task, with one exception: `hang_up`.
While a route is being walked it cancels the step in progress, wherever it waits; a step leaves
nothing behind when cancelled. While they talk it is an event like any other.

    phase    | becomes  | when
    ROUTING  | TALKING  | a route connected two legs
    ROUTING  | OVER     | the route ended, failed or was interrupted
    TALKING  | OVER     | a side ended it, or `hang_up`
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import TypeAlias

import structlog

from vpbx.calls.addresses import Shown
from vpbx.calls.bridge import RINGBACK, Bridge
from vpbx.calls.ending import tell_end
from vpbx.calls.inbox import Inbox, LegEvent, LegNews
from vpbx.calls.journal import Journal
from vpbx.calls.leg import Leg
from vpbx.calls.outcome import Ender, Outcome, Result
from vpbx.calls.recording import encode, wanted
from vpbx.calls.sound import OUR_CODECS, Sound, Unusable
from vpbx.calls.statuses import code_for_caller, sip_code
from vpbx.calls.switch import Switch
from vpbx.directory import DomainConfig
from vpbx.events import CallInfo, Direction, Group, Party
from vpbx.media import MediaError, Side
from vpbx.sip import AudioCodec

__all__ = ["Call", "Reminder", "Route"]

log = structlog.get_logger("vpbx.calls")


class Interrupted(Exception):
    """The call was ended where its task could not be cancelled."""


class Phase(Enum):
    """How far a call has come."""

    ROUTING = auto()
    TALKING = auto()
    OVER = auto()


Route: TypeAlias = Callable[["Call"], Awaitable[Outcome]]


class Reminder:
    """A timer that ends as an event in the call's inbox."""

    __slots__ = ("_timer", "_token")

    def __init__(self, call: Call, delay_s: float, token: int) -> None:
        self._token = token
        event = LegEvent(LegNews.TIME, None, token)
        self._timer = call.switch.clock.call_later(delay_s, lambda: call.inbox.put(event))

    def means(self, event: LegEvent) -> bool:
        """Say whether `event` is this reminder's."""
        return event.news is LegNews.TIME and event.code == self._token

    def cancel(self) -> None:
        """Forget it; its event may be on its way already."""
        self._timer.cancel()


class Call:
    """One call. Steps use its public attributes and methods; only its own task runs them."""

    def __init__(
        self,
        switch: Switch,
        domain: DomainConfig,
        info: CallInfo,
        *,
        caller: Leg | None,
        shown: Shown,
        max_forwards: int = 70,
    ) -> None:
        self.switch = switch
        self.domain = domain
        self.info = info
        self.caller = caller
        """Who the call began with; for makecall the employee, once they have answered."""
        self.callee: Leg | None = None
        self.shown = shown
        """The caller, as those who are rung see them."""
        self.max_forwards = max_forwards
        self.bridge = Bridge(switch.media, domain.language)
        self.journal = Journal(info, switch.events, switch.clock)
        self.inbox = Inbox()
        self.user: Party | None = None
        """Who the call belongs to: the best guess, later the one who was rung or talked."""
        self.group: Group | None = None
        self.from_party: Party | None = None
        """Inner calls: the employee who calls."""
        self.ended_by: Ender | None = None
        self.settled: Outcome | None = None
        """What has decided an unanswered call already, though a prompt is still played."""
        self.phase = Phase.ROUTING
        self._code = 0
        self._task: asyncio.Task[None] | None = None
        self._engaged: list[str] = []
        self._trunks: list[int] = []
        self._reminders = 0
        self._opening = False
        if caller is not None:
            caller.call = self
        switch.calls.add(self)

    # -- told by legs and by the switch ------------------------------------------------------

    def take(self, event: LegEvent) -> None:
        """Take news of a leg."""
        if self.phase is Phase.OVER:
            return
        if event.news is LegNews.ENDED and event.leg is self.caller:
            self.hang_up(Ender.CALLER)
        else:
            self.inbox.put(event)

    def hang_up(self, by: Ender, code: int = 0) -> None:
        """End the call from outside of its task; `code` is what an unanswered caller is told."""
        if self.phase is Phase.OVER or self.ended_by is not None:
            return
        self.ended_by, self._code = by, code
        self.inbox.put(LegEvent(LegNews.HANGUP))
        # Not now: this may be the call's own task, deep in something it asked of a leg.
        asyncio.get_running_loop().call_soon(self._interrupt)

    def _interrupt(self) -> None:
        if self.phase is Phase.ROUTING and self._task is not None and not self._opening:
            self._task.cancel()

    def other(self, leg: Leg) -> Leg | None:
        """Return the leg `leg` talks to."""
        return self.callee if leg is self.caller else self.caller if leg is self.callee else None

    # -- used by routes and steps --------------------------------------------------------------

    def remind(self, delay_s: float) -> Reminder:
        """Put an event into the inbox `delay_s` seconds from now."""
        self._reminders += 1
        return Reminder(self, delay_s, self._reminders)

    def engage(self, login: str) -> None:
        """An employee is busy with this call from now to its end."""
        if login not in self._engaged:
            self._engaged.append(login)
            self.switch.calls.engage(self.info.domain_id, login)

    def seize(self, trunk_id: int) -> None:
        """This call uses a trunk, until `free` or its end."""
        self._trunks.append(trunk_id)
        self.switch.calls.seize(trunk_id)

    def free(self, trunk_id: int) -> None:
        """This call does not use a trunk any more."""
        self._trunks.remove(trunk_id)
        self.switch.calls.free(trunk_id)

    @property
    def codecs(self) -> tuple[AudioCodec, ...]:
        """What the next leg may speak: what the caller does, else what we would offer them."""
        return (self.caller.sound.codecs if self.caller is not None else ()) or OUR_CODECS

    def offer(self, side: Side) -> Sound:
        """Return what to offer to a leg of `side`, described."""
        sound = self.bridge.sound(side)
        peer = self.caller.sound.peer if self.caller is not None else None
        sound.describe(self.codecs, peer.ptime_ms if peer is not None else 20)
        return sound

    async def open_media(self) -> None:
        """Get media for the call and take the caller's offer, if one is there.

        Raises MediaError, or one of `sound.Unusable`.
        """
        if self.ended_by is not None:
            raise Interrupted
        self._opening = True  # a half-open session would be lost; it takes a millisecond
        try:
            await self.bridge.open(self.info.callid, self._media_lost)
        except MediaError as error:
            self.switch.media_failed(error)
            raise
        finally:
            self._opening = False
        self.switch.media_serves()
        if self.ended_by is not None:
            raise Interrupted
        caller = self.caller
        if caller is not None and caller.session.remote_sdp:
            caller.sound.hear(caller.session.remote_sdp)
            await self.bridge.point(caller.side, caller.sound.peer)

    async def progress(self, leg: Leg | None = None) -> None:
        """Let the caller know that it rings; with `leg`, hear its early media instead."""
        caller = self.caller
        if caller is None or caller.ended:
            return
        if leg is not None:
            await self.bridge.point(leg.side, leg.sound.peer)
            await self.bridge.hush(caller.side)
            if caller.waiting and caller.session.remote_sdp:
                caller.session.ring(183, self._answer_for(caller, leg))
        elif caller.waiting:
            caller.session.ring(180)
        elif not self.bridge.plays(caller.side):
            await self.bridge.play(caller.side, RINGBACK, repeat=0)

    async def connect(self, outcome: Outcome) -> None:
        """Join the caller with the leg that answered: talk begins."""
        caller, leg = self.caller, outcome.leg
        assert caller is not None
        assert leg is not None
        self.callee = leg
        if self.ended_by is not None:  # in the very moment of the answer
            raise Interrupted
        if caller.waiting:
            if caller.session.remote_sdp:
                caller.session.accept(self._answer_for(caller, leg))
            else:
                caller.session.accept(caller.sound.describe(leg.sound.codecs))
        else:
            self.bridge.follow(caller, leg)
        if outcome.party is not None:
            self.user, self.group = outcome.party, outcome.group
            self.engage(outcome.party.login)
        if self.user is not None:
            self.journal.answer(self.user, self.group)
        await self.bridge.hush(caller.side)
        await self.bridge.point(leg.side, leg.sound.peer)
        if wanted(self):
            await self.bridge.record()

    def seat_caller(self, leg: Leg) -> None:
        """Go on with `leg`, which has answered, as the one who calls (makecall)."""
        self.caller = leg
        if leg.party is not None:
            self.engage(leg.party.login)
        if leg.ended:  # hung up before anybody could look
            self.hang_up(Ender.CALLER)

    async def talk(self) -> None:
        """Serve both legs until one of them, or `hang_up`, ends it."""
        self.phase = Phase.TALKING
        while self.ended_by is None:
            event = await self.inbox.get()
            leg = event.leg
            if leg is None or leg not in (self.caller, self.callee):
                continue
            if event.news is LegNews.ENDED:
                self.ended_by = Ender.CALLEE
            else:
                await self.attend(event)

    async def attend(self, event: LegEvent) -> None:
        """Do what a leg asks for that concerns only its sound."""
        leg = event.leg
        if leg is None or leg.ended:
            return
        if event.news is LegNews.OFFERED:
            await self.bridge.renegotiate(leg, self.other(leg), event.sdp)
        elif event.news is LegNews.REANSWERED:
            await self.bridge.renegotiated(leg, event.code, event.sdp)

    # -- its life --------------------------------------------------------------------------------

    async def run(self, route: Route) -> None:
        """Walk the route, let them talk, take everything down. The calling task is the call's."""
        self._task = asyncio.current_task()
        try:
            outcome = await self._walk(route)
            self.phase = Phase.OVER
            await self._finish(self.settled or outcome)
        finally:
            self.phase = Phase.OVER
            self._let_go()

    async def _walk(self, route: Route) -> Outcome:
        try:
            if self.caller is not None and self.caller.ended:
                self.ended_by = Ender.CALLER  # while they were being let in
            return await route(self)
        except asyncio.CancelledError:
            if self.ended_by is None:
                self.hang_up(Ender.SYSTEM, 503)
            if self._task is not None:
                self._task.uncancel()
            return Outcome(Result.FAILED)
        except Interrupted:
            return Outcome(Result.FAILED)
        except Unusable:
            return Outcome(Result.NOT_ACCEPTABLE)
        except MediaError as error:
            if self.bridge.session is not None:  # else `open_media` has told, once
                log.warning("call lost its media", callid=self.info.callid, error=str(error))
            return Outcome(Result.NO_MEDIA)
        except Exception:
            log.exception("call failed", callid=self.info.callid)
            return Outcome(Result.FAILED)

    async def _finish(self, outcome: Outcome) -> None:
        code = self._final_code(outcome)
        for leg in (self.caller, self.callee):
            if leg is not None:
                leg.hangup(code)
        self.journal.stop_all()
        recording = None
        try:
            recording = await self.bridge.close()
        finally:
            tell_end(self, code, recorded=recording is not None)
        if recording is not None:
            self.switch.spawn(encode(self, recording))

    def _let_go(self) -> None:
        calls = self.switch.calls
        calls.remove(self)
        for login in self._engaged:
            calls.release(self.info.domain_id, login)
        for trunk_id in self._trunks:
            calls.free(trunk_id)
        # No circle is left behind: the collector of garbage would halt all calls for it.
        self.caller = self.callee = self._task = None

    def _final_code(self, outcome: Outcome) -> int:
        """Return what an unanswered caller is told, and history keeps."""
        if self.settled is None:
            if self._code:
                return self._code
            if self.ended_by is Ender.CALLER:
                return 487
        if outcome.code and self.info.direction is not Direction.IN:
            return code_for_caller(outcome.code)
        return sip_code(outcome.result)

    # -- its sound -------------------------------------------------------------------------------

    def _answer_for(self, caller: Leg, leg: Leg) -> str:
        offer = caller.session.remote_sdp
        assert offer is not None
        peer = leg.sound.peer
        caller.sound.codecs = leg.sound.codecs
        return caller.sound.answer(offer, leg.sound.codecs, peer.ptime_ms if peer else 20)

    def _media_lost(self) -> None:
        if self.phase is not Phase.TALKING:
            return  # nobody speaks while it rings
        log.info("no sound from either side, call ended", callid=self.info.callid)
        self.hang_up(Ender.SYSTEM, 480)
