"""Live: calls now, departments with who waits, employees' state; hang up, pass on, pick up,
listen in."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass

from starlette.responses import Response, StreamingResponse

from vpbx.calls import ActiveCall, Mode
from vpbx.console import shares
from vpbx.console.areas import Area, Reach, reach
from vpbx.console.page import Page
from vpbx.console.turns import by_turns
from vpbx.console.visit import Note, Visit
from vpbx.directory import Employee, Invalid, NotFound

LIVE = "/live"
_MOST_SHOWN = 100
"""Calls and employees; what a change costs must not grow with the company."""
_CHECK_S = 20.0
STATE_WORDS = {
    "waiting": "waits",
    "ringing": "rings",
    "dialing": "dials",
    "talking": "talks",
}


MODE_WORDS = {"listen": "listens", "whisper": "whispers", "barge": "speaks to both"}
_DONE_WORDS = {
    Mode.LISTEN: "Your phone rings. Answer it to listen.",
    Mode.WHISPER: "Only the employee hears you once you are on the phone.",
    Mode.BARGE: "Both hear you once you are on the phone.",
}


@dataclass(frozen=True, slots=True)
class Colleague:
    """An employee and what they do now: talking, ringing, dnd, free or offline."""

    employee: Employee
    state: str


COLLEAGUE_WORDS = {
    "talking": "talks",
    "ringing": "rings",
    "dnd": "do not disturb",
    "free": "free",
    "offline": "offline",
}


async def show(visit: Visit) -> Response:
    return visit.page("live/page.html", board=await _board(visit)())


def _board(visit: Visit) -> Callable[[], Awaitable[str]]:
    """Return what renders the calls that this viewer, and all like them, sees."""
    look, services, seen = visit.look, visit.services, visit.reach
    domain_id, language = visit.company.id, visit.texts.language
    is_online = services.directory.users.is_online

    async def render() -> str:
        domain = services.directory.cached_by_id(domain_id)
        if domain is None:
            return ""
        calls = services.calls.active(domain_id)
        mine = (call for call in calls if _sees(seen, call) and not call.supervises)
        shown = sorted(mine, key=lambda call: call.info.started_at)
        busy = _busy(calls)
        everybody = [
            Colleague(employee, _state(employee, busy, is_online(domain, employee.login)))
            async for employee in by_turns(domain.employees.values())
            if seen.everybody or employee.login in seen.logins
        ]
        colleagues = everybody
        if len(everybody) > _MOST_SHOWN:  # of many only those who do something
            colleagues = [c for c in everybody if c.employee.login in busy][:_MOST_SHOWN]
        return await look.long_fragment(
            "live/board.html",
            language,
            listening={call.supervises: call for call in calls if call.supervises},
            can_listen=services.calls.supervisors.possible,
            mode_words=MODE_WORDS,
            calls=shown[:_MOST_SHOWN],
            more=max(0, len(shown) - _MOST_SHOWN),
            colleagues=colleagues,
            states=Counter(colleague.state for colleague in everybody),
            waiting=_waiting(shown),
            state_words=STATE_WORDS,
            colleague_words=COLLEAGUE_WORDS,
            zone=domain.zone,
        )

    return render


def _busy(calls: Iterable[ActiveCall]) -> dict[str, str]:
    """Return who is in a call, and how."""
    return {
        party.login: str(call.state)
        for call in calls
        for party in (call.user, call.caller)
        if party is not None and call.state != "waiting"
    }


def _waiting(calls: Iterable[ActiveCall]) -> dict[str, list[ActiveCall]]:
    """Return the calls that nobody has answered yet by the names of their departments."""
    waiting: dict[str, list[ActiveCall]] = {}
    for call in calls:
        if call.group is not None and call.answered_at is None:
            waiting.setdefault(call.group.name, []).append(call)
    return waiting


def _state(employee: Employee, busy: dict[str, str], online: bool) -> str:
    state = busy.get(employee.login)
    if state is not None:
        return "ringing" if state == "ringing" else "talking"
    if not employee.receives_calls:
        return "dnd"
    return "free" if online else "offline"


def _sees(seen: Reach, call: ActiveCall) -> bool:
    return seen.sees(
        login=call.user.login if call.user else "",
        caller=call.caller.login if call.caller else "",
        group=call.group.id if call.group else "",
    )


async def stream(visit: Visit) -> Response:
    seen = visit.reach
    kind = (visit.texts.language, seen.everybody, seen.logins, seen.groups)
    board = _board(visit)

    async def event() -> bytes:
        return _event(await board())

    pieces = visit.services.live.follow(visit.company.id, kind, event)
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(
        _events(visit, pieces), media_type="text/event-stream", headers=headers
    )


def _event(board: str) -> bytes:
    """Return a board as an event of the stream."""
    return ("".join(f"data: {line}\n" for line in board.splitlines()) + "\n").encode()


async def _events(visit: Visit, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    clock, checked_at = visit.services.clock, visit.services.clock.now()
    with visit.services.accounts.watch.hold(visit.mine.id) as has_ended:
        async for piece in pieces:
            if has_ended():
                return
            if clock.now() - checked_at > _CHECK_S:
                checked_at = clock.now()
                if not await still_sees(visit):
                    return  # the page asks again, and is given what may be seen now
            yield piece or b":\n\n"


async def still_sees(visit: Visit) -> bool:
    """Say whether the session goes on, and its owner sees what they saw when they came."""
    session = await visit.services.accounts.session(visit.token, used=False)
    domain = await visit.services.directory.domain_by_id(visit.company.id)
    if session is None or domain is None:
        return False
    if visit.employee is None:
        return session.company_id == domain.id
    employee = domain.employees.get(session.account.login)
    if employee is None or employee.role is not visit.role or not domain.enabled:
        return False
    then, now = visit.reach, reach(domain, employee)
    return (then.everybody, then.logins, then.groups) == (now.everybody, now.logins, now.groups)


def _mine(visit: Visit) -> ActiveCall:
    """Return the call that is asked for, if this visitor sees it; raises NotFound."""
    callid, domain_id = visit.path("callid"), visit.company.id
    for call in visit.services.calls.active(domain_id):
        if call.info.callid == callid and _sees(visit.reach, call):
            return call
    raise NotFound("no such call")


async def hang_up(visit: Visit) -> Response:
    call = _mine(visit)
    visit.services.calls.hang_up(visit.company.name, call.info.callid)
    await visit.services.audit.note_call(visit.company.id, call.info.callid, "ended")
    return _told(visit, "The call is ended.")


async def transfer(visit: Visit) -> Response:
    call = _mine(visit)
    try:
        done = visit.services.calls.transfer(visit.company, call.info.callid, visit.value("to"))
    except Invalid as error:
        return _refused(visit, error)
    if not done:
        return _told(visit, "This call cannot be passed on there.", failed=True)
    told = f"passed on to {visit.value('to')}"
    await visit.services.audit.note_call(visit.company.id, call.info.callid, told)
    return _told(visit, "The call is passed on.")


def _refused(visit: Visit, error: Invalid) -> Response:
    return _told(visit, visit.texts.error(error.errors[0].message), failed=True)


def _told(visit: Visit, text: str, *, failed: bool = False) -> Response:
    """Say what became of a button: below it where a script pressed it, else on the page anew."""
    said = visit.texts(text)
    if visit.request.headers.get("hx-request") and not visit.request.headers.get("hx-boosted"):
        return visit.fragment("live/told.html", note=Note(said, failed))
    return visit.go(LIVE, said, failed=failed)


async def supervise(visit: Visit) -> Response:
    call, supervisors = _mine(visit), visit.services.calls.supervisors
    if visit.employee is None:
        return _told(visit, "Only employees have a phone to listen with.", failed=True)
    mode = Mode(visit.value("mode")) if visit.value("mode") in list(Mode) else Mode.LISTEN
    login, callid = visit.employee.login, call.info.callid
    try:
        if await supervisors.begin(visit.company, callid, user=login, mode=mode) is None:
            raise NotFound("no such call")
    except Invalid as error:
        return _refused(visit, error)
    visit.services.live.touch(visit.company.id)
    return _told(visit, _DONE_WORDS[mode])


async def pick_up(visit: Visit) -> Response:
    call, supervisors = _mine(visit), visit.services.calls.supervisors
    if visit.employee is None:
        return _told(visit, "Only employees have a phone to listen with.", failed=True)
    try:
        if not supervisors.take_ringing(visit.company, call.info.callid, user=visit.employee.login):
            raise NotFound("no such call")
    except Invalid as error:
        return _refused(visit, error)
    await visit.services.audit.note_call(visit.company.id, call.info.callid, "picked up")
    return _told(visit, "Your phone rings. Answer it to take the call.")


pages = (
    Page(LIVE, Area.LIVE, get=show, label="Live", icon="live"),
    Page(f"{LIVE}/stream", Area.LIVE, get=stream, share=shares.LIVE),
    Page(f"{LIVE}/{{callid}}/hangup", Area.LIVE, post=hang_up),
    Page(f"{LIVE}/{{callid}}/transfer", Area.LIVE, post=transfer),
    Page(f"{LIVE}/{{callid}}/supervise", Area.LIVE, post=supervise),
    Page(f"{LIVE}/{{callid}}/pickup", Area.LIVE, post=pick_up),
)
