"""Letting calls in: from a carrier, another operator, a connected PBX or an employee's phone.

Finds out who calls and where to, and starts the call by the route that serves it, or refuses it.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import structlog

from vpbx.calls.across import Visitor
from vpbx.calls.addresses import (
    Shown,
    dialled,
    mistyped_ext,
    outside_caller,
    party_of,
)
from vpbx.calls.admission import Admission, Admitted, Challenged, Refused
from vpbx.calls.call import Call, Route
from vpbx.calls.doors import Doors, TurnedAway, Unproven
from vpbx.calls.incoming import Incoming
from vpbx.calls.internal import Internal, Service, Visit
from vpbx.calls.leg import Leg
from vpbx.calls.outgoing import Outgoing, number_shown
from vpbx.calls.parking import find_parked, parked_at
from vpbx.calls.pickup import find_ringing, picks_up
from vpbx.calls.registry import LiveCall
from vpbx.calls.replacing import May, take_place, wanted_place
from vpbx.calls.shared.parking import is_place
from vpbx.calls.switch import Switch
from vpbx.directory import DomainConfig, Employee, Invalid, Number, Trunk, is_emergency, read_number
from vpbx.directory.goals import ToNotice, ToVoicemail, goal_of, of_code, of_ext
from vpbx.events import CallInfo, Direction
from vpbx.media import Side
from vpbx.sip import Request, Session

__all__ = ["Entrance"]

log = structlog.get_logger("vpbx.calls")

_RETRY = (("Retry-After", "10"),)


class Entrance:
    """Where new calls come in."""

    def __init__(self, switch: Switch, doors: Doors, admission: Admission) -> None:
        self._switch = switch
        self._doors = doors
        self._admission = admission

    def take(self, session: Session) -> None:
        """Take a new call, in a task of its own."""
        leg = Leg(Side.A)
        leg.session, session.listener = session, leg
        if self._switch.stopping:
            session.reject(503, headers=_RETRY)
            return
        if self._doors.knocks(session.request, session.hop):
            self._switch.spawn(self._let_in(leg, self._from_outside(leg)))
        else:
            self._switch.spawn(self._let_in(leg, self._from_phone(leg)))

    async def _let_in(self, leg: Leg, caller: Coroutine[Any, Any, None]) -> None:
        """See to it that an INVITE is answered even when finding out about it fails."""
        try:
            await caller
        except Exception:
            log.exception("a call could not be let in", source=leg.session.hop.host)
            leg.hangup(500)

    async def _from_outside(self, leg: Leg) -> None:
        """Take a call from a carrier or another operator: to a number of ours, or not at all."""
        session = leg.session
        if "Replaces" in session.request.headers:
            carrier = self._admission.trunk(session.hop)
            self._take_place(leg, self._of_carrier(carrier))
            return
        guest = await self._doors.open(session.request, session.hop, self._switch.stack)
        if isinstance(guest, Unproven):
            session.challenge(guest.challenges)
            return
        if isinstance(guest, Visitor):
            await self._from_branch(leg, guest)
            return
        if isinstance(guest, TurnedAway):
            session.reject(guest.code, guest.reason or None)
            return
        if guest.limit and not self._switch.calls.trunk_has_room(guest.way, guest.limit):
            session.reject(503, headers=_RETRY)
            return
        domain, number = guest.domain, guest.number
        caller = outside_caller(session.request, domain.country)
        if self._blacklisted(domain, number, caller):
            session.reject(603)
            return
        info = self._switch.new_call(domain, Direction.IN, caller.user, number)
        await self._run(leg, domain, info, caller, Incoming(number), way=guest.way)

    def _of_carrier(self, carrier: Trunk | None) -> May:
        """Let a carrier, known by its address, replace the calls that go through it."""
        trunk = self._admission.trunk

        def may(call: LiveCall, old: Leg) -> bool:
            return carrier is not None and old.party is None and trunk(old.session.hop) == carrier

        return may

    async def _from_branch(self, leg: Leg, visitor: Visitor) -> None:
        """Take a call from a connected PBX: to somebody of the company, or not at all."""
        domain, caller = visitor.domain, visitor.caller
        inside = domain.callee(visitor.ext)
        if inside is None:
            leg.session.reject(404)
            return
        leg.party = caller
        info = self._switch.new_call(domain, Direction.INNER)
        route = Visit(caller, goal_of(inside))
        await self._run(leg, domain, info, Shown(caller.ext, caller.name), route)

    def _blacklisted(self, domain: DomainConfig, number: Number, caller: Shown) -> bool:
        """Say whether the company refuses this caller (crm-api §10); counted and logged."""
        entry = domain.settings.blacklist.entry_for(caller.user)
        if entry is None:
            return False
        self._switch.directory.blacklist.blocked(domain, entry)
        log.info(
            "a caller of the black list was refused",
            domain=domain.name,
            number=number.telnum,
            client=caller.user or "anonymous",
            entry=entry or "anonymous",
        )
        return True

    async def _from_phone(self, leg: Leg) -> None:
        """Take a call from an employee's phone."""
        session = leg.session
        who = await self._admission.employee(session.request, session.hop)
        if isinstance(who, Challenged):
            session.challenge(who.challenges)
            return
        if isinstance(who, Refused):
            session.reject(who.code, who.reason or None, headers=who.headers)
            return
        domain, employee = who.domain, who.employee
        leg.party = party_of(employee)
        if code := self._admission.out_of_reach(session.request, domain):
            session.reject(code)
            return
        if "Replaces" in session.request.headers:
            self._take_place(
                leg,
                lambda call, old: call.info.domain_id == domain.id and _is_of(domain, old),
                employee,
            )
            return
        if not await self._inside(leg, who, dialled(session.request)):
            await self._outside(leg, who, dialled(session.request))

    async def _inside(self, leg: Leg, who: Admitted, called: str) -> bool:
        """Serve a code or somebody's number of the company; False when it is neither."""
        domain, employee = who.domain, who.employee
        plain = called.partition(";")[0]
        asked = of_code(domain, plain)
        if asked is not None and not isinstance(asked, ToVoicemail):
            info = self._switch.new_call(domain, Direction.INNER)
            route = Service(employee, plain, asked)
            await self._run(leg, domain, info, Shown(employee.ext or employee.login), route)
            return True
        inside = asked or of_ext(domain, plain)
        if await self._picks_up(leg, who, plain, known=inside is not None):
            return True
        if inside is None:
            return False
        shown = Shown("") if who.hides else Shown(employee.ext or employee.login, employee.name)
        info = self._switch.new_call(domain, Direction.INNER)
        await self._run(leg, domain, info, shown, Internal(employee, inside))
        return True

    async def _outside(self, leg: Leg, who: Admitted, called: str) -> None:
        """Serve an outside number, or refuse what is none."""
        domain, session = who.domain, leg.session
        try:
            called = read_number(called, domain.country).digits
        except Invalid:
            session.reject(404)
            return
        if mistyped_ext(domain, called):
            session.reject(404, "No such extension")
            return
        await self._to_outside(leg, who, called)

    def _take_place(self, leg: Leg, may: May, employee: Employee | None = None) -> None:
        """Let an INVITE with Replaces have the place it asks for, or refuse it."""
        try:
            wanted = wanted_place(leg.session.request)
        except ValueError:
            wanted = None
        code = 400
        if wanted is not None:
            code = take_place(self._switch, leg, wanted, may, employee)
        if code:
            leg.session.reject(code)

    async def _picks_up(self, leg: Leg, who: Admitted, dialled: str, *, known: bool) -> bool:
        """Let an employee take a call that rings or waits elsewhere, or tell them that none does;
        False when what they dialled is not for that. `known`: it is somebody's number."""
        domain, employee = who.domain, who.employee
        if picks_up(dialled):
            call = find_ringing(self._switch, domain, employee, dialled)
            otherwise = "pickup-none"
        else:
            call, otherwise = find_parked(self._switch, domain, dialled), "park-empty"
            place = parked_at(dialled) or (is_place(domain, dialled) and not known)
            if call is None and not place:
                return False
        if call is not None and leg.session.remote_sdp and not self._switch.stopping:
            call.pick_up(leg, employee)
            return True
        info = self._switch.new_call(domain, Direction.INNER)
        route = Service(employee, dialled, ToNotice(otherwise))
        await self._run(leg, domain, info, Shown(employee.ext or employee.login), route)
        return True

    async def _to_outside(self, leg: Leg, who: Admitted, called: str) -> None:
        domain, employee = who.domain, who.employee
        number = number_shown(domain, employee, called)
        if number is None:  # a call needs a number of ours to go through; there is none
            leg.session.reject(403, "No outgoing number")
            return
        info = self._switch.new_call(domain, Direction.OUT, called, number)
        route = Outgoing(employee, called)
        urgent = is_emergency(called, domain.country)
        await self._run(leg, domain, info, Shown(number.telnum), route, urgent=urgent)

    async def _run(
        self,
        leg: Leg,
        domain: DomainConfig,
        info: CallInfo,
        shown: Shown,
        route: Route,
        *,
        way: str = "",
        urgent: bool = False,
    ) -> None:
        switch = self._switch
        hops = _max_forwards(leg.session.request)
        if hops < 1:
            leg.session.reject(483)
        elif switch.stopping or not switch.calls.has_room(domain.id, urgent=urgent):
            leg.session.reject(503, headers=_RETRY)
        else:
            call = Call(switch, domain, info, guest=leg, shown=shown, max_forwards=hops - 1)
            if way:
                leg.way = way
                call.seize(way)
            await call.run(route)


def _is_of(domain: DomainConfig, leg: Leg) -> bool:
    """Say whether it is an employee of a company at the end of a leg."""
    return leg.party is not None and leg.party.login in domain.employees


def _max_forwards(request: Request) -> int:
    text = (request.headers.get("Max-Forwards") or "70").strip()
    return min(int(text), 70) if text.isascii() and text.isdigit() and len(text) < 4 else 70
