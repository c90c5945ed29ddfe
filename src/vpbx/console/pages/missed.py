"""Missed calls that nobody has called back, and the way to call back by one click."""

from __future__ import annotations

from starlette.responses import Response

from vpbx.calls import TooManyCalls
from vpbx.console.areas import Area
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Page
from vpbx.console.pages.history import words
from vpbx.console.visit import Visit
from vpbx.history import Asked, select_period

MISSED = "/missed"
_DAYS_MS = 30 * 24 * 3600 * 1000
_MOST = 200


async def show(visit: Visit) -> Response:
    domain, everything = visit.company, visit.asked("all") == "1"
    today = select_period(domain.zone, visit.services.clock.time(), period="today")
    asked = Asked(
        domain_id=domain.id,
        since_ms=today.until_ms - _DAYS_MS,
        until_ms=today.until_ms,
        seen=visit.seen,
        kind="missed",
        unreturned=not everything,
        limit=_MOST,
    )
    calls = await visit.services.browser.find(asked)
    notes = await visit.services.notes.of(domain.id, [each.callid for each in calls])
    return visit.page("missed.html", calls=calls, notes=notes, everything=everything, **words())


async def call(visit: Visit) -> Response:
    """Ring the employee's own phones, then the customer's (crm-api §5)."""
    employee, phone = visit.employee, visit.value("phone")
    assert employee is not None
    back = {"missed": MISSED, "history": "/history", "voicemail": "/voicemail"}.get(
        visit.value("back"), "/"
    )
    try:
        await visit.services.calls.make_call(visit.company, phone=phone, user=employee.login)
    except Wrong as error:
        why = next(iter(errors_of(error, visit.texts).values()))
        return visit.go(back, why, failed=True)
    except TooManyCalls:
        text = visit.texts("You have as many calls as you may have at once.")
        return visit.go(back, text, failed=True)
    return visit.go(back, visit.texts("Your phone rings: take it, and the number is called."))


pages = (
    Page(MISSED, Area.CALLS, get=show, label="Missed", icon="missed"),
    Page("/call", Area.MINE, post=call),
)
