"""A department: its members ring in its order; who finds nobody free waits in line.

Theory of operation. The call takes a ticket in the line of the department; whom to ring for it
and whom to stop, the queues say (`Told`), since they see all callers and all employees. The step
makes the phones follow, and says who refused. While nobody rings, the guest is answered and
waits with music; they go on hearing it when somebody is rung for them later.

    the guest hears  | when
    ringing          | somebody was free at once
    music            | nobody is rung
    their place      | after `FIRST_S`, then every `EVERY_S`, where the department tells it
    what is offered  | together with that: "please call later", or "press 1"
"""

from __future__ import annotations

from vpbx.calls.across import ringee
from vpbx.calls.addresses import group_of
from vpbx.calls.call import Call
from vpbx.calls.inbox import Event, Reminder, SettingsChanged
from vpbx.calls.leg import Digit
from vpbx.calls.outcome import Joined, Onward, Outcome, Over, Result
from vpbx.calls.restrictions import may_call_back
from vpbx.calls.ringing import Ringing
from vpbx.calls.shared.lines import Use
from vpbx.calls.shared.queues import Waiting
from vpbx.calls.sounds import music
from vpbx.directory import Advanced, CallOrder, Department, PromisedCall
from vpbx.directory.goals import ToDepartment, ToEmployee, of_timeout
from vpbx.events import Direction
from vpbx.media import phrases

__all__ = ["department"]

FIRST_S = 5.0
EVERY_S = 30.0
LONGEST_MIN = 60
"""No longer estimate is told."""
_CALL_BACK = "1"


class Told(Event):
    """The queues have reserved somebody for the guest, or took them away."""


async def department(call: Call, goal: ToDepartment) -> Outcome:
    """Find a member who takes the call; never who calls it. In time, or go where it says."""
    call.heeds = True
    try:
        return await _visited(call, goal)
    finally:
        call.heeds = False


async def _visited(call: Call, goal: ToDepartment) -> Outcome:
    found = call.domain.departments.get(goal.id)
    if found is None:
        return Over(Result.NOT_FOUND)
    if not found.members:
        return Onward(of_timeout(found))
    if found.call_order is CallOrder.EVENLY:
        await call.switch.last_talks.learn(call.info.domain_id, [m.login for m in found.members])
    visit = _Visit(call, goal.id)
    try:
        return await visit.run()
    finally:
        visit.leave()


