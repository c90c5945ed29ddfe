"""Employees' phones: all devices of all of them at once; the first to answer has the call."""

from __future__ import annotations

from collections.abc import Sequence

from vpbx.calls.across import ringee
from vpbx.calls.addresses import Shown, name_addr
from vpbx.calls.call import Call
from vpbx.calls.devices import devices_of, quiet_of
from vpbx.calls.inbox import Event, SettingsChanged, Tick
from vpbx.calls.leg import Answered, Ended, Failed, Leg, LegEvent, Progress
from vpbx.calls.mobiles import Mobiles
from vpbx.calls.outcome import Joined, Over, Result
from vpbx.calls.rung import Person
from vpbx.calls.sound import Sound, Unusable
from vpbx.calls.takeup import PickedUp, TakeUp
from vpbx.causes import of_phone, of_trunk
from vpbx.directory import Employee
from vpbx.events import Group
from vpbx.sip import Target

__all__ = ["Ringing", "ring"]

_ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
_QUIET = "Alert-Info", "<urn:x-vpbx:quiet>"
"""To a page that shows a call without a sound: another one in its browser makes it."""
_BUSY = frozenset((486, 600))
_REFUSALS = frozenset(range(600, 700))
"""What a device says for all of the person's."""
_RANK = (
    Result.NO_ANSWER,
    Result.BUSY,
    Result.DECLINED,
    Result.NOT_ACCEPTABLE,
    Result.NOT_RECEIVING,
    Result.UNREACHABLE,
)
"""Of several people who were not reached, the result that says most."""


async def ring(
    call: Call,
    people: Sequence[tuple[Employee, Group | None]],
    timeout_s: float,
    *,
    insist: bool = False,
) -> Joined | Over:
    """Ring all of `people`, each for the department beside them, for at most `timeout_s`.

    Who is deleted meanwhile, or switches "do not disturb" on, rings no longer.
    """
    ringing = Ringing(call, insist=insist)
    deadline = call.remind(timeout_s)
    call.heeds = True
    try:
        for employee, group in people:
            ringing.begin(employee, group)
        ringing.look()  # who was to be rung may have been found a while ago
        while ringing.reachable:
            event = await call.next()
            if deadline.means(event):
                ringing.time_is_up()
                break
            if type(event) is SettingsChanged:
                ringing.look()
                continue
            joined = await ringing.take(event)
            if joined is not None:
                return joined
        return Over(ringing.result)
    finally:
        call.heeds = False
        deadline.cancel()
        ringing.leave()


