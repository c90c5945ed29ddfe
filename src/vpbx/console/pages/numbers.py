"""Numbers: the list; one with its route drawn, edited, and tried out for any moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from vpbx.accounts import Refused
from vpbx.console.areas import Area
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Page
from vpbx.console.route_tree import draw, tree, way
from vpbx.console.routes import (
    BUTTONS,
    DAYS,
    clock,
    goal_choices,
    menu_at,
    menu_values,
    number_values,
    route_values,
    seconds,
)
from vpbx.console.special_days import put_also
from vpbx.console.visit import Visit
from vpbx.directory import DomainConfig, Menu, NotFound, Number, NumberType, Route

LIST = "/numbers"
TYPE_WORDS = {
    "user": "An employee",
    "group": "A department",
    "ivr": "A menu",
    "scheduler": "By the hours",
    "fax": "Fax",
}
SUBTYPE_WORDS = {
    "group": "A department",
    "user": "An employee",
    "ivr": "A menu",
    "telnum": "An outside number",
    "voicemail": "Voicemail",
    "message": "A message: we are closed",
}


async def list_(visit: Visit) -> Response:
    found = await visit.services.directory.telnums.list(
        visit.company, search=visit.asked("search"), limit=1000
    )
    return visit.page(
        "numbers/list.html", found=found, search=visit.asked("search"), type_words=TYPE_WORDS
    )


async def show(visit: Visit) -> Response:
    number = await visit.services.directory.telnums.get(visit.company, visit.path("telnum"))
    return _show(visit, number, _form_values(number))


def _show(
    visit: Visit, number: Number, values: dict[str, Any], errors: dict[str, str] | None = None
) -> Response:
    domain = visit.company
    moment = _moment(visit, domain)
    root = tree(domain, number, moment, visit.texts)
    return visit.page(
        "numbers/number.html",
        status=400 if errors else 200,
        errors=errors,
        number=number,
        values=values,
        at=moment.astimezone(domain.zone).strftime("%Y-%m-%dT%H:%M"),
        moment=moment,
        is_now=not visit.asked("at"),
        drawing=draw(root),
        steps=way(root),
        type_words=TYPE_WORDS,
        subtype_words=SUBTYPE_WORDS,
        employees=[(e.login, f"{e.ext} {e.name}") for e in domain.employees.values()],
        groups=[(g.id, f"{g.ext} {g.name}") for g in domain.departments.values()],
        fallbacks=goal_choices(domain),
        greetings=_files(domain, "greeting"),
        days=DAYS,
        hours=_typed_hours(visit) if errors else _hours(number),
        clock=clock,
        weekday=lambda index: visit.texts.weekday(index),
        menus=_menus(number),
    )


def _moment(visit: Visit, domain: DomainConfig) -> datetime:
    """Return the moment asked for, in the company's wall clock; now for anything else."""
    try:
        asked = datetime.fromisoformat(visit.asked("at"))
        if 2000 <= asked.year < 2200:
            return asked.replace(tzinfo=domain.zone)
    except ValueError:
        pass
    return datetime.fromtimestamp(visit.services.clock.time(), UTC)


def _files(domain: DomainConfig, kind: str) -> list[tuple[str, str]]:
    return [(f.id, f.name) for f in domain.settings.media.values() if f.type == kind]


def _form_values(number: Number) -> dict[str, Any]:
    kind, _, who = _fallback(number)
    values: dict[str, Any] = {
        "name": number.name,
        "type": str(number.type),
        "user": number.user,
        "group": number.group,
        "greeting": number.greeting,
        "greeting_file": number.greeting_file,
        "enabled": number.enabled,
        "rating": number.rating,
        "responsible": number.responsible_first,
        "fallback": f"{kind}:{who}" if who else "",
    }
    for name, route in (("work", number.work), ("other", number.other)):
        values |= _route_form(name, route)
    return values


def _fallback(number: Number) -> tuple[str, str, str]:
    is_group = number.crm.startswith("g_") or number.crm == number.group != ""
    return ("group" if is_group else "user", ":", number.crm)


