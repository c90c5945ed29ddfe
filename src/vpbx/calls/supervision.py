"""A supervisor at the talk of a colleague: hears both, and speaks to nobody, to the colleague
alone, or to both (`vpbx.media.ThirdParty` does the sound).

The supervisor's phones ring by a call of their own, an inner one with nobody else in it; once
they answer, they hear the talk. What they may press: 1 listen, 2 whisper, 3 barge in. Their call
is over with the talk they listen to, and as soon as somebody else sits on one of its seats (it
was passed on, say), for nobody has said that they may hear that one too. Whatever becomes of
their call, the talk goes on as if nobody had been there.

    state   | becomes | when
    RINGING | AT IT   | they answer
    RINGING | OVER    | they do not, or the talk is over
    AT IT   | OVER    | they hang up, or the talk is over

One supervisor at a time is at a talk. Whoever keeps the log of changes is told first (`told`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import structlog

from vpbx.calls.addresses import Shown, party_of
from vpbx.calls.call import Call
from vpbx.calls.leg import Digit, Leg
from vpbx.calls.makecall import check_phone
from vpbx.calls.outcome import Ender, Over, Result
from vpbx.calls.ringing import ring
from vpbx.calls.switch import Switch
from vpbx.calls.transfer import whose_leg
from vpbx.directory import DomainConfig, Employee, Invalid, reach, supervises
from vpbx.events import CallInfo, Destination, Direction
from vpbx.media import MediaError, Mode, RtpPeer, Side, ThirdParty

__all__ = ["Supervisors", "Told"]

log = structlog.get_logger("vpbx.calls")

Told: TypeAlias = Callable[[int, str, str], Awaitable[None]]
"""(company, login of who listens, what they do): for the log of changes."""

_KEYS = {"1": Mode.LISTEN, "2": Mode.WHISPER, "3": Mode.BARGE}
_MOST = 50
"""Talks that are listened to at once on one server: their sound passes through its event loop."""


async def _nobody(domain_id: int, login: str, what: str) -> None: ...


class Supervisors:
    """Who listens to whom."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._at: dict[Call, _Supervision] = {}
        """By the call that is listened to."""
        self.told: Told = _nobody

    @property
    def possible(self) -> bool:
        """Whether talks can be listened to at all: not where a separate RTPProxy relays them."""
        return self._switch.media.knows_splices

    async def begin(
        self, domain: DomainConfig, callid: str, *, user: str, mode: Mode = Mode.LISTEN
    ) -> str | None:
        """Ring the phones of `user` (login or ext) and let them hear a talk; return the callid of
        their own call. While they are at it already: change the mode.

        None when there is no such call. Raises `vpbx.directory.Invalid` naming `user` when they
        may not, or have no phone, and `callid` when the call cannot be listened to.
        """
        target = self._find(domain, callid)
        if target is None:
            return None
        supervisor = _supervisor(domain, user, target)
        running = self._at.get(target)
        if running is not None:
            return await self._change(running, supervisor, mode)
        whom = self._whom(domain, target, supervisor)
        check_phone(self._switch, domain, supervisor)
        room = self._switch.calls.has_room(domain.id) and len(self._at) < _MOST
        if self._switch.stopping or not room:
            raise Invalid.one("callid", "no more calls can be listened to at the moment")
        begun = _Supervision(self, target, whom, supervisor, mode)
        self._at[target] = begun
        try:
            await begun.tell()
            return begun.start(self._switch, domain)
        except BaseException:
            self.forget(begun)
            raise

    async def _change(self, running: _Supervision, supervisor: Employee, mode: Mode) -> str:
        if running.supervisor.login != supervisor.login:
            raise Invalid.one("callid", f"{running.supervisor.name} listens to this call already")
        await running.change(mode)
        return running.callid

    def _find(self, domain: DomainConfig, callid: str) -> Call | None:
        found = self._switch.calls.find(callid)
        mine = isinstance(found, Call) and found.info.domain_id == domain.id
        return found if mine and isinstance(found, Call) else None

    def _whom(self, domain: DomainConfig, target: Call, supervisor: Employee) -> Leg:
        """Return the leg of the employee who talks in a call that can be listened to."""
        found = whose_leg(target, domain)
        if found is None or target.journal.answered_at is None or len(target.legs()) < 2:
            raise Invalid.one("callid", "no employee talks in this call")
        if supervisor.login in (leg.party.login for leg in target.legs() if leg.party is not None):
            raise Invalid.one("user", "this employee is in this call themselves")
        if spliced(target, found[1]) is None:
            raise Invalid.one(
                "callid",
                "calls cannot be listened to on this server: a separate RTPProxy relays their "
                "sound (--media)",
            )
        return found[1]

    def forget(self, over: _Supervision) -> None:
        """Note that somebody is at a talk no more."""
        over.leave()
        if self._at.get(over.target) is over:
            del self._at[over.target]

    def take_ringing(self, domain: DomainConfig, callid: str, *, user: str) -> bool:
        """Ring the phones of `user` (login or ext) for a call that rings elsewhere or waits in a
        department: who answers first has it. False when there is no such call.

        Raises `vpbx.directory.Invalid` naming `user` when they may not or have no phone, and
        `callid` when nobody can take the call now.
        """
        target = self._find(domain, callid)
        if target is None:
            return False
        employee = _supervisor(domain, user, target)
        caller = target.chapter.story.caller
        rung = self._switch.ringing.get(callid)
        if rung is None or (caller is not None and caller.login == employee.login):
            raise Invalid.one("callid", "this call does not ring anywhere that it can be taken")
        check_phone(self._switch, domain, employee)
        rung.ring_also(employee)
        return True


