"""Safety: who needs a second factor, and how long sessions last."""

from __future__ import annotations

from starlette.responses import Response

from vpbx.accounts import Refused, in_words
from vpbx.console.areas import Area
from vpbx.console.environment import ROLE_WORDS
from vpbx.console.forms import errors_of
from vpbx.console.page import Page
from vpbx.console.visit import Visit
from vpbx.directory import Role

SAFETY = "/safety"
_HOUR_S = 3600


async def show(visit: Visit) -> Response:
    settings = await visit.services.accounts.settings.get(visit.company.id)
    return await _show(
        visit,
        set(settings.second_factor),
        str(settings.idle_s // _HOUR_S),
        str(settings.longest_s // _HOUR_S),
    )


async def _show(
    visit: Visit, roles: set[Role], idle: str, longest: str, errors: dict[str, str] | None = None
) -> Response:
    accounts = await visit.services.accounts.of_domain(visit.company)
    employees = visit.company.employees
    return visit.page(
        "safety.html",
        status=400 if errors else 200,
        errors=errors,
        roles=[(str(role), visit.texts(ROLE_WORDS[role]), role in roles) for role in Role],
        idle=idle,
        longest=longest,
        people=[
            (employees[login], account)
            for login, account in sorted(accounts.items())
            if login in employees
        ],
    )


async def save(visit: Visit) -> Response:
    sent = {role for role in Role if role.value in visit.values("second_factor")}
    idle, longest = visit.value("idle_h"), visit.value("longest_h")
    settings = visit.services.accounts.settings
    before = await settings.get(visit.company.id)
    try:
        after = await settings.set(
            visit.company.id,
            second_factor=frozenset(sent),
            idle_h=int(idle) if idle.isdecimal() and len(idle) < 6 else 0,
            longest_h=int(longest) if longest.isdecimal() and len(longest) < 6 else 0,
        )
    except Refused as refused:
        return await _show(visit, sent, idle, longest, errors_of(refused, visit.texts))
    await visit.services.audit.note(visit.company.id, "safety", in_words(before), in_words(after))
    return visit.go(SAFETY, visit.texts("Saved."))


pages = (
    Page(SAFETY, Area.COMPANY, get=show, post=save, label="Safety", icon="shield", weighty=True),
)
