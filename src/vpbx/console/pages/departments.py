"""Departments: the list, one's form with its members in their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Page
from vpbx.console.visit import Visit
from vpbx.directory import Department
from vpbx.directory import mentions as depends

LIST = "/departments"
ORDER_WORDS = {
    "ALL": "All at once",
    "BYORDER": "One by one from the top",
    "EVENLY": "One by one, who has waited longest",
    "WATERFALL": "One after the other joins in",
}
TARGET_WORDS = {
    "voicemail": "Voicemail",
    "user": "An employee",
    "group": "Another department",
    "telnum": "An outside number",
    "msg_busy": "A message: call later",
}
ADVANCED_WORDS = {
    "off": "Music until somebody is free",
    "msg_busy": "A message: call later",
    "callback": "Press 1 to be called back",
}
DURATIONS = (5, 10, 15, 20, 25, 30)
TIMES = (15, 30, 60, 120, 300, 600)


@dataclass(frozen=True, slots=True)
class Row:
    """A member in the form. `key` names them, also those of connected PBXs."""

    key: str
    name: str
    on: bool


async def list_(visit: Visit) -> Response:
    found = await visit.services.directory.groups.list(
        visit.company, search=visit.asked("search"), limit=1000
    )
    return visit.page(
        "departments/list.html",
        found=found,
        search=visit.asked("search"),
        order_words=ORDER_WORDS,
        target_words=TARGET_WORDS,
    )


async def new(visit: Visit) -> Response:
    values = {"call_order": "ALL", "call_duration": "15", "time": "120", "target": "voicemail"}
    return _form(visit, None, values, [])


async def add(visit: Visit) -> Response:
    members = _sent_members(visit)
    if visit.value("do"):
        return _form(visit, None, dict(visit.form), _arranged(visit, members))
    try:
        made = await visit.services.directory.groups.add(visit.company, _values(visit, members))
    except Wrong as error:
        return _form(visit, None, dict(visit.form), members, errors_of(error, visit.texts))
    return visit.go(LIST, visit.texts("{name} is saved.", name=made.name))


async def show(visit: Visit) -> Response:
    group = await visit.services.directory.groups.get(visit.company, visit.path("id"))
    timeout = group.timeout
    values = {
        "name": group.name,
        "ext": group.ext,
        "call_order": str(group.call_order),
        "call_duration": str(group.call_duration or 15),
        "time": str(timeout.time),
        "target": str(timeout.target),
        "user": timeout.user,
        "group": timeout.group,
        "telnum": timeout.telnum,
        "advanced": str(group.advanced),
        "queue_position": group.queue_position,
    }
    members = [
        Row(
            f"{member.login}@{member.branch_domain}" if member.branch_domain else member.login,
            member.name or visit.company.employees[member.login].name,
            member.calls_enable,
        )
        for member in group.members
    ]
    return _form(visit, group, values, members)


async def save(visit: Visit) -> Response:
    groups = visit.services.directory.groups
    group = await groups.get(visit.company, visit.path("id"))
    members = _sent_members(visit)
    if visit.value("do"):
        return _form(visit, group, dict(visit.form), _arranged(visit, members))
    try:
        await groups.edit(visit.company, group.id, _values(visit, members))
    except Wrong as error:
        return _form(visit, group, dict(visit.form), members, errors_of(error, visit.texts))
    return visit.go(LIST, visit.texts("{name} is saved.", name=visit.value("name")))


async def delete(visit: Visit) -> Response:
    groups = visit.services.directory.groups
    group = await groups.get(visit.company, visit.path("id"))
    await groups.delete(visit.company, group.id)
    return visit.go(LIST, visit.texts("{name} is removed.", name=group.name))


def _form(
    visit: Visit,
    group: Department | None,
    values: dict[str, Any],
    members: list[Row],
    errors: dict[str, str] | None = None,
) -> Response:
    taken = {row.key for row in members}
    return visit.page(
        "departments/form.html",
        status=400 if errors else 200,
        errors=errors,
        group=group,
        values=values,
        members=members,
        others=[e for e in visit.company.employees.values() if e.login not in taken],
        groups=[
            (each.id, each.name)
            for each in visit.company.departments.values()
            if group is None or each.id != group.id
        ],
        employees=[(e.login, f"{e.ext} {e.name}") for e in visit.company.employees.values()],
        depends=depends.of_department(visit.company, group) if group is not None else [],
        order_words=ORDER_WORDS,
        target_words=TARGET_WORDS,
        advanced_words=ADVANCED_WORDS,
        durations=_seconds(visit, DURATIONS),
        times=_seconds(visit, TIMES),
    )


def _seconds(visit: Visit, numbers: tuple[int, ...]) -> list[tuple[int, str]]:
    say = visit.texts
    return [
        (n, say.count("{n} second", "{n} seconds", n))
        if n < 120
        else (n, say.count("{n} minute", "{n} minutes", n // 60))
        for n in numbers
    ]


def _sent_members(visit: Visit) -> list[Row]:
    """Return the members in the order in which the form has them."""
    on = set(visit.values("on"))
    names = dict(zip(visit.values("member"), visit.values("member_name"), strict=False))
    return [Row(key, name, key in on) for key, name in names.items()]


def _arranged(visit: Visit, members: list[Row]) -> list[Row]:
    """Return the members after a button of the form: `up:ann`, `down:ann`, `drop:ann`, `add`."""
    verb, _, key = visit.value("do").partition(":")
    if verb == "add":
        employee = visit.company.find_employee(visit.value("newcomer"))
        if employee is None or any(row.key == employee.login for row in members):
            return members
        return [*members, Row(employee.login, employee.name, True)]
    at = next((index for index, row in enumerate(members) if row.key == key), None)
    if at is None:
        return members
    rest = [row for row in members if row.key != key]
    if verb == "drop":
        return rest
    rest.insert(max(0, at - 1) if verb == "up" else at + 1, members[at])
    return rest


def _values(visit: Visit, members: list[Row]) -> dict[str, Any]:
    target = visit.value("target", "voicemail")
    timeout = {"time": visit.value("time", "120"), "target": target}
    if target in ("user", "group", "telnum"):
        timeout[target] = visit.value(target)
    values: dict[str, Any] = {
        name: visit.value(name) for name in ("name", "call_order", "call_duration", "advanced")
    }
    if not values["call_duration"]:
        del values["call_duration"]
    if visit.value("ext"):
        values["ext"] = visit.value("ext")
    values["queue_position"] = "queue_position" in visit.form
    values["timeout"] = timeout
    values["users"] = [{"login": row.key, "calls_enable": row.on} for row in members]
    return values


pages = (
    Page(LIST, Area.COMPANY, get=list_, label="Departments", icon="group"),
    Page(f"{LIST}/new", Area.COMPANY, get=new, post=add),
    Page(f"{LIST}/{{id}}", Area.COMPANY, get=show, post=save),
    Page(f"{LIST}/{{id}}/delete", Area.COMPANY, post=delete),
)
