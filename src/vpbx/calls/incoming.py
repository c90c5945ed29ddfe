"""An outside call that comes in: from a carrier's INVITE to the employee who takes it."""

from __future__ import annotations

import asyncio

import structlog

from vpbx.calls.addresses import Shown, clean_name
from vpbx.calls.call import Call
from vpbx.calls.outcome import Over
from vpbx.calls.sounds import upload
from vpbx.calls.walk import owner_of, walk
from vpbx.directory import Contact, DomainConfig, Number, NumberType
from vpbx.directory.goals import Goal, ToEmployee, ToFax, of_name, of_number
from vpbx.events import Destination

__all__ = ["Incoming"]

log = structlog.get_logger("vpbx.calls")


class Incoming:
    """The route of a call to `number`.

    The CRM is asked who calls while media is made ready and the greeting is heard; nobody is
    rung before it has answered or the domain's limit is over. The responsible employee is rung
    first where that is on for the number, then who is set for when they do not answer, else the
    number's route.
    """

    def __init__(self, number: Number) -> None:
        self._number = number

    async def __call__(self, call: Call) -> Over:
        number, domain = self._number, call.domain
        goal = of_number(domain, number)
        user, group = owner_of(domain, goal)
        greeting = self._greeting(call)
        hello = Destination.HELLO if greeting else Destination.NONE
        call.journal.start(user, group=group, place=hello)
        call.switch.called_in(domain.id, call.info.client)
        asking = _Asking(call)
        try:
            await call.open_media(
                soundless=isinstance(goal, ToFax) and not number.responsible_first
            )
            if greeting:
                await call.greet(greeting)
            contact = await asking.answer()
        finally:
            asking.give_up()
        if contact is not None and contact.name:
            call.shown = Shown(call.shown.user, clean_name(contact.name))
        return await walk(call, responsible_first(domain, number, contact, goal))

    def _greeting(self, call: Call) -> str:
        """Return what is said to every caller of the number; "" for nothing. A fax needs none."""
        number = self._number
        if not number.greeting or number.type is NumberType.FAX:
            return ""
        own = number.greeting_file if number.greeting_custom else ""
        return upload(call.domain, call.switch.config.uploads, own, "greeting")


def responsible_first(
    domain: DomainConfig, number: Number, contact: Contact | None, goal: Goal
) -> Goal:
    """Return where a call goes of whose customer the CRM says who is responsible for them."""
    if not number.responsible_first or contact is None:
        return goal
    responsible = domain.find_named(contact.responsible)
    if responsible is None:
        return goal
    fallback = of_name(domain, number.crm) or goal
    return (
        ToEmployee(responsible.login)
        if fallback == ToEmployee(responsible.login)
        else ToEmployee(responsible.login, fallback)
    )


class _Asking:
    """The question to the CRM who calls, asked beside what the call does meanwhile."""

    def __init__(self, call: Call) -> None:
        self._task: asyncio.Task[Contact | None] | None = None
        switch, domain, info = call.switch, call.domain, call.info
        self._clock = switch.clock
        self._until = self._clock.now() + domain.contact_timeout_s
        crm = domain.integration
        wanted = crm is not None and crm.asked is not None
        if switch.contact is not None and wanted and info.client and domain.contact_timeout_s > 0:
            question = switch.contact(domain, info.client, info.callid, info.diversion)
            self._task = asyncio.get_running_loop().create_task(question)

    async def answer(self) -> Contact | None:
        """Wait for the answer until the domain's limit; None: not known."""
        if self._task is None:
            return None
        if not self._task.done():
            await self._done_or_late(self._task)
        if not self._task.done() or self._task.cancelled():
            return None
        if error := self._task.exception():
            log.warning("asking the CRM who calls failed", error=repr(error))
            return None
        return self._task.result()

    async def _done_or_late(self, task: asyncio.Task[Contact | None]) -> None:
        """Wait for the task, which goes on, or until the limit: `asyncio.wait` for one."""
        over = asyncio.get_running_loop().create_future()

        def wake(*_: object) -> None:
            if not over.done():
                over.set_result(None)

        task.add_done_callback(wake)
        timer = self._clock.call_later(max(0.0, self._until - self._clock.now()), wake)
        try:
            await over
        finally:
            timer.cancel()
            task.remove_done_callback(wake)

    def give_up(self) -> None:
        """Ask no longer."""
        if self._task is not None and not self._task.cancel() and not self._task.cancelled():
            self._task.exception()  # looked at, or asyncio complains that nobody did
