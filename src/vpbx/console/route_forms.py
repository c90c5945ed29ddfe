"""A number's routes, menus and hours as fields of forms, both ways."""

from __future__ import annotations

from typing import Any

from vpbx.console.routes import DAYS, clock, menu_values, seconds
from vpbx.console.visit import Visit
from vpbx.directory import DomainConfig, Menu, Number, Route

__all__ = [
    "hours_fields",
    "menus_of",
    "new_menu",
    "route_fields",
    "sent_hours",
    "sent_route",
    "typed_hours",
    "wrong_hours",
]


def route_fields(name: str, route: Route | None) -> dict[str, Any]:
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


def sent_route(visit: Visit, name: str, before: Route | None) -> dict[str, Any]:
    """Return the route of the form's fields that begin with `name`, as operations take it."""
    subtype = visit.value(f"{name}.subtype", "message")
    values: dict[str, Any] = {"subtype": subtype, "greeting": f"{name}.greeting" in visit.form}
    if subtype in ("user", "group", "telnum"):
        values[subtype] = visit.value(f"{name}.{subtype}")
    elif subtype == "ivr":
        kept = before.ivr if before is not None else None
        values["ivr"] = menu_values(kept) if kept else new_menu(visit.company, f"Menu {name}")
    return values


def new_menu(domain: DomainConfig, name: str) -> dict[str, Any]:
    """Return a menu to begin with: without a key the call goes to the first administrator."""
    item = {"button": "timeout", "type": "user", "user": domain.first_admin().login}
    return {"name": name, "greeting": True, "items": [item]}


def menus_of(number: Number) -> list[tuple[str, Menu]]:
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


def hours_fields(number: Number) -> list[tuple[str, bool, str, str]]:
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


def typed_hours(visit: Visit) -> list[tuple[str, bool, str, str]]:
    """Return the hours of the form that was sent, as `hours_fields` does."""
    return [
        (day, f"{day}.works" in visit.form, visit.value(f"{day}.start"), visit.value(f"{day}.end"))
        for day in DAYS
    ]


def wrong_hours(visit: Visit) -> dict[str, str]:
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


def sent_hours(visit: Visit) -> dict[str, Any]:
    """Return the hours of the form as operations take them: the days that are worked."""
    return {
        day: {
            "start": seconds(visit.value(f"{day}.start")),
            "end": seconds(visit.value(f"{day}.end"), end=True),
        }
        for day in DAYS
        if f"{day}.works" in visit.form
    }
