"""Employees' phones: all devices of all of them at once; the first to answer has the call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vpbx.calls.addresses import Shown, group_of, name_addr, party_of
from vpbx.calls.call import Call
from vpbx.calls.devices import devices_of
from vpbx.calls.inbox import Event, Reminder, Tick
from vpbx.calls.leg import Answered, Ended, Failed, Leg, LegEvent, Progress
from vpbx.calls.outcome import Outcome, Result
from vpbx.calls.sound import Sound, Unusable
from vpbx.calls.trunks import dial_through, ways_out
from vpbx.directory import Department, Employee
from vpbx.events import Group, Party
from vpbx.media import Side
from vpbx.sip import Target

__all__ = ["Ring", "Ringee"]

_ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
_BUSY = frozenset((486, 600))
_RANK = (
    Result.NO_ANSWER,
    Result.BUSY,
    Result.DECLINED,
    Result.NOT_ACCEPTABLE,
    Result.NOT_RECEIVING,
    Result.UNREACHABLE,
)
"""Of several people who were not reached, the result that says most."""


@dataclass(frozen=True, slots=True)
class Ringee:
    """An employee to be rung, and the department they are rung for."""

    employee: Employee
    department: Department | None = None


class Ring:
    """Rings `ringees` for at most `timeout_s`.

    Who does not receive calls, or talks already and has no call waiting, is not rung, unless
    `insist`: they asked for this call themselves. Their mobile rings too, or instead, where
    they have set that (crm-api §6 mobile_redirect).
    """

    def __init__(
        self,
        ringees: Sequence[Ringee],
        timeout_s: float,
        *,
        side: Side = Side.B,
        insist: bool = False,
    ) -> None:
        self._ringees = ringees
        self._timeout_s = timeout_s
        self._side = side
        self._insist = insist

    async def run(self, call: Call) -> Outcome:
        ringing = _Ringing(call, self._side, insist=self._insist)
        try:
            for ringee in self._ringees:
                ringing.begin(ringee)
            return await ringing.wait(self._timeout_s)
        finally:
            ringing.leave()


class _Person:
    """One employee being rung."""

    __slots__ = ("employee", "group", "legs", "mobile_due", "party", "result")

    def __init__(self, ringee: Ringee) -> None:
        self.employee = ringee.employee
        self.party: Party = party_of(ringee.employee)
        self.group: Group | None = group_of(ringee.department) if ringee.department else None
        self.legs: list[Leg] = []
        self.mobile_due: Reminder | None = None
        self.result = Result.UNREACHABLE

    @property
    def reachable(self) -> bool:
        return bool(self.legs) or self.mobile_due is not None


class _Ringing:
    """The state of one `Ring.run`."""

    def __init__(self, call: Call, side: Side, *, insist: bool) -> None:
        self._call = call
        self._side = side
        self._insist = insist
        self._people: list[_Person] = []
        self._winner: Leg | None = None
        self._rang = False
        self._sound: Sound | None = None
        self._deadline: Reminder | None = None
        self._trunks: dict[Leg, int] = {}

    def begin(self, ringee: Ringee) -> None:
        """Ring all there is of an employee, unless they must be left alone."""
        person = _Person(ringee)
        self._people.append(person)
        employee = person.employee
        if not self._insist:
            engaged = self._call.switch.calls.engaged(self._call.info.domain_id, employee.login)
            if not employee.receives_calls:
                person.result = Result.NOT_RECEIVING
                return
            if engaged and not employee.call_waiting:
                person.result = Result.BUSY
                return
        mobile = employee.mobile_redirect
        devices = devices_of(self._call.switch, self._call.domain, employee)
        redirected = mobile.enabled and employee.mobile != ""
        if redirected and self._insist:  # who calls has a phone at hand; which, they have said
            redirected = mobile.forward or not devices
        if not (redirected and mobile.forward):
            for target in devices:
                self._ring_device(person, target)
        if redirected:
            person.mobile_due = self._call.remind(0 if mobile.forward else mobile.delay)

    def _ring_device(self, person: _Person, target: Target) -> None:
        call = self._call
        if self._sound is None:
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
            listener=leg,
            headers=[("Max-Forwards", str(call.max_forwards))],
        )
        person.legs.append(leg)

    def _ring_mobile(self, person: _Person) -> None:
        """Ring an employee's mobile through the first trunk; it is shown our number."""
        call = self._call
        number = call.domain.numbers.get(call.info.diversion) or call.domain.outgoing_number(
            person.employee, person.employee.mobile
        )
        ways = ways_out(call.switch, call.domain, number)
        if number is None or not ways:
            return
        sound = call.offer(self._side)
        mobile = person.employee.mobile
        leg = dial_through(call, ways[0], mobile, number.telnum, sound, side=self._side)
        leg.party = person.party
        self._trunks[leg] = ways[0].id
        person.legs.append(leg)

    async def wait(self, timeout_s: float) -> Outcome:
        """Wait until somebody answers, nobody is left, or time is up."""
        self._deadline = self._call.remind(timeout_s)
        while any(person.reachable for person in self._people):
            event = await self._call.next()
            if self._deadline.means(event):
                for person in self._people:
                    if person.reachable:
                        person.result = Result.NO_ANSWER
                break
            outcome = await self._take(event)
            if outcome is not None:
                return outcome
        results = {person.result for person in self._people} or {Result.UNREACHABLE}
        return Outcome(next(result for result in _RANK if result in results))

    async def _take(self, event: Event) -> Outcome | None:
        if type(event) is Tick:
            for person in self._people:
                if person.mobile_due is not None and person.mobile_due.means(event):
                    person.mobile_due = None
                    self._ring_mobile(person)
            return None
        if not isinstance(event, LegEvent):
            return None
        rung = next((p for p in self._people if event.leg in p.legs), None)
        if rung is None:
            return None
        match event:
            case Progress():
                await self._progress(rung)
            case Answered(leg=leg, sdp=sdp):
                return self._answered(rung, leg, sdp)
            case Failed(leg=leg, code=code):
                self._failed(rung, leg, code)
            case Ended(leg=leg):
                self._failed(rung, leg, 0)
        return None

    async def _progress(self, person: _Person) -> None:
        if person.result is Result.UNREACHABLE:
            person.result = Result.NO_ANSWER
        if self._side is Side.B:
            self._call.journal.ring(person.party, person.group)
            if not self._rang:
                self._rang = True
                await self._call.progress()

    def _answered(self, person: _Person, leg: Leg, sdp: str | None) -> Outcome | None:
        try:
            leg.agree(sdp, self._call.codecs)
        except Unusable:
            self._failed(person, leg, 488)
            leg.hangup(0, "SIP;cause=488")
            return None
        self._winner = leg
        return Outcome(Result.ANSWERED, leg=leg, party=person.party, group=person.group)

    def _failed(self, person: _Person, leg: Leg, code: int) -> None:
        """A device dropped out; a refusal that speaks for the person ends their other ones."""
        person.legs.remove(leg)
        if code in _BUSY:
            person.result = Result.BUSY
        elif code == 603:
            person.result = Result.DECLINED
        elif code == 488 and person.result is Result.UNREACHABLE:
            person.result = Result.NOT_ACCEPTABLE
        if code >= 600:
            for other in person.legs:
                other.hangup()
            person.legs.clear()
            if person.mobile_due is not None:
                person.mobile_due.cancel()
                person.mobile_due = None
        if not person.reachable and self._side is Side.B:
            self._call.journal.stop(person.party)

    def leave(self) -> None:
        """Stop everything but the winner's leg."""
        if self._deadline is not None:
            self._deadline.cancel()
        reason = _ELSEWHERE if self._winner is not None else ""
        for person in self._people:
            if person.mobile_due is not None:
                person.mobile_due.cancel()
            for leg in person.legs:
                if leg is not self._winner:
                    leg.hangup(0, reason)
            if self._winner is None and self._side is Side.B:
                self._call.journal.stop(person.party)
        for leg, trunk_id in self._trunks.items():
            if leg is not self._winner:
                self._call.free(trunk_id)
