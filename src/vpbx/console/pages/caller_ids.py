"""Outgoing numbers: which number those who are called see (crm-api §12)."""

from __future__ import annotations

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Page
from vpbx.console.pages.restrictions import DIRECTION_WORDS
from vpbx.console.trial import tried
from vpbx.console.visit import Visit

OUTGOING = "/outgoing"


async def show(visit: Visit) -> Response:
    return await _show(visit)


async def _show(visit: Visit, errors: dict[str, str] | None = None) -> Response:
    domain, say = visit.company, visit.texts
    caller_ids = visit.services.directory.caller_ids
    main, rules = await caller_ids.get(domain)
    employees, departments = domain.employees, domain.departments
    regions = {each.id: say(each.name) for each in caller_ids.regions()}
    numbers = await caller_ids.telnums(domain)
    return visit.page(
        "outgoing.html",
        status=400 if errors else 200,
        errors=errors,
        main=main,
        numbers=[each for each in numbers if each.outgoing],
        closed=[each for each in numbers if not each.outgoing],
        users=[
            (login, f"{employees[login].ext} {employees[login].name}", telnum)
            for login, telnum in rules.users.items()
            if login in employees
        ],
        groups=[
            (gid, departments[gid].name, telnum)
            for gid, telnum in rules.groups.items()
            if gid in departments
        ],
        regions=[
            (each, name, rules.regions[each])
            for each, name in regions.items()
            if each in rules.regions
        ],
        all_regions=sorted(regions.items(), key=lambda each: each[1]),
        whose=visit.value("whose"),
        telnum=visit.value("telnum"),
        direction_words=DIRECTION_WORDS,
        trial=tried(visit),
    )


async def save_main(visit: Visit) -> Response:
    caller_ids = visit.services.directory.caller_ids
    try:
        await caller_ids.set_main(visit.company, {"telnum": visit.value("telnum")})
    except Wrong as error:
        return await _show(visit, {"main": next(iter(errors_of(error, visit.texts).values()))})
    return visit.go(OUTGOING, visit.texts("Saved."))


async def save(visit: Visit) -> Response:
    """Set the number of an employee (`user:ann`), a department (`group:…`) or a region."""
    kind, _, name = visit.value("whose").partition(":")
    caller_ids, telnum = visit.services.directory.caller_ids, visit.value("telnum")
    try:
        if kind == "group":
            await caller_ids.set_group(visit.company, {"telnum": telnum, "id": name})
        elif kind == "region":
            await caller_ids.set_region(visit.company, {"telnum": telnum, "id": name})
        else:
            await caller_ids.set_user(visit.company, {"telnum": telnum, "login": name})
    except Wrong as error:
        wrong = errors_of(error, visit.texts)
        return await _show(
            visit, {"telnum" if n == "telnum" else "whose": t for n, t in wrong.items()}
        )
    return visit.go(OUTGOING, visit.texts("Saved."))


async def delete(visit: Visit) -> Response:
    kind, _, name = visit.value("whose").partition(":")
    caller_ids = visit.services.directory.caller_ids
    drop = {"group": caller_ids.delete_group, "region": caller_ids.delete_region}
    await drop.get(kind, caller_ids.delete_user)(visit.company, name)
    return visit.go(OUTGOING, visit.texts("Removed."))


pages = (
    Page(OUTGOING, Area.COMPANY, get=show, post=save_main, label="Outgoing numbers", icon="dial"),
    Page(f"{OUTGOING}/number", Area.COMPANY, post=save),
    Page(f"{OUTGOING}/number/delete", Area.COMPANY, post=delete),
)