class _Supervision:
    """One supervisor at one talk, and the route of their call."""

    def __init__(
        self, all_: Supervisors, target: Call, whom: Leg, supervisor: Employee, mode: Mode
    ) -> None:
        self._all = all_
        self.target = target
        self.supervisor = supervisor
        self.callid = ""
        self._whom = whom
        self._mode = mode
        self._call: Call | None = None
        self._third: ThirdParty | None = None
        self._gone = False
        self._unwatch = target.bridge.watch(self._parted)

    def start(self, switch: Switch, domain: DomainConfig) -> str:
        """Begin to ring the supervisor."""
        party = self._whom.party
        info = CallInfo(
            switch.callids.new(), domain.id, domain.name, Direction.INNER, switch.clock.time()
        )
        shown = Shown(party.ext or party.login, party.name) if party is not None else Shown("")
        call = self._call = Call(switch, domain, info, guest=None, shown=shown)
        call.supervises, call.mode = self.target.info.callid, self._mode
        self.callid = info.callid
        switch.spawn(call.run(self)).add_done_callback(lambda _: self._all.forget(self))
        return self.callid

    async def tell(self) -> None:
        """Let the log of changes know what the supervisor does."""
        whom, info = self._whom.party, self.target.info
        name = f"{whom.name} ({whom.login})" if whom is not None else ""
        what = f"{self._mode}: {self.supervisor.name} ({self.supervisor.login}) at {name}, call "
        await self._all.told(info.domain_id, self.supervisor.login, what + info.callid)

    async def change(self, mode: Mode) -> None:
        """Be heard by others than before."""
        if mode is self._mode:
            return
        self._mode = mode
        await self.tell()
        call = self._call
        if call is not None:
            call.mode = mode
            call.journal.enter(account=self._account)
        if self._third is not None:
            self._third.set_mode(mode, self._whom.side)

    @property
    def _account(self) -> str:
        party = self._whom.party
        return f"{self._mode} {party.ext or party.login}" if party is not None else str(self._mode)

    async def __call__(self, call: Call) -> Over:
        supervisor = self.supervisor
        call.engage(supervisor.login)
        call.journal.start(None, caller=party_of(supervisor), account=self._account)
        if self._gone:
            return Over(Result.FAILED)
        await call.open_media()
        rung = await ring(call, [(supervisor, None)], call.domain.ring_timeout_s, insist=True)
        if isinstance(rung, Over):
            call.ended_by = Ender.CALLER  # who the call was for did not take it
            return rung
        await call.seat_guest(rung.leg)
        call.journal.take(Destination.NONE, account=self._account)
        return await self._listen(call)

    async def _listen(self, call: Call) -> Over:
        side = spliced(self.target, self._whom)
        session, own = self.target.bridge.session, call.bridge.session
        assert own is not None
        if self._gone or side is None or session is None or call.guest is None:
            return Over(Result.FAILED)
        spoken = call.guest.sound.peer
        try:
            third = await ThirdParty.join(session, side, self._codec, session.inner_host)
        except MediaError as error:
            log.info("a call cannot be listened to", callid=call.info.callid, error=str(error))
            return Over(Result.NO_MEDIA)
        try:
            if self._gone or spoken is None:
                return Over(Result.FAILED)
            self._third = third
            third.set_mode(self._mode, self._whom.side)
            await call.bridge.point(Side.B, third.peer(spoken))
            third.seat(own.local(Side.B)[1], lambda: _peer(call))
            while True:
                event = await call.next()
                if isinstance(event, Digit) and event.digit in _KEYS:
                    await self.change(_KEYS[event.digit])
        finally:
            third.close()

    def _codec(self, receiver: Side, payload_type: int) -> str:
        """Return which codec a number means to who is sent it (`vpbx.media.third.CodecOf`)."""
        for leg in self.target.legs():
            if leg.side is receiver:
                for codec in (*leg.sound.codecs, *leg.sound.told):
                    if codec.payload == payload_type:
                        return codec.name.upper()
        return ""

    def _parted(self) -> None:
        """Somebody has left the talk, or it is over."""
        self._gone = True
        self.leave()
        if self._call is not None:
            self._call.hang_up(Ender.SYSTEM, 487)

    def leave(self) -> None:
        """Let the two be alone; idempotent."""
        self._unwatch()
        if self._third is not None:
            self._third.close()


def spliced(target: Call, whom: Leg) -> Side | None:
    """Return in whose way a third one stands: the employee's, so that what is whispered to them
    is not recorded. None: in nobody's, with a separate RTPProxy."""
    session = target.bridge.session
    if session is None or not session.knows_splices:
        return None
    return whom.side if whom.sound.peer is not None else None


def _peer(call: Call) -> RtpPeer | None:
    return call.guest.sound.peer if call.guest is not None else None


def _supervisor(domain: DomainConfig, user: str, target: Call) -> Employee:
    employee = domain.find_employee(user)
    if employee is None:
        raise Invalid.one("user", "there is no such employee")
    if not supervises(employee):
        raise Invalid.one("user", "only administrators and heads of department may do this")
    if not _sees(domain, employee, target):
        raise Invalid.one("user", "this employee may not see this call: their role does not")
    return employee


def _sees(domain: DomainConfig, employee: Employee, target: Call) -> bool:
    story = target.chapter.story
    return reach(domain, employee).sees(
        login=story.owner.login if story.owner is not None else "",
        caller=story.caller.login if story.caller is not None else "",
        group=story.group.id if story.group is not None else "",
    )
