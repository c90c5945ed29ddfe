"""A number's routes between snapshot, form and operation (the values of crm-api §9)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from vpbx.directory import DomainConfig, Menu, Number, Route

__all__ = [
    "BUTTONS",
    "DAYS",
    "clock",
    "file_choices",
    "goal_choices",
    "menu_at",
    "menu_values",
    "number_values",
    "route_values",
    "seconds",
]

BUTTONS = (*"1234567890*#", "timeout")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY_S = 86_400
_CLOCK = re.compile(r"(24(?=:00)|[01]?[0-9]|2[0-3]):([0-5][0-9])(?::[0-5][0-9])?")
"""As browsers send it, with seconds or without (HTML, time input)."""


def menu_values(menu: Menu) -> dict[str, Any]:
    """Return a menu as operations take it."""
    if not menu.items:
        return {"name": menu.name}
    return {
        "name": menu.name,
        "greeting": menu.greeting,
        "greeting_file": menu.greeting_file,
        "items": [
            {
                "button": item.button,
                "type": item.type,
                **(
                    {"ivr": menu_values(item.ivr)}
                    if item.ivr is not None
                    else {"group": item.group}
                    if item.type == "group"
                    else {"user": item.user}
                ),
            }
            for item in menu.items
        ],
    }


def route_values(route: Route) -> dict[str, Any]:
    """Return an attendant route as operations take it."""
    values: dict[str, Any] = {"subtype": str(route.subtype), "greeting": route.greeting}
    if route.ivr is not None:
        values["ivr"] = menu_values(route.ivr)
    for name in ("user", "group", "telnum"):
        if getattr(route, name):
            values[name] = getattr(route, name)
    return values


def number_values(number: Number) -> dict[str, Any]:
    """Return what a number's menus and schedule are, as `telnums.edit` takes it."""
    values: dict[str, Any] = {"type": str(number.type)}
    if number.ivr is not None:
        values["ivr"] = menu_values(number.ivr)
    if number.work is not None and number.other is not None:
        values["work"] = route_values(number.work)
        values["other"] = route_values(number.other)
    return values


def menu_at(values: Mapping[str, Any], path: str) -> dict[str, Any] | None:
    """Return the menu at a path within `number_values`, to be changed in place.

    A path is the root (`main`, `work` or `other`) and the buttons on the way: `main-1-3`.
    """
    root, *buttons = path.split("-")
    menu = values.get("ivr") if root == "main" else values.get(root, {}).get("ivr")
    for button in buttons:
        items = (menu or {}).get("items", ())
        item = next((each for each in items if each["button"] == button), None)
        menu = item.get("ivr") if item is not None else None
    return menu if isinstance(menu, dict) and menu.get("items") else None


def goal_choices(domain: DomainConfig) -> list[tuple[str, str]]:
    """Return employees and departments as `kind:id` and words, for selects."""
    people = [(f"user:{e.login}", f"{e.ext} {e.name}") for e in domain.employees.values()]
    groups = [(f"group:{g.id}", f"{g.ext} {g.name}") for g in domain.departments.values()]
    return [*groups, *people]


def file_choices(domain: DomainConfig, kind: str) -> list[tuple[str, str]]:
    """Return the company's own sounds of a kind as id and name, for selects."""
    return [(f.id, f.name) for f in domain.settings.media.values() if f.type == kind]


def clock(second: int) -> str:
    """Return a second of the day as `09:00`; the end of the day is 00:00."""
    return f"{second // 3600 % 24:02}:{second % 3600 // 60:02}"


def seconds(text: str, *, end: bool = False) -> int | str:
    """Read `09:00`; 00:00 as an end is the end of the day. What is none is returned as it is."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        return text
    found_s = int(found[1]) * 3600 + int(found[2]) * 60
    return _DAY_S if end and found_s == 0 else found_s