def _route_form(name: str, route: Route | None) -> dict[str, Any]:
    """Return an attendant route as fields of a form that begin with its name."""
    if route is None:
        return {f"{name}.subtype": "message" if name == "other" else "group"}
    return {
        f"{name}.subtype": str(route.subtype),
        f"{name}.user": route.user,
        f"{name}.group": route.group,
        f"{name}.telnum": route.telnum,
        f"{name}.greeting": route.greeting,
    }


def _typed_hours(visit: Visit) -> list[tuple[str, bool, str, str]]:
    """Return the hours of the form that was sent, as `_hours` does."""
    return [
        (day, f"{day}.works" in visit.form, visit.value(f"{day}.start"), visit.value(f"{day}.end"))
        for day in DAYS
    ]


def _hours(number: Number) -> list[tuple[str, bool, str, str]]:
    """Return (day, works, from, to) of each weekday; without a schedule nine to six."""
    rows = []
    for index, day in enumerate(DAYS):
        hours = number.schedule.get(day)
        if hours is not None and not hours.holiday:
            rows.append((day, True, clock(hours.start), clock(hours.end)))
        else:
            is_workday = not number.schedule and index < 5
            rows.append((day, is_workday, "09:00", "18:00"))
    return rows


def _menus(number: Number) -> list[tuple[str, Menu]]:
    """Return all menus of a number with their paths."""
    roots = [("main", number.ivr)]
    roots += [(n, r.ivr) for n, r in (("work", number.work), ("other", number.other)) if r]
    found: list[tuple[str, Menu]] = []

    def walk(path: str, menu: Menu | None) -> None:
        if menu is None or not menu.items:
            return
        found.append((path, menu))
        for item in menu.items:
            walk(f"{path}-{item.button}", item.ivr)

    for path, menu in roots:
        walk(path, menu)
    return found


async def save(visit: Visit) -> Response:
    telnums, domain = visit.services.directory.telnums, visit.company
    number = await telnums.get(domain, visit.path("telnum"))
    kind = visit.value("type", str(number.type))
    values: dict[str, Any] = {
        "type": kind,
        "name": visit.value("name"),
        "greeting": "greeting" in visit.form,
        "greeting_file": visit.value("greeting_file"),
    }
    if kind in ("user", "fax"):
        values["user"] = visit.value("user")
    elif kind == "group":
        values["group"] = visit.value("group")
    elif kind == "ivr":
        values["ivr"] = menu_values(number.ivr) if number.ivr else _new_menu(domain, "Menu")
    elif kind == "scheduler":
        values["work"] = _sent_route(visit, "work", number.work)
        values["other"] = _sent_route(visit, "other", number.other)
        if wrong := _wrong_hours(visit):
            sent = {**dict(visit.form), "enabled": "enabled" in visit.form}
            return _show(visit, number, sent, wrong)
        values["schedule"] = _sent_hours(visit)
    enabled, rating = "enabled" in visit.form, "rating" in visit.form
    try:
        await telnums.edit(domain, number.telnum, values)
        if rating != number.rating:
            await telnums.configure(domain, number.telnum, {"rating": rating})
        if enabled != number.enabled:
            await telnums.set_enabled(domain, number.telnum, enabled)
        await _save_responsible(visit, number)
    except Wrong as error:
        sent = {**dict(visit.form), "enabled": enabled, "rating": rating}
        return _show(visit, number, sent, errors_of(error, visit.texts))
    return visit.go(f"{LIST}/{number.telnum}", visit.texts("Saved."))


async def _save_responsible(visit: Visit, number: Number) -> None:
    responsible = "responsible" in visit.form
    fallback = visit.value("fallback").partition(":")[2]
    if responsible != number.responsible_first or fallback != number.crm:
        await visit.services.directory.integrations.set_responsible(
            visit.company, number.telnum, enabled=responsible, fallback=fallback
        )


def _new_menu(domain: DomainConfig, name: str) -> dict[str, Any]:
    """Return a menu to begin with: without a key the call goes to the first administrator."""
    item = {"button": "timeout", "type": "user", "user": domain.first_admin().login}
    return {"name": name, "greeting": True, "items": [item]}


def _sent_route(visit: Visit, name: str, before: Route | None) -> dict[str, Any]:
    subtype = visit.value(f"{name}.subtype", "message")
    values: dict[str, Any] = {"subtype": subtype, "greeting": f"{name}.greeting" in visit.form}
    if subtype in ("user", "group", "telnum"):
        values[subtype] = visit.value(f"{name}.{subtype}")
    elif subtype == "ivr":
        kept = before.ivr if before is not None else None
        values["ivr"] = menu_values(kept) if kept else _new_menu(visit.company, f"Menu {name}")
    return values


