"""A call, from the first INVITE to the last BYE.

Theory of operation. One task runs a call: it walks from goal to goal (`run`, `walk`), whose
steps find somebody who answers and let both talk until one side ends it; then everything is
taken down and told (`_finish`), whatever happened before. What legs hear only goes into the inbox,
so nothing else ever changes a call but its own task, with one exception: `hang_up`, which also
happens when the guest has gone. It cancels the step in progress, wherever that waits; a step
leaves nothing behind when cancelled.

    phase   | becomes | when
    SERVING | OVER    | the route ended, failed or was interrupted
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import structlog

from vpbx.calls.addresses import Shown, name_addr
from vpbx.calls.exchanging import Exchanging
from vpbx.calls.hearing import Played
from vpbx.calls.leg import Leg
from vpbx.calls.outcome import Ender, Joined, Over, Passed, Result
from vpbx.calls.postdial import PostDial
from vpbx.calls.served import Interrupted, Phase
from vpbx.calls.shared.lines import Use
from vpbx.calls.sound import Unusable
from vpbx.calls.statuses import code_for_caller, sip_code
from vpbx.calls.told.chapter import Chapter
from vpbx.calls.told.recording import encode
from vpbx.causes import Cause, of_offer
from vpbx.db import brief, is_passing
from vpbx.directory.goals import ToPark
from vpbx.events import Destination, Direction, Group, Party
from vpbx.media import MediaError

__all__ = ["Call", "Played", "Route"]

log = structlog.get_logger("vpbx.calls")

Route: TypeAlias = Callable[["Call"], Awaitable[Over]]


class Call(Exchanging):
    """One call. Steps use its public attributes and methods; only its own task runs them."""

    async def join(self, joined: Joined) -> None:
        """Join the guest with the leg that answered: talk begins."""
        guest, host, chapter = self.guest, joined.leg, self.chapter
        assert guest is not None
        self.host = host
        if self.ended_by is not None:  # in the very moment of the answer
            raise Interrupted
        if guest.waiting:
            guest.accept(host.sound)
        self.bridge.follow(guest, host)
        self._tell_joined(joined)
        if self.passing is not None:
            back = joined.party is not None and joined.party.login == self.passing.by.login
            code, phrase = (480, "Temporarily Unavailable") if back else (200, "OK")
            self.transfer_done(code, phrase)
        await self.bridge.hush(guest.side)
        await self.bridge.seat(host)
        if self.is_recorded:
            await self.bridge.record(chapter.info.callid)
        if self.post_dial:
            clock, press = self.switch.clock, partial(self.bridge.carry, host.side)
            self._post_dialling = PostDial(clock, self.post_dial, press)
            self.post_dial = ""

    async def turn(self, passed: Passed, user: Party | None, group: Group | None) -> None:
        """Close the chapter: an employee has passed the guest on. Open the next, for who stays.

        Who stays hears music and notices nothing else: no SIP, the same port. What follows is
        told under a callid of its own, and is for `user` while nobody was rung.
        """
        old, leg = self.chapter, passed.leg
        stays = self.host if leg is self.guest else self.guest
        assert stays is not None
        self._opening = True  # not to be interrupted: what was recorded would be lost
        try:
            recording = await self.bridge.end_recording()
            self.bridge.measure()
            old.journal.legs = await self.bridge.measured.take(old.info.client)
        finally:
            self._opening = False
        self._turn_page(passed, stays, user, group, recorded=recording is not None)
        if recording is not None:
            self.switch.spawn(encode(self.switch, old, recording))
        if isinstance(passed.goal, ToPark):
            self.leaving = leg
        elif not passed.waits:
            leg.hangup()
        if not passed.waits:
            self.passing = None
        if self.ended_by is not None or stays.ended:
            self.ended_by = self.ended_by or Ender.CALLER
            raise Interrupted
        self.bridge.vacate(leg.side, measured=True)
        await self.bridge.loop(stays.side, self.bridge.hold_music)
        if passed.say and not isinstance(passed.goal, ToPark):
            self.say(passed.say)

    def _turn_page(
        self, passed: Passed, stays: Leg, user: Party | None, group: Group | None, *, recorded: bool
    ) -> None:
        """End what is told of one callid, and begin the next with who stays as the guest."""
        old = self.chapter
        now = self.switch.clock.time()
        info = replace(old.info, callid=self.switch.callids.new(), started_at=now)
        inner = info.direction is Direction.INNER
        old.journal.pass_on(passed.by, info.callid)
        for login in self._engaged:
            self._use(login, None)
        self._engaged.clear()
        old.journal.end(0, recorded=recorded)
        self.guest, self.host, self.passing, self.passed_on = stays, None, passed, True
        by = Shown(passed.by.ext or passed.by.login, passed.by.name)
        told = passed.referred_by or name_addr(by, info.domain)
        self.referred_by = passed.by.login, told
        self.chapter = Chapter(info, self.switch.events, self.switch.clock, self.switch.lines)
        caller = stays.party if inner else None
        self.chapter.journal.start(user, group=group, caller=caller)
        if caller is not None:
            self.engage(caller.login)
            self.shown = Shown(caller.ext or caller.login, caller.name)
        elif info.direction is Direction.OUT:
            self.shown = Shown(info.client)

    @property
    def taken(self) -> bool:
        """Whether somebody has talked in this chapter."""
        return self.journal.answered_at is not None

    def let_go(self, leg: Leg) -> None:
        """Part with who has parked the guest; their phone may wait to hear that it is done."""
        self.leaving = None
        if self.passing is not None and self.passing.leg is leg:
            self.transfer_done(200, "OK")
        else:
            leg.hangup()

    def transfer_done(self, code: int, phrase: str) -> None:
        """Tell the phone that asked for a transfer how it went, if any waits to hear."""
        passing, self.passing = self.passing, None
        if passing is not None:
            passing.leg.tell(code, phrase, over=True)

    def _tell_joined(self, joined: Joined) -> None:
        """Of an incoming call that an outside number took, no employee is told anything."""
        story, journal = self.chapter.story, self.journal
        if joined.party is not None:
            journal.answer(joined.party, joined.group)
        elif self._places_call and story.user is not None:
            journal.answer(story.user, story.group)
        else:
            journal.take(Destination.TELNUM)
        if story.caller is not None:
            self._use(story.caller.login, Use.TALKING)

    @property
    def _places_call(self) -> bool:
        """Whether the guest is an employee who calls the outside."""
        return self.info.direction is Direction.OUT and not self.passed_on

    async def seat_guest(self, leg: Leg) -> None:
        """Go on with `leg`, which has answered, as the one who calls (makecall)."""
        self.guest = leg
        if leg.ended:  # hung up before anybody could look
            self.hang_up(Ender.CALLER)
        await self.bridge.seat(leg)

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

    async def _walk(self, route: Route) -> Over:
        try:
            if self.guest is not None and self.guest.ended:
                self.ended_by = Ender.CALLER  # while they were being let in
            return await route(self)
        except asyncio.CancelledError:
            if self.ended_by is None:
                self.hang_up(Ender.SYSTEM, 503)
                self.journal.because(Cause("stopped"))
            if self._task is not None:
                self._task.uncancel()
            return Over(Result.FAILED)
        except Interrupted:
            return Over(Result.FAILED)
        except Unusable as error:
            self.journal.because(of_offer(str(error)))
            return Over(Result.NOT_ACCEPTABLE)
        except MediaError as error:
            self.journal.because(Cause("no_media"))
            if self.bridge.session is not None:  # else `open_media` has told, once
                log.warning("call lost its media", callid=self.info.callid, error=str(error))
            return Over(Result.NO_MEDIA)
        except Exception as error:
            if is_passing(error):
                log.warning(
                    "a call needs the database", callid=self.info.callid, error=brief(error)
                )
            else:
                log.exception("call failed", callid=self.info.callid)
            self.journal.because(Cause("failed"))
            await self._admit_fault()
            return Over(Result.FAILED)

    async def _admit_fault(self) -> None:
        """Say that something of ours has failed to a guest who was answered and is alone."""
        guest = self.guest
        if guest is None or guest.ended or not guest.session.answered or self.host is not None:
            return
        try:
            await self.hear_out("fault")
        except Exception as error:
            log.debug("a fault could not be told", callid=self.info.callid, error=repr(error))
        except asyncio.CancelledError:  # they have hung up, or the server stops
            self.hang_up(Ender.SYSTEM, 503)
            if self._task is not None:
                self._task.uncancel()

    async def _finish(self, outcome: Over) -> None:
        if self._post_dialling is not None:
            self._post_dialling.stop()
        chapter, code = self.chapter, self._final_code(outcome)
        gave_up = self.ended_by is Ender.CALLER and self.settled is None
        if gave_up and not self.taken:
            chapter.journal.because(Cause("gave_up"))
        self.transfer_done(487, "Request Terminated")
        if self.leaving is not None:
            self.let_go(self.leaving)
        for leg in self.legs():
            leg.hangup(code)
        chapter.journal.stop_all()
        recording = None
        try:
            recording = await self.bridge.close()
            chapter.journal.legs = await self.bridge.measured.take(chapter.info.client)
        finally:
            chapter.journal.end(code, gave_up=gave_up, recorded=recording is not None)
        if recording is not None:
            self.switch.spawn(encode(self.switch, chapter, recording))

    def _let_go(self) -> None:
        calls = self.switch.calls
        calls.remove(self)
        for login in self._engaged:
            self._use(login, None)
        for trunk in self._trunks:
            calls.free(trunk)
        # No circle is left behind: the collector of garbage would halt all calls for it.
        self.guest = self.host = self._task = None
        self.inbox.close()

    def _final_code(self, outcome: Over) -> int:
        """Return what an unanswered guest is told, and history keeps."""
        if self.settled is None:
            if self._code:
                return self._code
            if self.ended_by is Ender.CALLER:
                return 487
        if outcome.code and self.info.direction is not Direction.IN:
            return code_for_caller(outcome.code)
        return sip_code(outcome.result)
