"""Employees' phones that are reached by a way: their mobiles, and phones of a connected PBX."""

from __future__ import annotations

from vpbx.calls.call import Call
from vpbx.calls.inbox import Tick
from vpbx.calls.leg import Leg
from vpbx.calls.rung import Person
from vpbx.calls.trials import Trial, Trials
from vpbx.calls.trunks import call_across, dial_through, ways_out
from vpbx.frozen import dataclass
from vpbx.media import Side

__all__ = ["Mobiles"]


@dataclass(frozen=True, slots=True)
class _Mobile:
    """A leg that uses a way, by its key: a mobile that is rung, showing what; or (no trial)
    somebody of a connected PBX."""

    way: str
    clid: str = ""
    trial: Trial | None = None


class Mobiles:
    """Those that ring for a call at its `side`. Each holds a place on its trunk until it is
    `release`d; `leave` lets go of all."""

    __slots__ = ("_call", "_legs", "_side")

    def __init__(self, call: Call, side: Side) -> None:
        self._call = call
        self._side = side
        self._legs: dict[Leg, _Mobile] = {}

    def __contains__(self, leg: Leg) -> bool:
        return leg in self._legs

    def ring_across(self, person: Person) -> None:
        """Ring somebody of a connected PBX; there, all their phones ring, or they are busy."""
        call = self._call
        peer = person.employee.login.partition("@")[2]
        way = call.switch.connections.across.way(call.domain, peer, call.switch.stack)
        if way is None:
            return
        sound = call.offer(self._side, way.secures(way.hops[0]))
        leg = call_across(call, way, person.employee.ext, sound, side=self._side)
        leg.party = person.party
        self._legs[leg] = _Mobile(way.key)
        person.legs.append(leg)

    def ring(self, person: Person) -> None:
        """Ring an employee's mobile; it shows the customer's number where a trunk lets it."""
        call, mobile = self._call, person.employee.mobile
        domain = call.domain
        number = domain.numbers.get(call.info.diversion) or domain.outgoing_number(
            person.employee, mobile
        )
        if number is not None:
            ways = ways_out(call.switch, domain, number, mobile)
            self._dial(person, number.telnum, Trials(call, ways))

    def _dial(self, person: Person, clid: str, trials: Trials) -> None:
        """Ring the mobile by the first of what is left to try; by the next if that one fails."""
        trial = trials.next()
        if trial is None:
            return
        call, way = self._call, trial.way
        sound = call.offer(self._side, way.secures(trial.hop))
        leg = dial_through(
            call, way, person.employee.mobile, clid, sound, hop=trial.hop, side=self._side
        )
        leg.party = person.party
        self._legs[leg] = _Mobile(way.key, clid, trial)
        person.legs.append(leg)

    def time(self, person: Person, event: Tick) -> None:
        """A reminder is due: a person's mobile is to ring, or its trunk says nothing."""
        if person.mobile_due is not None and person.mobile_due.means(event):
            person.mobile_due = None
            self.ring(person)
        for leg in tuple(person.legs):
            mobile = self._legs.get(leg)
            trial = mobile.trial if mobile is not None else None
            if mobile is not None and trial is not None and trial.is_silent(event, leg):
                leg.hangup()
                person.legs.remove(leg)
                self.release(leg)
                self._dial(person, mobile.clid, trial.others)

    def progress(self, leg: Leg, code: int) -> None:
        """A leg that may be one of these has answered provisionally."""
        if (trial := self._trial(leg)) is not None:
            trial.progress(code)

    def served(self, leg: Leg) -> None:
        """A leg that may be one of these was answered."""
        if (trial := self._trial(leg)) is not None:
            trial.served()

    def failed(self, person: Person, leg: Leg, code: int) -> None:
        """A leg that may be one of these has failed: its mobile rings by another trunk, if the
        fault was the trunk's."""
        mobile = self.release(leg)
        trial = mobile.trial if mobile is not None and code else None
        if mobile is not None and trial is not None and trial.failed(code):
            self._dial(person, mobile.clid, trial.others)

    def release(self, leg: Leg) -> _Mobile | None:
        """Let go of what a leg has used, if it is one of these."""
        mobile = self._legs.pop(leg, None)
        if mobile is not None:
            self._call.free(mobile.way)
            if mobile.trial is not None:
                mobile.trial.stop()
        return mobile

    def leave(self, winner: Leg | None) -> None:
        """Let go of all but the one that was joined."""
        for leg in tuple(self._legs):
            if leg is not winner:
                self.release(leg)

    def _trial(self, leg: Leg) -> Trial | None:
        mobile = self._legs.get(leg)
        return mobile.trial if mobile is not None else None
