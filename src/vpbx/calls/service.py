"""CallService: what the rest of the program and the SIP stack know of calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import structlog

from vpbx.calls import consultation
from vpbx.calls.across import Visitor
from vpbx.calls.addresses import (
    Shown,
    dialled,
    mistyped_ext,
    outside_caller,
    party_of,
)
from vpbx.calls.admission import (
    Admission,
    Admitted,
    Challenged,
    Refused,
    answer_outside_of_calls,
)
from vpbx.calls.call import Call, Route
from vpbx.calls.callbacks import CallbackDesk
from vpbx.calls.doors import Doors, TurnedAway, Unproven
from vpbx.calls.incoming import Incoming
from vpbx.calls.internal import Internal, Service, Visit
from vpbx.calls.leg import Leg
from vpbx.calls.makecall import MadeCall, MakeCall, Outside, TooManyCalls, plan_call
from vpbx.calls.outcome import Ender
from vpbx.calls.outgoing import Outgoing, number_shown
from vpbx.calls.parking import find_parked, parked_at
from vpbx.calls.pickup import find_ringing, picks_up
from vpbx.calls.registration import Expiry, end_places, take_registration
from vpbx.calls.registry import ActiveCall, LiveCall
from vpbx.calls.replacing import May, take_place, wanted_place
from vpbx.calls.shared.last_talks import AskHistory
from vpbx.calls.shared.parking import is_place
from vpbx.calls.switch import (
    AskContact,
    CallsConfig,
    Encoder,
    Mailbox,
    RecordingPlan,
    Switch,
)
from vpbx.calls.transfer import Asked, goal_for, talks_to, whose_leg
from vpbx.calls.transfer import Refused as TransferRefused
from vpbx.calls.watching.blf import Blf
from vpbx.calls.watching.desk import Desk
from vpbx.calls.watching.lamp import Lamp
from vpbx.calls.watching.package import EVENTS
from vpbx.clock import Clock, LoopClock
from vpbx.directory import (
    Directory,
    DomainConfig,
    Employee,
    Invalid,
    Number,
    Trunk,
    read_number,
)
from vpbx.directory.goals import ToNotice, ToPark, ToVoicemail, goal_of, of_code, of_ext
from vpbx.events import CallInfo, Direction, EventBus
from vpbx.media import MediaEngine, Side
from vpbx.sip import Request, ServerTransaction, Session, SipStack, Throttle
from vpbx.sip.resolver import Resolver

__all__ = ["CallService"]

log = structlog.get_logger("vpbx.calls")

_RETRY = (("Retry-After", "10"),)


class CallService:
    """The SIP application: takes calls and registrations, makes calls, ends them.

    `attach` it to its stack before that starts. `records` and `encoder` together switch
    recording on; `contact` asks the CRM who calls, `last_talks` history who was called last.
    """

    def __init__(
        self,
        *,
        config: CallsConfig,
        directory: Directory,
        media: MediaEngine,
        events: EventBus,
        contact: AskContact | None = None,
        records: RecordingPlan | None = None,
        encoder: Encoder | None = None,
        mailbox: Mailbox | None = None,
        last_talks: AskHistory | None = None,
        clock: Clock | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self._switch = Switch(
            config=config,
            directory=directory,
            media=media,
            events=events,
            clock=clock or LoopClock(),
            contact=contact,
            records=records,
            encoder=encoder,
            mailbox=mailbox,
            last_talks=last_talks,
            resolver=resolver,
        )
        self._doors = Doors(directory, self._switch.connections, self._switch.clock)
        self._admission = Admission(self._switch, self._doors)
        self.connections = self._switch.connections
        """Trunks, and registrations at other operators."""
        self.passes = self._switch.passes
        """For softphones in pages."""
        self.passes.on_withdrawn = partial(end_places, self._switch)
        self._lamp = Lamp(self._switch)
        self._desk = Desk(self._switch, self._admission, (Blf(self._switch), self._lamp))
        self._switch.consult = partial(consultation.begin, self._switch)
        self._callbacks = CallbackDesk(self._switch)
        self._expiry = Expiry(self._switch, self._look_after_gateways)
        self._made: Counter[tuple[int, str]] = Counter()
        """Calls by makecall that are under way, by company and login."""

    def attach(self, stack: SipStack) -> None:
        """Use `stack` from now on; its application is this service."""
        self._switch.stack = stack
        self._admission.peers.load()
        stack.doorkeeper = self._admission
        stack.subscriptions.packages = EVENTS
        self.connections.attach(stack)

    async def start(self) -> None:
        """Find the trunks, register where that is set, and stand in line who is to be called
        back from before a restart; the stack listens by then."""
        await self.connections.start()
        await self._callbacks.resume()
        self._expiry.start()

    def _look_after_gateways(self) -> None:
        self._switch.spawn(self.connections.gateways.follow_clock())

    # -- what the program asks -----------------------------------------------------------------

    async def make_call(
        self,
        domain: DomainConfig,
        *,
        phone: str,
        user: str = "",
        group: str | None = None,
        clid: str | None = None,
        show_phone: bool = False,
    ) -> MadeCall:
        """Ring an employee's phones and, when they answer, call `phone` (crm-api §5).

        Returns as soon as the call is under way. Raises `vpbx.directory.Invalid`, and
        TooManyCalls when the employee has as many under way as one may have.
        """
        switch = self._switch
        plan = plan_call(
            switch,
            domain,
            phone=phone,
            user=user,
            group=group,
            clid=clid,
            show_phone=show_phone,
        )
        made_for = (domain.id, plan.employee.login)
        if 0 < switch.config.max_makecalls <= self._made[made_for]:
            raise TooManyCalls(
                f"{self._made[made_for]} calls are being made for this employee already"
            )
        if switch.stopping or not switch.calls.has_room(domain.id):
            raise Invalid.one("phone", "no more calls can be made at the moment")
        if isinstance(plan.callee, Outside):
            number = plan.callee.number
            info = self._info(domain, Direction.OUT, plan.callee.called, number)
        else:
            info = self._info(domain, Direction.INNER)
        call = Call(switch, domain, info, guest=None, shown=plan.shown)
        call.engage(plan.employee.login)
        self._made[made_for] += 1
        switch.spawn(call.run(MakeCall(plan))).add_done_callback(lambda _: self._unmake(made_for))
        return MadeCall(info.callid, plan.clid)

    def _unmake(self, made_for: tuple[int, str]) -> None:
        self._made[made_for] -= 1
        if not self._made[made_for]:
            del self._made[made_for]

    def trace(self, on_leg: Callable[[str, str], None]) -> None:
        """Have `on_leg(callid, Call-ID)` hear of each SIP call that a call consists of."""
        self._switch.on_leg = on_leg

    @property
    def guessing(self) -> Throttle:
        """What is known of those who guess passwords."""
        return self._admission.throttle

    def active(self) -> list[ActiveCall]:
        """Return the calls in progress."""
        return self._switch.calls.active()

    def hang_up(self, domain: str, callid: str) -> bool:
        """End a call of a company; False when there is no such call."""
        for call in self._switch.calls:
            if call.info.callid == callid and call.info.domain == domain:
                call.hang_up(Ender.SYSTEM, 480)
                return True
        return False

    def transfer(
        self, domain: DomainConfig, callid: str, to: str, *, attended: bool = False
    ) -> bool:
        """Pass on who talks to an employee of a company: to an ext, a login, a number;
        `attended`: once the employee has talked to them.

        False when there is no such call. Raises `vpbx.directory.Invalid` naming `to` when the
        employee may not call there, and `callid` when nobody talks in it.
        """
        for call in self._switch.calls:
            if call.info.callid != callid or call.info.domain_id != domain.id:
                continue
            found = whose_leg(call, domain)
            if found is None or call.picture().answered_at is None:
                raise Invalid.one("callid", "no employee talks in this call, so none can pass it")
            by, leg = found
            try:
                goal = goal_for(domain, by, to.strip(), talks_to(call, leg))
            except TransferRefused as refused:
                raise Invalid.one("to", refused.reason) from None
            if attended and not self._switch.calls.has_room(domain.id):
                raise Invalid.one("to", "no more calls can be made at the moment")
            if leg.inbox is not None:
                ask_first = attended and not isinstance(goal, ToPark)
                leg.inbox.put(Asked(goal, by, leg, ask_first))
            return True
        return False

    async def stop(self, timeout_s: float = 4.0) -> None:
        """Take no new calls, end all others, wait until each has said its end."""
        self._switch.stopping = True
        self._expiry.stop()
        for call in self._switch.calls:
            call.hang_up(Ender.SYSTEM, 503)
        await self._switch.wait(timeout_s)
        await self.connections.stop()

    # -- what the SIP stack tells --------------------------------------------------------------

    def on_invite(self, session: Session) -> None:
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

    def on_request(self, tx: ServerTransaction) -> None:
        """Answer what is neither a call nor part of one."""
        if tx.request.method == "REGISTER":
            self._switch.spawn(take_registration(self._switch, self._admission, tx))
        elif tx.request.method == "SUBSCRIBE":
            self._switch.spawn(self._desk.take(tx))
        else:
            tx.respond(answer_outside_of_calls(tx.request))

    def mailbox_changed(self, domain_id: int, login: str) -> None:
        """Hear that the messages in a voice mailbox are others, or were heard."""
        self._lamp.changed(domain_id, login)

    # -- letting calls in ------------------------------------------------------------------------

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
        info = self._info(domain, Direction.IN, caller.user, number)
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
        info = self._info(domain, Direction.INNER)
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
        called = dialled(session.request)
        plain = called.partition(";")[0]
        asked = of_code(domain, plain)
        if asked is not None and not isinstance(asked, ToVoicemail):
            info = self._info(domain, Direction.INNER)
            route = Service(employee, plain, asked)
            await self._run(leg, domain, info, Shown(employee.ext or employee.login), route)
            return
        inside = asked or of_ext(domain, plain)
        if await self._picks_up(leg, who, plain, known=inside is not None):
            return
        if inside is not None:
            shown = Shown(employee.ext or employee.login, employee.name)
            if who.hides:
                shown = Shown("")
            info = self._info(domain, Direction.INNER)
            await self._run(leg, domain, info, shown, Internal(employee, inside))
            return
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
        info = self._info(domain, Direction.INNER)
        route = Service(employee, dialled, ToNotice(otherwise))
        await self._run(leg, domain, info, Shown(employee.ext or employee.login), route)
        return True

    async def _to_outside(self, leg: Leg, who: Admitted, called: str) -> None:
        domain, employee = who.domain, who.employee
        number = number_shown(domain, employee, called)
        if number is None:  # a call needs a number of ours to go through; there is none
            leg.session.reject(403, "No outgoing number")
            return
        info = self._info(domain, Direction.OUT, called, number)
        route = Outgoing(employee, called)
        await self._run(leg, domain, info, Shown(number.telnum), route)

    def _info(
        self,
        domain: DomainConfig,
        direction: Direction,
        client: str = "",
        number: Number | None = None,
    ) -> CallInfo:
        switch = self._switch
        return CallInfo(
            switch.callids.new(),
            domain.id,
            domain.name,
            direction,
            switch.clock.time(),
            client,
            number.telnum if number is not None else "",
            number.name if number is not None else "",
        )

    async def _run(
        self,
        leg: Leg,
        domain: DomainConfig,
        info: CallInfo,
        shown: Shown,
        route: Route,
        *,
        way: str = "",
    ) -> None:
        switch = self._switch
        hops = _max_forwards(leg.session.request)
        if hops < 1:
            leg.session.reject(483)
        elif switch.stopping or not switch.calls.has_room(domain.id):
            leg.session.reject(503, headers=_RETRY)
        else:
            call = Call(switch, domain, info, guest=leg, shown=shown, max_forwards=hops - 1)
            if way:
                call.seize(way)
            await call.run(route)


def _is_of(domain: DomainConfig, leg: Leg) -> bool:
    """Say whether it is an employee of a company at the end of a leg."""
    return leg.party is not None and leg.party.login in domain.employees


def _max_forwards(request: Request) -> int:
    text = (request.headers.get("Max-Forwards") or "70").strip()
    return min(int(text), 70) if text.isascii() and text.isdigit() and len(text) < 4 else 70