def _wrong_hours(visit: Visit) -> dict[str, str]:
    """Return which hours are no times of day."""
    return {
        f"{day}.{end}": visit.texts(
            "{day}: {value} is no time of day, such as 09:30",
            day=visit.texts.weekday(index),
            value=visit.value(f"{day}.{end}")[:20] or "—",
        )
        for index, day in enumerate(DAYS)
        for end in ("start", "end")
        if f"{day}.works" in visit.form and isinstance(seconds(visit.value(f"{day}.{end}")), str)
    }


def _sent_hours(visit: Visit) -> dict[str, Any]:
    return {
        day: {
            "start": seconds(visit.value(f"{day}.start")),
            "end": seconds(visit.value(f"{day}.end"), end=True),
        }
        for day in DAYS
        if f"{day}.works" in visit.form
    }


# Menus


async def show_menu(visit: Visit) -> Response:
    number, _values, menu = await _menu(visit)
    return _menu_page(visit, number, menu, _menu_form(menu))


async def _menu(visit: Visit) -> tuple[Number, dict[str, Any], dict[str, Any]]:
    number = await visit.services.directory.telnums.get(visit.company, visit.path("telnum"))
    values = number_values(number)
    menu = menu_at(values, visit.path("path"))
    if menu is None:
        raise NotFound("no such menu")
    return number, values, menu


def _menu_form(menu: dict[str, Any]) -> dict[str, str]:
    values = {
        "name": menu["name"],
        "greeting": "1" if menu["greeting"] else "",
        "greeting_file": menu["greeting_file"],
    }
    for item in menu["items"]:
        kind = item["type"]
        values[item["button"]] = "keep" if kind == "ivr" else f"{kind}:{item[kind]}"
    return values


def _menu_page(
    visit: Visit,
    number: Number,
    menu: dict[str, Any],
    values: dict[str, Any],
    errors: dict[str, str] | None = None,
) -> Response:
    inner = {i["button"]: i["ivr"]["name"] for i in menu["items"] if i["type"] == "ivr"}
    deeper = {i["button"] for i in menu["items"] if i["type"] == "ivr" and i["ivr"].get("items")}
    return visit.page(
        "numbers/menu.html",
        status=400 if errors else 200,
        errors=errors,
        number=number,
        path=visit.path("path"),
        values=values,
        inner=inner,
        deeper=deeper,
        buttons=BUTTONS,
        goals=goal_choices(visit.company),
        prompts=_files(visit.company, "ivr"),
        others=sorted({m.name for _, m in _menus(number) if m.name and m.name != menu["name"]}),
    )


async def save_menu(visit: Visit) -> Response:
    number, values, menu = await _menu(visit)
    before = {item["button"]: item for item in menu["items"]}
    menu["name"] = visit.value("name")
    menu["greeting"] = "greeting" in visit.form
    menu["greeting_file"] = visit.value("greeting_file")
    menu["items"] = [
        item for button in BUTTONS if (item := _sent_item(visit, button, before.get(button)))
    ]
    try:
        if not menu["items"]:  # by its name alone it would mean the one there is
            raise Refused("items", "must have at least one button")
        await visit.services.directory.telnums.edit(visit.company, number.telnum, values)
    except Wrong as error:
        _number, _values, menu = await _menu(visit)
        return _menu_page(visit, number, menu, dict(visit.form), errors_of(error, visit.texts))
    return visit.go(f"{LIST}/{number.telnum}", visit.texts("Saved."))


def _sent_item(visit: Visit, button: str, before: dict[str, Any] | None) -> dict[str, Any] | None:
    kind, _, name = visit.value(button).partition(":")
    if kind == "keep":
        return before
    if kind == "new":
        menu = _new_menu(visit.company, f"{visit.value('name')} {button}".strip())
        return {"button": button, "type": "ivr", "ivr": menu}
    if kind == "menu":
        return {"button": button, "type": "ivr", "ivr": {"name": name}}
    return {"button": button, "type": kind, kind: name} if kind in ("user", "group") else None


# Days and hours with a route of their own


