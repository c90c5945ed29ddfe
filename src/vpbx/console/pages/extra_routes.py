"""Days and hours of a number with a route of their own."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Page
from vpbx.console.pages.numbers import LIST
from vpbx.console.route_forms import sent_route
from vpbx.console.routes import route_values, seconds
from vpbx.console.special_days import put_also
from vpbx.console.texts import phone
from vpbx.console.visit import Visit
from vpbx.directory import CustomRoute, NumberType


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
        return visit.go(_back(visit, telnum), said, failed=True)
    refused = await put_also(visit, telnum, values)
    note = visit.texts("Saved.")
    if refused:
        note = visit.texts("Saved, but not for {numbers}", numbers="; ".join(refused))
    return visit.go(_back(visit, telnum), note, failed=bool(refused))


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
            route = sent_route(visit, "extra", custom.route)
        customs.append({**route, **_kept(custom)})
    try:
        values = {"type": str(NumberType.SCHEDULER), "custom_routes": customs}
        await telnums.edit(visit.company, number.telnum, values)
    except Wrong as error:
        said = "; ".join(errors_of(error, visit.texts).values())
        return visit.go(f"{LIST}/{number.telnum}", said)
    return visit.go(f"{LIST}/{number.telnum}", visit.texts("Saved."))


async def copy_hours(visit: Visit) -> Response:
    """Give the number's week to other numbers."""
    telnum = visit.path("telnum")
    try:
        done = await visit.services.directory.hours.copy(
            visit.company, telnum, visit.values("hours_to")
        )
    except Wrong as error:
        said = "; ".join(errors_of(error, visit.texts).values())
        return visit.go(_back(visit, telnum), said, failed=True)
    note = visit.texts("Copied to {numbers}.", numbers=", ".join(map(phone, done)))
    return visit.go(_back(visit, telnum), note)


def _kept(custom: CustomRoute) -> dict[str, Any]:
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
    Page(f"{LIST}/{{telnum}}/special", Area.COMPANY, post=add_special),
    Page(f"{LIST}/{{telnum}}/special/delete", Area.COMPANY, post=drop_special),
    Page(f"{LIST}/{{telnum}}/hours", Area.COMPANY, post=copy_hours),
    Page(f"{LIST}/{{telnum}}/extra", Area.COMPANY, post=save_extra),
)
