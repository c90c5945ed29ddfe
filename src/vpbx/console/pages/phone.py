"""The softphone in the page: what it registers with, whom it can call, and a page for links.

The phone itself is `islands/phone.js`; it lies beside every page (`templates/phone.html`) and
goes on while pages change.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from vpbx.calls import ActiveCall
from vpbx.calls.passes import LIFE_S
from vpbx.console.areas import Area
from vpbx.console.page import Door, Page
from vpbx.console.texts import phone
from vpbx.console.visit import Visit
from vpbx.directory import Employee, card_url
from vpbx.events import Direction
from vpbx.history import Asked, CallRow

_RECENT = 30
_FOREVER_MS = 1 << 53


async def show(visit: Visit) -> Response:
    """Answer `/phone?call=NUMBER`, where `tel:` links lead: the number is filled in, not called."""
    return visit.page("phone/page.html", number=visit.asked("call").removeprefix("tel:")[:64])


async def worker(visit: Visit) -> Response:
    """Answer `/phone-worker.js`, which shows calls on the desktop (of all pages, so at `/`)."""
    file = visit.look.assets.plain("bundle/phone-worker.js")
    if file is None:
        return Response(status_code=404)
    return Response(file, media_type="text/javascript; charset=utf-8")


async def give_pass(visit: Visit) -> Response:
    """Answer with credentials for the next minutes, and where SIP is spoken."""
    employee = visit.employee
    assert employee is not None
    made = visit.services.calls.passes.issue(
        visit.company,
        employee.login,
        str(visit.mine.id),
        page=_page(visit),
        browser=f"{visit.source} {visit.request.headers.get('user-agent', '')[:300]}",
    )
    scheme = "wss" if visit.secure else "ws"
    return JSONResponse(
        {
            "socket": f"{scheme}://{visit.authority}/sip",
            "uri": f"sip:{made.login}@{made.domain}",
            "name": employee.name,
            "realm": made.domain,
            "username": made.username,
            "password": made.password,
            "renew_s": LIFE_S * 0.4,
        }
    )


async def seen(visit: Visit) -> Response:
    """Note that the page is looked at (`page`: its name), and whether it may make a sound."""
    passes = visit.services.calls.passes
    loud, looked = visit.value("loud") == "1", visit.value("looked") == "1"
    passes.seen(str(visit.mine.id), _page(visit), loud=loud, looked=looked)
    return Response(status_code=204)


async def heard(visit: Visit) -> Response:
    """Answer a page that shows a call without a sound whether it is its turn to make one: the
    other one of its browser may have been closed."""
    company, employee, session = visit.company, visit.mine_employee, str(visit.mine.id)
    page = visit.asked("page")[:64]
    found = visit.services.calls.is_heard(company, employee, session, page)
    return JSONResponse({"heard": found})


def _page(visit: Visit) -> str:
    return visit.value("page")[:64]


async def contacts(visit: Visit) -> Response:
    """Answer with the colleagues: name, ext, and whether they can be reached or talk."""
    talking = _talking(visit)
    found = [
        _contact(visit, employee, talking)
        for employee in visit.company.employees.values()
        if employee is not visit.employee and employee.ext
    ]
    found += [
        {"name": group.name, "ext": group.ext, "state": "group"}
        for group in visit.company.departments.values()
        if group.ext
    ]
    return JSONResponse(sorted(found, key=lambda contact: contact["name"].casefold()))


async def recents(visit: Visit) -> Response:
    """Answer with one's own last calls, newest first: whom with, which way, whether missed."""
    found = await visit.services.browser.find(
        Asked(visit.company.id, 0, _FOREVER_MS, visit.own, limit=_RECENT)
    )
    names = await visit.services.names.of(visit.company.id, (row.client for row in found))
    return JSONResponse([_recent(visit, row, names) for row in found])


def _recent(visit: Visit, row: CallRow, names: dict[str, str]) -> dict[str, Any]:
    """Describe a call as its employee sees it."""
    own, inner = visit.mine_employee.login, row.is_inner
    placed = row.caller_login == own if inner else row.direction == Direction.OUT
    number, name = row.client, names.get(row.client, "")
    if inner:
        login, name = row.login, row.user_name
        if not placed:
            login, name = row.caller_login, row.caller_name
        other = visit.company.employees.get(login)
        number, name = (other.ext, other.name) if other is not None else ("", name)
    took = row.is_success and (inner or placed or row.login == own)
    return {
        "number": number,
        "shown": phone(number),
        "name": name,
        "direction": "out" if placed else "in",
        "missed": not placed and not took,
        "at": visit.texts.moment(row.started_at, visit.company.zone),
        "card": _card(visit, number, name, row.callid, row.diversion) if not inner else "",
    }


async def own_calls(visit: Visit) -> Response:
    """Answer with one's own calls in progress: callid, direction, number, name, card."""
    login, domain_id = visit.mine_employee.login, visit.company.id
    mine = [call for call in visit.services.calls.active(domain_id) if login in _logins(call)]
    names = await visit.services.names.of(domain_id, (call.info.client for call in mine))
    return JSONResponse([_own_call(visit, call, names, login) for call in mine])


def _own_call(visit: Visit, call: ActiveCall, names: dict[str, str], login: str) -> dict[str, Any]:
    info = call.info
    placed = info.direction is Direction.OUT
    number, name = info.client, names.get(info.client, "")
    if info.direction is Direction.INNER:
        placed = call.caller is not None and call.caller.login == login
        other = call.user if placed else call.caller
        number, name = (other.ext, other.name) if other is not None else ("", "")
    is_inner = info.direction is Direction.INNER
    return {
        "callid": info.callid,
        "direction": "out" if placed else "in",
        "number": number,
        "name": name,
        "card": "" if is_inner else _card(visit, number, name, info.callid, info.diversion),
    }


def _logins(call: ActiveCall) -> set[str]:
    people = (call.user, call.caller, *call.rung)
    return {person.login for person in people if person is not None}


def _card(visit: Visit, number: str, name: str, callid: str, diversion: str) -> str:
    values = {
        "phone": number,
        "name": name,
        "callid": callid,
        "diversion": diversion,
        "user": visit.mine_employee.login,
    }
    return card_url(visit.company.crm_card_url, values)


def _contact(visit: Visit, employee: Employee, talking: set[str]) -> dict[str, Any]:
    users = visit.services.directory.users
    state = "off"
    if employee.login in talking:
        state = "talks"
    elif employee.receives_calls and users.is_online(visit.company, employee.login):
        state = "free"
    return {"name": employee.name, "ext": employee.ext, "state": state}


def _talking(visit: Visit) -> set[str]:
    found: set[str] = set()
    for call in visit.services.calls.active(visit.company.id):
        found |= {person.login for person in (call.user, call.caller) if person is not None}
    return found


pages = (
    Page("/phone", Area.MINE, get=show),
    Page("/phone-worker.js", None, get=worker, door=Door.OPEN),
    Page("/phone/pass", Area.MINE, post=give_pass, framed=True),
    Page("/phone/seen", Area.MINE, post=seen, framed=True),
    Page("/phone/heard", Area.MINE, get=heard, framed=True),
    Page("/phone/contacts", Area.MINE, get=contacts, framed=True),
    Page("/phone/recents", Area.MINE, get=recents, framed=True),
    Page("/phone/calls", Area.MINE, get=own_calls, framed=True),
)