def _back(visit: Visit, telnum: str) -> str:
    """Return the page a special day was set on: the calendar's month, or the number's own."""
    month = visit.value("month")
    is_month = re.fullmatch(r"\d{4}-\d{2}", month, re.ASCII)
    return f"{LIST}/{telnum}/calendar?month={month}" if is_month else f"{LIST}/{telnum}"


async def add_special(visit: Visit) -> Response:
    """Add a special day or extra hours, whose route is one of the number's or a new one."""
    telnums, telnum = visit.services.directory.telnums, visit.path("telnum")
    values: dict[str, Any] = {"route_id": visit.value("route_id") or None}
    if not values["route_id"]:
        values["route_name"] = visit.value("route_name")
    try:
        if visit.value("kind") == "hours":
            values["days"] = visit.values("days")
            values["start"] = seconds(visit.value("from"))
            values["end"] = seconds(visit.value("to"), end=True)
            await telnums.add_interval(visit.company, telnum, values)
        else:
            values["calendar_predefined"] = visit.value("kind") == "calendar"
            if visit.value("kind") == "days":
                values["start"] = visit.value("start")
                values["end"] = visit.value("end") or visit.value("start")
            await telnums.add_special_day(visit.company, telnum, values)
    except Wrong as error:
        said = "; ".join(errors_of(error, visit.texts).values())
        return visit.go(_back(visit, telnum), said)
    refused = await put_also(visit, telnum, values)
    note = visit.texts("Saved.")
    if refused:
        note = visit.texts("Saved, but not for {numbers}", numbers="; ".join(refused))
    return visit.go(_back(visit, telnum), note)


async def drop_special(visit: Visit) -> Response:
    telnums, telnum = visit.services.directory.telnums, visit.path("telnum")
    if visit.value("interval"):
        await telnums.delete_interval(visit.company, telnum, visit.value("interval"))
    else:
        await telnums.delete_special_day(visit.company, telnum, visit.value("day"))
    return visit.go(_back(visit, telnum), visit.texts("Removed."))


async def save_extra(visit: Visit) -> Response:
    """Change where an extra route leads, or drop it with its days."""
    telnums = visit.services.directory.telnums
    number = await telnums.get(visit.company, visit.path("telnum"))
    custom_id, drop = visit.value("id"), visit.value("drop") == "1"
    customs = []
    for custom in number.custom_routes:
        if custom.id == custom_id and drop:
            continue
        route = route_values(custom.route)
        if custom.id == custom_id:
            route = _sent_route(visit, "extra", custom.route)
        customs.append({**route, **_kept(custom)})
    try:
        values = {"type": str(NumberType.SCHEDULER), "custom_routes": customs}
        await telnums.edit(visit.company, number.telnum, values)
    except Wrong as error:
        said = "; ".join(errors_of(error, visit.texts).values())
        return visit.go(f"{LIST}/{number.telnum}", said)
    return visit.go(f"{LIST}/{number.telnum}", visit.texts("Saved."))


def _kept(custom: Any) -> dict[str, Any]:
    """Return an extra route's name and when it holds, as operations take them."""
    days = [
        {
            "id": day.id,
            "start": day.start.isoformat() if day.start else None,
            "end": day.end.isoformat() if day.end else None,
            "calendar_predefined": day.calendar_predefined,
        }
        for day in custom.calendar_schedule
    ]
    hours = [
        {"id": each.id, "days": list(each.days), "start": each.start, "end": each.end}
        for each in custom.interval_schedule
    ]
    return {
        "id": custom.id,
        "name": custom.name,
        "interval_schedule": hours,
        "calendar_schedule": days,
    }


pages = (
    Page(LIST, Area.COMPANY, get=list_, label="Numbers", icon="number"),
    Page(f"{LIST}/{{telnum}}", Area.COMPANY, get=show, post=save),
    Page(f"{LIST}/{{telnum}}/menu/{{path}}", Area.COMPANY, get=show_menu, post=save_menu),
    Page(f"{LIST}/{{telnum}}/special", Area.COMPANY, post=add_special),
    Page(f"{LIST}/{{telnum}}/special/delete", Area.COMPANY, post=drop_special),
    Page(f"{LIST}/{{telnum}}/extra", Area.COMPANY, post=save_extra),
)