class Ringing:
    """The people who are being rung for a call, each on all devices at once.

    Who does not receive calls, or talks already and has no call waiting, is not rung, unless
    `insist`: they asked for this call themselves. Their mobile rings too, or instead, where
    they have set that (crm-api §6 mobile_redirect). `leave` must be called at the end.

    A device that declines speaks for the person; one that is busy does so only in a hunt
    (`hunts`), which then moves on at once.
    """

    def __init__(self, call: Call, *, insist: bool = False, hunts: bool = False) -> None:
        self._call = call
        self._side = call.host_side
        self._told = call.guest is not None
        """Whether they are rung for a guest; who is rung to place a call rings for nobody."""
        self._insist = insist
        self._decisive = _REFUSALS | {486} if hunts else _REFUSALS
        self._people: dict[str, Person] = {}
        self._wanted: set[str] = set()
        """Who has asked for the call themselves."""
        self._winner: Leg | None = None
        self._rang = False
        self._sound: Sound | None = None
        self._mobiles = Mobiles(call, self._side)
        self._takers = TakeUp(call)
        if self._told:
            call.switch.ringing[call.info.callid] = self

    @property
    def reachable(self) -> bool:
        """Whether anybody may still answer."""
        return any(person.reachable for person in self._people.values())

    def rings(self, login: str) -> bool:
        """Say whether `login` may still answer."""
        person = self._people.get(login)
        return person is not None and person.reachable

    @property
    def result(self) -> Result:
        """Of several people who were not reached, the result that says most."""
        results = {person.result for person in self._people.values()} or {Result.UNREACHABLE}
        return next(result for result in _RANK if result in results)

    def ring_also(self, employee: Employee) -> None:
        """Ring an employee too, who has asked for the call: though they talk, and are not to be
        disturbed."""
        if not self.rings(employee.login):
            self._wanted.add(employee.login)
            self.begin(employee, self._call.chapter.story.group)

    def begin(self, employee: Employee, group: Group | None = None) -> bool:
        """Ring all there is of an employee, and say whether there was anything to ring."""
        if self.rings(employee.login):  # they have asked for it before
            return True
        person = self._people[employee.login] = Person(employee, group)
        if not self._insist and employee.login not in self._wanted:
            if not employee.receives_calls:
                person.result = Result.NOT_RECEIVING
                return False
            if self._call.busy(employee.login) and not employee.call_waiting:
                person.result = Result.BUSY
                return False
        mobile = employee.mobile_redirect
        redirected = mobile.enabled and employee.mobile != ""
        if "@" in employee.login:
            self._mobiles.ring_across(person)
        elif not (redirected and mobile.forward):
            switch = self._call.switch
            targets = devices_of(switch, self._call.domain, employee)
            quiet = quiet_of(switch, targets)
            for target in targets:
                self._ring_device(person, target, quiet=target.hop in quiet)
        if redirected:
            person.mobile_due = self._call.remind(0 if mobile.forward else mobile.delay)
        return person.reachable

    def stop(self, login: str) -> None:
        """Ring `login` no longer: the hunt has moved on."""
        person = self._people.get(login)
        if person is not None and person.reachable:
            if person.result is Result.UNREACHABLE:
                person.result = Result.NO_ANSWER
            self._drop(person)
            self._stopped(person)

    def look(self) -> None:
        """Ring no longer who is no employee any more, or receives no calls any more."""
        for login, person in self._people.items():
            employee = ringee(self._call.domain, login)
            insists = self._insist or login in self._wanted
            wanted = employee is not None and (insists or employee.receives_calls)
            if person.reachable and not wanted:
                gone = employee is None
                person.result = Result.UNREACHABLE if gone else Result.NOT_RECEIVING
                self._drop(person)
                self._stopped(person)

    def time_is_up(self) -> None:
        """Note that whoever rings still has not answered in time."""
        for person in self._people.values():
            if person.reachable:
                person.result = Result.NO_ANSWER

    async def take(self, event: Event) -> Joined | None:
        """Go on by an event of `Call.next`; what is not of these people changes nothing."""
        if type(event) is Tick:
            for person in self._people.values():
                self._mobiles.time(person, event)
            return None
        if not isinstance(event, LegEvent):
            return None
        if isinstance(event, PickedUp):
            return self._picked_up(event)
        rung = next((p for p in self._people.values() if event.leg in p.legs), None)
        if rung is None:
            return None
        match event:
            case Progress(leg=leg, code=code):
                self._mobiles.progress(leg, code)
                await self._progress(rung)
            case Answered(leg=leg, sdp=sdp):
                return self._answered(rung, leg, sdp)
            case Failed(leg=leg, code=code, said=said):
                if leg.way:
                    rung.causes.append(of_trunk(leg.way, code, heard=said))
                else:
                    rung.causes.append(of_phone(rung.name, code, heard=said))
                self._failed(rung, leg, code)
            case Ended(leg=leg):
                self._failed(rung, leg, 0)
        return None

    def leave(self) -> None:
        """Stop everything but the leg that was joined."""
        ringing = self._call.switch.ringing
        if ringing.get(self._call.info.callid) is self:
            del ringing[self._call.info.callid]
        self._takers.leave()
        reason = _ELSEWHERE if self._winner is not None else ""
        for person in self._people.values():
            if self._winner is None:
                self._call.journal.because(*person.why())
            self._drop(person, reason)
            if self._winner is None:
                self._stopped(person)
        self._mobiles.leave(self._winner)

    def pick_up(self, leg: Leg, employee: Employee) -> None:
        """Let `employee`, who has dialled for it, take the call by that leg."""
        self._takers.pick_up(leg, employee)

    def leg_of(self, login: str) -> Leg | None:
        """Return a phone of an employee that rings; None: none does, or not yet."""
        person = self._people.get(login)
        legs = person.legs if person is not None else ()
        ringing = (leg for leg in legs if leg not in self._mobiles and leg.session.dialog)
        return next(ringing, None)

    def _picked_up(self, event: PickedUp) -> Joined | None:
        joined = self._takers.take(event)
        if joined is not None:
            self._winner = joined.leg
        return joined

    def _ring_device(self, person: Person, target: Target, *, quiet: bool = False) -> None:
        call = self._call
        transport = target.hop.transport
        if transport not in ("udp", "tcp"):
            sound = call.offer(self._side, transport, target.uri)  # keys of its own for each
        elif self._sound is None:
            sound = self._sound = call.offer(self._side)
        else:
            sound = self._sound.twin()
        leg = Leg(self._side, call.inbox, sound)
        leg.party = person.party
        host = call.domain.name
        leg.session = call.switch.stack.invite(
            target,
            from_=name_addr(call.shown, host),
            to=name_addr(Shown(person.employee.ext or person.employee.login), host),
            sdp=sound.local,
            otherwise=sound.otherwise,
            listener=leg,
            headers=[
                ("Max-Forwards", str(call.max_forwards)),
                *call.referral(person.employee.login),
                *([_QUIET] if quiet else ()),
            ],
        )
        call.note_leg(leg)
        person.legs.append(leg)

    async def _progress(self, person: Person) -> None:
        if person.result is Result.UNREACHABLE:
            person.result = Result.NO_ANSWER
        if self._told:
            self._call.journal.ring(person.party, person.group)
            if not self._rang:
                self._rang = True
                await self._call.progress()

    def _answered(self, person: Person, leg: Leg, sdp: str | None) -> Joined | None:
        self._mobiles.served(leg)
        try:
            leg.agree(sdp, self._call.codecs)
        except Unusable:
            person.causes.append(of_phone(person.name, 488, heard=True))
            self._failed(person, leg, 488)
            leg.hangup(0, "SIP;cause=488")
            return None
        self._winner = leg
        return Joined(leg, person.party, person.group)

    def _failed(self, person: Person, leg: Leg, code: int) -> None:
        """A device dropped out; a refusal that speaks for the person ends their other ones."""
        person.legs.remove(leg)
        self._mobiles.failed(person, leg, code)
        if code in _BUSY:
            person.result = Result.BUSY
        elif code == 603:
            person.result = Result.DECLINED
        elif code == 488 and person.result is Result.UNREACHABLE:
            person.result = Result.NOT_ACCEPTABLE
        if code in self._decisive:
            self._drop(person)
        if not person.reachable:
            self._stopped(person)

    def _drop(self, person: Person, reason: str = "") -> None:
        """Hang up all legs of a person, but the one that was joined."""
        for leg in person.legs:
            if leg is not self._winner:
                leg.hangup(0, reason)
                self._mobiles.release(leg)
        person.legs = [leg for leg in person.legs if leg is self._winner]
        if person.mobile_due is not None:
            person.mobile_due.cancel()
            person.mobile_due = None

    def _stopped(self, person: Person) -> None:
        if self._told:
            self._call.journal.stop(person.party)
