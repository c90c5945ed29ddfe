"""Numbers: the list; one with its route drawn, edited, and tried out for any moment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Page
from vpbx.console.route_forms import (
    hours_fields,
    menus_of,
    new_menu,
    route_fields,
    sent_hours,
    sent_route,
    typed_hours,
    wrong_hours,
)
from vpbx.console.route_tree import draw, tree, way
from vpbx.console.routes import (
    DAYS,
    clock,
    file_choices,
    goal_choices,
    menu_values,
)
from vpbx.console.visit import Visit
from vpbx.directory import DomainConfig, Number

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
        steps=way(root, visit.texts),
        type_words=TYPE_WORDS,
        subtype_words=SUBTYPE_WORDS,
        employees=[(e.login, f"{e.ext} {e.name}") for e in domain.employees.values()],
        groups=[(g.id, f"{g.ext} {g.name}") for g in domain.departments.values()],
        fallbacks=goal_choices(domain),
        greetings=file_choices(domain, "greeting"),
        days=DAYS,
        hours=typed_hours(visit) if errors else hours_fields(number),
        clock=clock,
        weekday=lambda index: visit.texts.weekday(index),
        menus=menus_of(number),
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
        values |= route_fields(name, route)
    return values


def _fallback(number: Number) -> tuple[str, str, str]:
    is_group = number.crm.startswith("g_") or number.crm == number.group != ""
    return ("group" if is_group else "user", ":", number.crm)


async def save(visit: Visit) -> Response:
    telnums, domain = visit.services.directory.telnums, visit.company
    number = await telnums.get(domain, visit.path("telnum"))
    enabled, rating = "enabled" in visit.form, "rating" in visit.form
    sent = {**dict(visit.form), "enabled": enabled, "rating": rating}
    values = _sent(visit, number)
    if values["type"] == "scheduler" and (wrong := wrong_hours(visit)):
        return _show(visit, number, sent, wrong)
    try:
        await telnums.edit(domain, number.telnum, values)
        if rating != number.rating:
            await telnums.configure(domain, number.telnum, {"rating": rating})
        if enabled != number.enabled:
            await telnums.set_enabled(domain, number.telnum, enabled)
        await _save_responsible(visit, number)
    except Wrong as error:
        return _show(visit, number, sent, errors_of(error, visit.texts))
    return visit.go(f"{LIST}/{number.telnum}", visit.texts("Saved."))


def _sent(visit: Visit, number: Number) -> dict[str, Any]:
    """Return the form's values as `telnums.edit` takes them: those its type has."""
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
        kept = menu_values(number.ivr) if number.ivr else None
        values["ivr"] = kept or new_menu(visit.company, "Menu")
    elif kind == "scheduler":
        values["work"] = sent_route(visit, "work", number.work)
        values["other"] = sent_route(visit, "other", number.other)
        values["schedule"] = sent_hours(visit)
    return values


async def _save_responsible(visit: Visit, number: Number) -> None:
    responsible = "responsible" in visit.form
    fallback = visit.value("fallback").partition(":")[2]
    if responsible != number.responsible_first or fallback != number.crm:
        await visit.services.directory.integrations.set_responsible(
            visit.company, number.telnum, enabled=responsible, fallback=fallback
        )


pages = (
    Page(LIST, Area.COMPANY, get=list_, label="Numbers", icon="number"),
    Page(f"{LIST}/{{telnum}}", Area.COMPANY, get=show, post=save),
)
