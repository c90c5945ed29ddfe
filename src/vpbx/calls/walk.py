"""The walk: the one place where goals follow each other.

goal → its step → Onward → the next goal, at most `MAX_HOPS` times
                → Joined → the talk → Over
                → Over
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from vpbx.calls.across import colleague_party
from vpbx.calls.addresses import group_of, party_of
from vpbx.calls.call import Call
from vpbx.calls.outcome import Joined, Over, Passed, Result
from vpbx.calls.steps.table import STEPS
from vpbx.calls.steps.talk import talk
from vpbx.directory import DomainConfig, Subtype
from vpbx.directory.goals import (
    ByHours,
    Goal,
    SetDnd,
    ToBranch,
    ToDepartment,
    ToEcho,
    ToEmployee,
    ToFax,
    ToMailbox,
    ToMenu,
    ToMessage,
    ToOutside,
    ToPark,
    ToVoicemail,
    of_route,
)
from vpbx.events import Destination, Group, Party

__all__ = ["MAX_HOPS", "owner_of", "walk"]

log = structlog.get_logger("vpbx.calls")

MAX_HOPS = 5

_PLACE: dict[type[Goal], Destination] = {
    ToMenu: Destination.IVR,
    ToOutside: Destination.TELNUM,
    ToVoicemail: Destination.AM,
}
"""Where history says an incoming call ended that was there last, unanswered."""
_ACCOUNT: dict[type[Goal], str] = {ToMenu: "ivr", ToFax: "fax"}


async def walk(call: Call, goal: Goal, place: Destination = Destination.NONE) -> Over:
    """Follow a goal, and where it leads, until the call is over.

    Who passes the guest on is rung back when nobody there takes the call.
    """
    outcome = await _follow(call, goal, place)
    while isinstance(outcome, Passed):
        back: Goal = ToEmployee(outcome.by.login, insist=True)
        goal = outcome.goal
        if isinstance(goal, ToEmployee):
            goal = replace(goal, otherwise=back)
        user, group = owner_of(call.domain, goal)
        await call.turn(outcome, user, group)
        outcome = await _follow(call, goal, passed=True)
        if isinstance(outcome, Over) and _has_failed(call, goal):
            call.transfer_done(480, "Temporarily Unavailable")
            outcome = await _follow(call, back)
    return outcome


def _has_failed(call: Call, goal: Goal) -> bool:
    """Say whether nobody took a call that was passed on to `goal`, and who did that is to have it
    back. They had their turn already where the goal itself leads there; a mailbox takes it."""
    asked_back = isinstance(goal, ToEmployee | ToPark)
    return not asked_back and not call.taken and not isinstance(call.goal, ToVoicemail)


async def _follow(
    call: Call, goal: Goal, place: Destination = Destination.NONE, *, passed: bool = False
) -> Over | Passed:
    for _ in range(MAX_HOPS + 1):
        if passed and isinstance(goal, ToMessage):
            return Over(Result.NO_ANSWER)  # it rings back rather than telling to call later
        step = STEPS.get(type(goal))
        if step is None:
            return Over(Result.UNREACHABLE)
        enter(call, goal, place)
        outcome = await step(call, goal)
        if isinstance(outcome, Joined):
            return await talk(call, outcome)
        if isinstance(outcome, Over | Passed):
            return outcome
        goal, place = outcome.goal, outcome.place
    log.info("a call was sent on too often", callid=call.info.callid, hops=MAX_HOPS)
    return Over(Result.NO_ANSWER)


def enter(call: Call, goal: Goal, place: Destination) -> None:
    """Say where the call is now; what needs no time, and what is taken at once, is no place."""
    call.goal = goal
    if isinstance(goal, ByHours | ToEcho | ToMailbox | SetDnd):
        return
    if isinstance(goal, ToMenu):
        call.through_menu = True
    if place is Destination.NONE:
        place = _PLACE.get(type(goal), Destination.NONE)
        if isinstance(goal, ToMessage):
            place = Destination.OFFTIME if goal.closed else call.chapter.story.place
    if isinstance(goal, ToEmployee | ToDepartment | ToBranch | ToPark | ToFax):
        user, group = owner_of(call.domain, goal)
    elif isinstance(goal, ToVoicemail | ToMessage | ToOutside):
        user, group = None, call.chapter.story.group
    else:
        user, group = None, None
    call.journal.enter(place, user=user, group=group, account=_ACCOUNT.get(type(goal), ""))


def owner_of(domain: DomainConfig, goal: Goal) -> tuple[Party, Group | None]:
    """Return who a call on its way to `goal` belongs to while nobody was rung (crm-api §2).

    The employee; the department's first one; of a schedule who is reached in business hours;
    else the first administrator.
    """
    match goal:
        case (
            ToEmployee(login=login)
            | ToFax(user=login)
            | ToPark(by=login)
            | ToOutside(by=login)
            | ToVoicemail(user=login)
        ) if login in domain.employees:
            return party_of(domain.employees[login]), None
        case ToDepartment(id=group_id) | ToVoicemail(group=group_id) if (
            group_id in domain.departments
        ):
            department = domain.departments[group_id]
            first = next((m.login for m in department.members if m.login in domain.employees), "")
            person = domain.employees.get(first) or domain.first_admin()
            return party_of(person), group_of(department)
        case ToBranch(domain=peer, ext=ext) if peer in domain.settings.branches:
            for colleague in domain.settings.branches[peer].members:
                if colleague.ext == ext:
                    return colleague_party(colleague, peer), None
        case ByHours(telnum=telnum) if telnum in domain.numbers:
            work = domain.numbers[telnum].work
            if work is not None and work.subtype in (Subtype.USER, Subtype.GROUP):
                return owner_of(domain, of_route(work))
    return party_of(domain.first_admin()), None
