"""The first page: what a newcomer does next, how today goes, what is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.page import Page
from vpbx.console.reasons import explained
from vpbx.console.visit import Visit
from vpbx.directory import DomainConfig, RegistrationStatus
from vpbx.history import Totals, select_period


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the guide."""

    title: str
    text: str
    path: str
    done: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong, in words, and where to look."""

    title: str
    text: str


async def show(visit: Visit) -> Response:
    is_admin = visit.may(Area.COMPANY)
    guide = _guide(visit, visit.company) if is_admin else []
    return visit.page(
        "start.html",
        guide=[] if all(step.done for step in guide) else guide,
        faults=_faults(visit, visit.company) if is_admin else [],
        today=await _today(visit),
        now=visit.services.clock.time(),
        active=_active(visit),
        online=[
            employee
            for employee in visit.company.employees.values()
            if visit.services.directory.users.is_online(visit.company, employee.login)
        ],
    )


def _guide(visit: Visit, domain: DomainConfig) -> list[Step]:
    users = visit.services.directory.users
    return [
        Step(
            "A number",
            "The number your customers call, from your operator's trunk or registration.",
            "/numbers",
            bool(domain.numbers),
        ),
        Step(
            "Who answers",
            "Add your employees: each gets an internal number and a password for their phone.",
            "/employees/new",
            len(domain.employees) > 1,
        ),
        Step(
            "The first phone",
            "The one at the edge of this page works at once; or set up a desk phone or an app.",
            "/my-phone" if visit.may(Area.MINE) else "/employees",
            any(users.is_online(domain, login) for login in domain.employees),
        ),
        Step(
            "Your CRM",
            "Every call shows up there with the customer's name, and a click makes a call.",
            "/integration",
            domain.integration is not None,
        ),
    ]


def _faults(visit: Visit, domain: DomainConfig) -> list[Fault]:
    say = visit.texts
    found = [
        Fault(
            say("Registration of {telnum} fails", telnum=registration.telnum),
            f"{registration.domain}: {explained(registration.reason, say) or registration.status}",
        )
        for registration in domain.settings.sip_registrations.values()
        if registration.active and registration.status is RegistrationStatus.ERROR
    ]
    own = {trunk.name for trunk in visit.services.directory.trunks_of(domain)}
    found += [
        Fault(say("Trunk {name} takes no calls", name=trunk.name), explained(trunk.reason, say))
        for trunk in visit.services.calls.connections.carriers.states()
        if trunk.name in own and trunk.state not in ("ok", "waiting")
    ]
    free = visit.services.free_disk()
    if free < 0.05:
        found.append(
            Fault(
                say("The server's disk is nearly full"),
                say("{n} % is free. Recordings stop when nothing is.", n=int(free * 100)),
            )
        )
    return found


async def _today(visit: Visit) -> Totals:
    domain = visit.company
    period = select_period(domain.zone, visit.services.clock.time(), period="today")
    return await visit.services.browser.totals(
        domain.id, period.since_ms, period.until_ms, visit.seen
    )


def _active(visit: Visit) -> int:
    if not visit.may(Area.LIVE):
        return -1
    seen = visit.reach
    return sum(
        seen.sees(
            login=call.user.login if call.user else "",
            caller=call.caller.login if call.caller else "",
            group=call.group.id if call.group else "",
        )
        for call in visit.services.calls.active(visit.company.id)
    )


pages = (Page("/", Area.START, get=show, label="Start", icon="home"),)
