"""The softphone in the page: what it registers with, whom it can call, and a page for links.

The phone itself is `islands/phone.js`; it lies beside every page (`templates/phone.html`) and
goes on while pages change.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from vpbx.calls.passes import LIFE_S
from vpbx.console.areas import Area
from vpbx.console.page import Page
from vpbx.console.visit import Visit
from vpbx.directory import Employee


async def show(visit: Visit) -> Response:
    """Answer `/phone?call=NUMBER`, where `tel:` links lead: the number is filled in, not called."""
    return visit.page("phone/page.html", number=visit.asked("call").removeprefix("tel:")[:64])


async def give_pass(visit: Visit) -> Response:
    """Answer with credentials for the next minutes, and where SIP is spoken."""
    employee = visit.employee
    assert employee is not None
    made = visit.services.calls.passes.issue(visit.company, employee.login, str(visit.mine.id))
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
    for call in visit.services.calls.active():
        if call.info.domain_id == visit.company.id:
            found |= {person.login for person in (call.user, call.caller) if person is not None}
    return found


pages = (
    Page("/phone", Area.MINE, get=show),
    Page("/phone/pass", Area.MINE, post=give_pass),
    Page("/phone/contacts", Area.MINE, get=contacts),
)