class _Visit:
    """One call in one department."""

    def __init__(self, call: Call, group: str) -> None:
        self._call = call
        self._group = group
        found = self._department
        hunts = found is not None and found.call_order is not CallOrder.ALL
        self._ringing = Ringing(call, hunts=hunts)
        now = call.switch.clock.now()
        if call.waits_since is None:
            call.waits_since = now
        caller = call.chapter.story.caller
        self._came = now
        self._ticket = Waiting(
            call.info.domain_id,
            group,
            call.waits_since,
            lambda action: call.inbox.put(Told()),
            without=caller.login if caller is not None else "",
            callid=call.info.callid,
        )
        self._over: Reminder | None = None
        self._speech: Reminder | None = None
        self._rung: set[str] = set()
        """Whose phones ring, as far as the queues know."""
        self._spoke = False
        self._waits = False
        """Whether the guest has been answered to wait with music."""

    @property
    def _department(self) -> Department | None:
        """The department as it is set at this moment; None when it was deleted."""
        return self._call.domain.departments.get(self._group)

    async def run(self) -> Outcome:
        self._wait_no_longer_than()
        self._call.switch.queues.join(self._ticket)
        self._follow_queues()
        while True:
            if not self._ticket.reserved and not self._waits:
                await self._wait()
            outcome = await self._go_on(await self._call.next())
            if outcome is not None:
                return outcome

    def leave(self) -> None:
        """Stop all phones, then give the place in line and everybody in it free."""
        for reminder in (self._over, self._speech):
            if reminder is not None:
                reminder.cancel()
        self._ringing.leave()
        self._call.switch.queues.leave(self._ticket)

    async def _go_on(self, event: Event) -> Outcome | None:
        call = self._call
        if isinstance(event, Digit):
            wanted = event.leg is call.guest and event.digit == _CALL_BACK
            if wanted and self._waits and self._calls_back:
                return await self._promise()
        elif type(event) is SettingsChanged:
            if self._department is None:  # deleted: what named it names who takes its calls now
                return Onward(ToEmployee(call.domain.first_admin().login))
        elif self._speech is not None and self._speech.means(event):
            self._speak(EVERY_S)
        elif self._over is not None and self._over.means(event):
            return self._time()
        else:
            joined = await self._ringing.take(event)
            if joined is not None:
                return self._joined(joined)
        self._follow_queues()
        return None

    # -- whom the queues ring ---------------------------------------------------------------

    def _follow_queues(self) -> None:
        """Ring those who are reserved for the guest and nobody else; say who refused."""
        queues, ringing, group = self._call.switch.queues, self._ringing, self._department
        changed = True
        while changed:
            changed = False
            for login in self._rung - self._ticket.reserved.keys():
                self._rung.discard(login)
                ringing.stop(login)
            for login in tuple(self._ticket.reserved):
                employee = ringee(self._call.domain, login)
                if login not in self._rung and employee is not None and group is not None:
                    self._rung.add(login)
                    ringing.begin(employee, group_of(group))
                if not ringing.rings(login):
                    self._rung.discard(login)
                    queues.refused(self._ticket, login)
                    changed = True

    def _joined(self, joined: Joined) -> Joined:
        """They talk from this moment: nobody else is offered them when this ticket goes."""
        if self._waits:
            self._call.switch.queues.served(self._ticket)
        if joined.party is not None:
            info, clock = self._call.info, self._call.switch.clock
            self._call.switch.lines.move(
                info.domain_id, joined.party.login, info.callid, Use.TALKING, now=clock.now()
            )
        return joined

    # -- what the guest hears ------------------------------------------------------------------

    async def _wait(self) -> None:
        """Nobody rings: answer the guest, and let them hear music from now on."""
        call = self._call
        self._waits = True
        await call.pick_up()
        if call.guest is None:
            return
        domain = call.domain
        chosen = music(domain, call.switch.config.uploads, domain.settings.holdmusic, "holdmusic")
        await call.bridge.hush(call.guest.side)
        await call.bridge.loop(call.guest.side, chosen)
        self._speech = call.remind(FIRST_S)

    def _speak(self, pause_s: float) -> None:
        """Tell the guest their place and what they are offered, and again before long."""
        call, department = self._call, self._department
        waited_s = call.switch.clock.now() - self._came
        rest_s = pause_s - waited_s % pause_s
        self._speech = call.remind(rest_s if rest_s > 1.0 else rest_s + pause_s)
        if department is None:
            return
        sounds: tuple[str, ...] = ()
        place = call.switch.queues.place(self._ticket)
        language = call.domain.language
        if department.queue_position and place:
            sounds += phrases.queue_position(place, language)
            minutes = call.switch.queues.wait_minutes(self._ticket)
            if minutes is not None and minutes <= LONGEST_MIN:
                sounds += phrases.queue_wait(minutes, language)
        if department.advanced is Advanced.MSG_BUSY:
            sounds += ("call-later",)
        elif self._calls_back:
            sounds += ("callback-offer",)
        if sounds and not self._spoke and "call-later" not in sounds:
            sounds = ("please-wait", *sounds)
        self._spoke = True
        if sounds:
            call.say(*sounds)

    # -- how it ends ---------------------------------------------------------------------------

    def _wait_no_longer_than(self) -> None:
        department = self._department
        limit_s = department.timeout.time if department is not None else 0
        waited_s = self._call.switch.clock.now() - self._came
        self._over = self._call.remind(max(0.0, limit_s - waited_s))

    def _time(self) -> Outcome | None:
        """The time is over, unless it was made longer meanwhile."""
        department = self._department
        if department is None:
            return Over(Result.NO_ANSWER)
        if self._call.switch.clock.now() - self._came < department.timeout.time:
            self._wait_no_longer_than()
            return None
        return Onward(of_timeout(department))

    @property
    def _calls_back(self) -> bool:
        """Whether this guest may ask to be called back: a customer whose number is known, and
        may be called by the department (crm-api §13)."""
        department, info = self._department, self._call.info
        return (
            department is not None
            and department.advanced is Advanced.CALLBACK
            and info.direction is Direction.IN
            and info.client != ""
            and may_call_back(self._call.domain, self._group, info.client)
        )

    async def _promise(self) -> Outcome:
        """Keep the guest's place for them, and say so."""
        call, switch = self._call, self._call.switch
        clock = switch.clock
        waited_s = clock.now() - self._ticket.since
        self._ringing.leave()
        switch.queues.leave(self._ticket)
        promised = PromisedCall(
            call.info.callid,
            call.info.domain_id,
            self._group,
            call.info.client,
            call.info.diversion,
            clock.time() - waited_s,
        )
        try:
            await switch.directory.callbacks.promise(promised)
            await call.pick_up()
            await call.hear_out("callback-confirmed")
        finally:  # also when they hang up at once, which ends the call but not the promise
            switch.call_back(promised)
        return Over(Result.NO_ANSWER)
