"""One menu of a number, at its path: its prompt and where each button leads."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from vpbx.accounts import Refused
from vpbx.console.areas import Area
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Page
from vpbx.console.pages.numbers import LIST
from vpbx.console.route_forms import menus_of, new_menu
from vpbx.console.routes import BUTTONS, file_choices, goal_choices, menu_at, number_values
from vpbx.console.visit import Visit
from vpbx.directory import NotFound, Number


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
        prompts=file_choices(visit.company, "ivr"),
        others=sorted({m.name for _, m in menus_of(number) if m.name and m.name != menu["name"]}),
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
        menu = new_menu(visit.company, f"{visit.value('name')} {button}".strip())
        return {"button": button, "type": "ivr", "ivr": menu}
    if kind == "menu":
        return {"button": button, "type": "ivr", "ivr": {"name": name}}
    return {"button": button, "type": kind, kind: name} if kind in ("user", "group") else None


pages = (Page(f"{LIST}/{{telnum}}/menu/{{path}}", Area.COMPANY, get=show_menu, post=save_menu),)
