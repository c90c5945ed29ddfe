"""Calling customers back who asked for it in a queue (crm-api §8 advanced `callback`).

The queues say when an employee is free for a customer; then it is a call like one the CRM asks
for: the employee's phones ring, they take it, the customer is called, and the CRM sees an
outgoing call of the department. Promises are rows in the database from before the customer is
told until they are kept, tried `TRIES` times, or made needless by the customer's own call.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from vpbx.calls.addresses import Shown, group_of, party_of
from vpbx.calls.call import Call
from vpbx.calls.makecall import explain
from vpbx.calls.outcome import Ender, Over
from vpbx.calls.ringing import ring
from vpbx.calls.shared.queues import RETRY_S, CallBack, CallNow, Telling
from vpbx.calls.switch import Switch
from vpbx.calls.walk import walk
from vpbx.directory import Department, DomainConfig, Employee, PromisedCall
from vpbx.directory.goals import ToOutside
from vpbx.events import Answered, CallInfo, Direction

__all__ = ["CallbackDesk"]

log = structlog.get_logger("vpbx.calls")

LONGEST_S = 24 * 3600.0
"""A promise that no employee has kept for a day is not kept any more."""


class CallbackDesk:
    """All promises that are open, each with its ticket in line."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._promised: dict[CallBack, PromisedCall] = {}
        self._trying: dict[CallBack, Call] = {}
        switch.events.subscribe(self._note_answer, Answered)
        switch.call_back = self.stand_in_line
        switch.called_in = self.called_in

    async def resume(self) -> None:
        """Stand those in line again who were promised before the server was stopped."""
        for promised in await self._switch.directory.callbacks.all():
            await self._switch.directory.domain_by_id(promised.domain_id)
            self.stand_in_line(promised)

    def stand_in_line(self, promised: PromisedCall) -> None:
        """Call a customer back when it is their turn and an employee is free."""
        if self._switch.stopping:
            return  # the row is there: the next start goes on
        clock = self._switch.clock
        now, behind_s = clock.now(), clock.time() - clock.now()
        ticket = CallBack(
            promised.domain_id,
            promised.gid,
            min(promised.since - behind_s, now),  # the clock may have been set back
            lambda action: self._turn(ticket, action),
            client=promised.client,
            tries=promised.tries,
            not_before=min(promised.not_before - behind_s, now + RETRY_S),
        )
        self._promised[ticket] = promised
        self._switch.queues.join(ticket)

    def called_in(self, domain_id: int, client: str) -> None:
        """A customer calls in themselves: nobody needs to call them back."""
        for ticket in self._switch.queues.callbacks(domain_id, client) if client else ():
            self._forget(ticket)
            call = self._trying.get(ticket)
            if call is not None:
                call.hang_up(Ender.SYSTEM, 480)

    def _turn(self, ticket: CallBack, told: Telling) -> None:
        """It is a customer's turn, and this employee is free and kept for them."""
        if isinstance(told, CallNow):
            self._switch.spawn(self._try(ticket, told.login))
        else:
            self._promised.pop(ticket, None)

    async def _try(self, ticket: CallBack, login: str) -> None:
        switch, promised = self._switch, self._promised.get(ticket)
        if promised is None or switch.stopping:
            return
        if switch.clock.time() - promised.since > LONGEST_S:
            log.info("nobody has called a customer back for a day", callid=promised.callid)
            self._forget(ticket)
            return
        attempt = None
        try:
            attempt = await self._prepare(promised, login)
        except Exception as error:  # the database is away: later then
            log.warning("a customer cannot be called back now", error=repr(error))
        if attempt is None:
            switch.queues.not_taken(ticket, login)
            return
        call, route = attempt
        self._trying[ticket] = call
        try:
            await call.run(route)
        finally:
            del self._trying[ticket]
        if not switch.stopping and ticket in self._promised:
            self._settle(ticket, login, route)

    def _note_answer(self, event: Answered) -> tuple[()]:
        """Once they talk the promise is kept, whatever happens to the call."""
        if event.call.direction is Direction.OUT:
            for ticket, call in self._trying.items():
                if call.info.callid == event.call.callid:
                    self._forget(ticket)
                    break
        return ()

    async def _prepare(self, promised: PromisedCall, login: str) -> tuple[Call, _Return] | None:
        """Return the call to be made, and how it goes; None: not now, or not by them."""
        switch = self._switch
        domain = await switch.directory.domain_by_id(promised.domain_id)
        if domain is None or not domain.enabled or not switch.calls.has_room(domain.id):
            return None
        employee, group = domain.employees.get(login), domain.departments.get(promised.gid)
        number = domain.numbers.get(promised.diversion)
        if number is None or not number.outgoing:
            number = domain.outgoing_number(employee, promised.client)
        if employee is None or group is None or number is None:
            return None
        info = CallInfo(
            switch.callids.new(),
            domain.id,
            domain.name,
            Direction.OUT,
            switch.clock.time(),
            promised.client,
            number.telnum,
            number.name,
        )
        call = Call(switch, domain, info, guest=None, shown=Shown(promised.client))
        call.engage(login)
        return call, _Return(domain, employee, group, promised.client)

    def _settle(self, ticket: CallBack, login: str, route: _Return) -> None:
        """See what has become of a try."""
        queues, clock = self._switch.queues, self._switch.clock
        if not route.dialled:
            queues.not_taken(ticket, login)
            return
        queues.taken(ticket)
        promised = self._promised[ticket]
        if not queues.not_reached(ticket, login):
            log.info("a customer could not be called back", callid=promised.callid)
            self._forget(ticket)
            return
        behind_s = clock.time() - clock.now()
        promised = replace(promised, tries=ticket.tries, not_before=ticket.not_before + behind_s)
        self._promised[ticket] = promised
        self._switch.directory.callbacks.keep(promised)

    def _forget(self, ticket: CallBack) -> None:
        promised = self._promised.pop(ticket, None)
        if promised is not None:
            self._switch.directory.callbacks.forget(promised.callid)
        self._switch.queues.leave(ticket)


class _Return:
    """The route: ring the employee; when they take it, call the customer and join the two."""

    def __init__(
        self, domain: DomainConfig, employee: Employee, group: Department, client: str
    ) -> None:
        self._limit_s = domain.ring_timeout_s
        self._employee = employee
        self._group = group_of(group)
        self._client = client
        self.dialled = False
        """Whether the employee took it, and did not hang up before the customer could answer."""

    async def __call__(self, call: Call) -> Over:
        call.journal.start(party_of(self._employee), group=self._group)
        await call.open_media()
        people = [(self._employee, None)]
        rung = await ring(call, people, self._limit_s, insist=True)
        if isinstance(rung, Over):
            call.ended_by = Ender.CALLER  # who the call was for did not take it
            return rung
        await call.seat_guest(rung.leg)
        await call.progress()
        call.say("callback-connecting")
        try:
            outcome = await walk(call, ToOutside(self._client))
        finally:
            self.dialled = call.ended_by is not Ender.CALLER
        if call.journal.answered_at is None:
            await explain(call, outcome)
        return outcome
