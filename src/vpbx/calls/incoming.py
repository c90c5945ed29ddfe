"""An outside call that comes in: from a carrier's INVITE to the employee who takes it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog

from vpbx.calls.addresses import Shown, clean_name, group_of, party_of
from vpbx.calls.call import Call
from vpbx.calls.outcome import Outcome, Result
from vpbx.calls.steps import Ring, Ringee
from vpbx.directory import Contact, Department, DomainConfig, Employee, Number, NumberType
from vpbx.events import Group, Party

__all__ = ["Incoming", "department_ring", "employee_ring"]

log = structlog.get_logger("vpbx.calls")


class Incoming:
    """The route of a call to `number`.

    The CRM is asked who calls while media is made ready; nobody is rung before it has
    answered or the domain's limit is over. The responsible employee is rung first where that
    is on for the number, then who is set for when they do not answer, else the number's route.
    """

    def __init__(self, number: Number) -> None:
        self._number = number

    async def __call__(self, call: Call) -> Outcome:
        number, domain = self._number, call.domain
        user, group = first_owner(domain, number)
        call.journal.start(user, group=group)
        asking = _Asking(call)
        try:
            await call.open_media()
            contact = await asking.answer()
        finally:
            asking.give_up()
        if contact is not None and contact.name:
            call.shown = Shown(call.shown.user, clean_name(contact.name))
        outcome = Outcome(Result.UNREACHABLE)
        for stage in self._stages(domain, contact):
            call.journal.enter(group=group_of(stage) if isinstance(stage, Department) else None)
            ring = (
                department_ring(domain, stage)
                if isinstance(stage, Department)
                else employee_ring(domain, stage)
            )
            outcome = await ring.run(call)
            if outcome.answered:
                await call.connect(outcome)
                await call.talk()
                break
        return outcome

    def _stages(
        self, domain: DomainConfig, contact: Contact | None
    ) -> Iterable[Employee | Department]:
        """Return who is rung, in order."""
        number = self._number
        route = _owner(domain, number)
        if not number.responsible_first or contact is None:
            return [route]
        responsible = find_responsible(domain, contact.responsible)
        if responsible is None:
            return [route]
        fallback = domain.find_employee(number.crm) or domain.find_department(number.crm)
        following = fallback or route
        return [responsible] if following is responsible else [responsible, following]


def department_ring(domain: DomainConfig, department: Department, *, without: str = "") -> Ring:
    """Return the step that rings a department's members who receive its calls."""
    people = [
        domain.employees[member.login]
        for member in department.members
        if member.calls_enable and not member.branch_domain and member.login in domain.employees
    ]
    ringees = [Ringee(person, department) for person in people if person.login != without]
    return Ring(ringees, domain.ring_timeout_s)


def employee_ring(domain: DomainConfig, employee: Employee) -> Ring:
    """Return the step that rings one employee."""
    return Ring([Ringee(employee)], domain.ring_timeout_s)


def find_responsible(domain: DomainConfig, text: str) -> Employee | None:
    """Return the employee a CRM names: by login, ext or direct number (crm-api §2 contact)."""
    if not text:
        return None
    found = domain.find_employee(text)
    if found is not None:
        return found
    digits = "".join(char for char in text if char.isdigit())
    return next((e for e in domain.employees.values() if digits and e.telnum == digits), None)


def first_owner(domain: DomainConfig, number: Number) -> tuple[Party, Group | None]:
    """Return who a call to `number` belongs to while nobody was rung (crm-api §2 history).

    The department's first employee, else the number's, else the first administrator.
    """
    owner = _owner(domain, number)
    if isinstance(owner, Employee):
        return party_of(owner), None
    first = next((m.login for m in owner.members if m.login in domain.employees), "")
    employee = domain.employees.get(first) or domain.first_admin()
    return party_of(employee), group_of(owner)


def _owner(domain: DomainConfig, number: Number) -> Employee | Department:
    """Return who answers a number; the first administrator where nobody is set."""
    employee = domain.find_employee(number.user) if number.user else None
    department = domain.find_department(number.group) if number.group else None
    if number.type is NumberType.GROUP:
        return department or employee or domain.first_admin()
    return employee or department or domain.first_admin()


class _Asking:
    """The question to the CRM who calls, asked beside what the call does meanwhile."""

    def __init__(self, call: Call) -> None:
        self._task: asyncio.Task[Contact | None] | None = None
        switch, domain, info = call.switch, call.domain, call.info
        self._clock = switch.clock
        self._until = self._clock.now() + domain.contact_timeout_s
        crm = domain.integration
        wanted = crm is not None and crm.enabled and crm.commands.contact
        if switch.contact is not None and wanted and info.client and domain.contact_timeout_s > 0:
            question = switch.contact(domain, info.client, info.callid, info.diversion)
            self._task = asyncio.ensure_future(question)

    async def answer(self) -> Contact | None:
        """Wait for the answer until the domain's limit; None: not known."""
        if self._task is None:
            return None
        left_s = self._until - self._clock.now()
        await asyncio.wait((self._task,), timeout=max(0.0, left_s))
        if not self._task.done() or self._task.cancelled():
            return None
        if error := self._task.exception():
            log.warning("asking the CRM who calls failed", error=repr(error))
            return None
        return self._task.result()

    def give_up(self) -> None:
        """Ask no longer."""
        if self._task is not None and not self._task.cancel() and not self._task.cancelled():
            self._task.exception()  # looked at, or asyncio complains that nobody did
