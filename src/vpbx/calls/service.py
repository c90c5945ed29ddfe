"""CallService: what the rest of the program and the SIP stack know of calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from vpbx.calls import consultation
from vpbx.calls.admission import (
    Admission,
    answer_outside_of_calls,
)
from vpbx.calls.call import Call
from vpbx.calls.callbacks import CallbackDesk
from vpbx.calls.config import CallsConfig
from vpbx.calls.devices import devices_of, quiet_of
from vpbx.calls.doors import Doors
from vpbx.calls.entrance import Entrance
from vpbx.calls.makecall import MadeCall, MakeCall, Outside, Plan, TooManyCalls, plan_call
from vpbx.calls.outcome import Ender
from vpbx.calls.parts import Parts
from vpbx.calls.registration import Expiry, end_places, take_registration
from vpbx.calls.registry import ActiveCall
from vpbx.calls.supervision import Supervisors
from vpbx.calls.switch import Switch
from vpbx.calls.transfer import Asked, goal_for, talks_to, whose_leg
from vpbx.calls.transfer import Refused as TransferRefused
from vpbx.calls.watching.blf import Blf
from vpbx.calls.watching.desk import Desk
from vpbx.calls.watching.lamp import Lamp
from vpbx.calls.watching.package import EVENTS
from vpbx.directory import (
    DomainConfig,
    Employee,
    Invalid,
    is_emergency,
)
from vpbx.directory.goals import ToPark
from vpbx.events import CallInfo, Direction
from vpbx.sip import ServerTransaction, Session, SipStack, Throttle

__all__ = ["CallService"]


class CallService:
    """The SIP application: takes calls and registrations, makes calls, ends them.

    `attach` it to its stack before that starts.
    """

    def __init__(self, config: CallsConfig, parts: Parts) -> None:
        self._switch = Switch(config, parts)
        doors = Doors(parts.directory, self._switch.connections, parts.clock)
        self._admission = Admission(self._switch, doors)
        self._entrance = Entrance(self._switch, doors, self._admission)
        self.connections = self._switch.connections
        """Trunks, and registrations at other operators."""
        self.passes = self._switch.passes
        """For softphones in pages."""
        self.passes.on_withdrawn = partial(end_places, self._switch)
        self.supervisors = Supervisors(self._switch)
        """Who listens to calls, and takes those that ring elsewhere."""
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
        info = self._info(domain, plan)
        call = Call(switch, domain, info, guest=None, shown=plan.shown)
        call.engage(plan.employee.login)
        self._made[made_for] += 1
        switch.spawn(call.run(MakeCall(plan))).add_done_callback(lambda _: self._unmake(made_for))
        return MadeCall(info.callid, plan.clid)

    def _info(self, domain: DomainConfig, plan: Plan) -> CallInfo:
        """Return what holds for a call that is made; `Invalid` when there is no room for it."""
        switch, callee = self._switch, plan.callee
        outside = callee if isinstance(callee, Outside) else None
        urgent = outside is not None and is_emergency(outside.called, domain.country)
        if switch.stopping or not switch.calls.has_room(domain.id, urgent=urgent):
            raise Invalid.one("phone", "no more calls can be made at the moment")
        if outside is None:
            return switch.new_call(domain, Direction.INNER)
        return switch.new_call(domain, Direction.OUT, outside.called, outside.number)

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

    def active(self, domain_id: int | None = None) -> list[ActiveCall]:
        """Return the calls in progress, of all companies or of one."""
        return self._switch.calls.active(domain_id)

    def is_heard(self, domain: DomainConfig, employee: Employee, session: str, page: str) -> bool:
        """Say whether an employee's page is to make the sound of a call that it shows now: no
        other one in its browser does."""
        quiet = quiet_of(self._switch, devices_of(self._switch, domain, employee))
        return not any(self.passes.is_of(place, session, page) for place in quiet)

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
        """Take a new call."""
        self._entrance.take(session)

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
