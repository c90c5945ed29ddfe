"""The hours of a number on a calendar: a month at a time, special days put on it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.calendar import month_of, weeks
from vpbx.console.page import Page
from vpbx.console.pages.numbers import LIST
from vpbx.console.routes import clock
from vpbx.console.visit import Visit

HOURS_WORDS = {
    "special": "special day",
    "interval": "extra hours",
    "business": "open",
    "closed": "closed",
}


async def show(visit: Visit) -> Response:
    domain = visit.company
    number = await visit.services.directory.telnums.get(domain, visit.path("telnum"))
    now = datetime.fromtimestamp(visit.services.clock.time(), UTC).astimezone(domain.zone)
    month = month_of(visit.asked("month"), now.date())
    return visit.page(
        "numbers/calendar.html",
        number=number,
        others=[
            (each.telnum, each.name)
            for each in domain.numbers.values()
            if each.work is not None and each.telnum != number.telnum
        ],
        month=month,
        before=f"{month - timedelta(days=1):%Y-%m}",
        after=f"{_next(month):%Y-%m}",
        today=now.date(),
        weeks=weeks(domain, number, month) if number.work is not None else [],
        chosen=_chosen(visit.asked("day")),
        hours_words=HOURS_WORDS,
        clock=clock,
    )


def _next(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1)


def _chosen(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return ""


pages = (Page(f"{LIST}/{{telnum}}/calendar", Area.COMPANY, get=show),)
