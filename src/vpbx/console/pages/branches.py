"""Connected PBXs: add one, say where it is, disconnect it."""

from __future__ import annotations

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Page
from vpbx.console.visit import Visit
from vpbx.directory import Branch

BRANCHES = "/branches"
STATUS_WORDS = {"success": "connected", "waiting": "waits for the other side", "error": "fails"}


async def show(visit: Visit) -> Response:
    return _list(visit)


def _list(visit: Visit, errors: dict[str, str] | None = None) -> Response:
    return visit.page(
        "branches/list.html",
        status=400 if errors else 200,
        errors=errors,
        branches=visit.company.settings.branches.values(),
        status_words=STATUS_WORDS,
        values={name: visit.value(name) for name in ("domain", "name")},
    )


async def add(visit: Visit) -> Response:
    values = {name: visit.value(name) for name in ("domain", "name", "key")}
    try:
        made = await visit.services.directory.branches.add(visit.company, values)
    except Wrong as error:
        return _list(visit, errors_of(error, visit.texts))
    return visit.go(f"{BRANCHES}/{made.domain}", visit.texts("Saved."))


async def show_one(visit: Visit) -> Response:
    branch = await visit.services.directory.branches.get(visit.company, visit.path("peer"))
    return _one(visit, branch)


def _one(visit: Visit, branch: Branch, errors: dict[str, str] | None = None) -> Response:
    return visit.page(
        "branches/one.html",
        status=400 if errors else 200,
        errors=errors,
        branch=branch,
        status_words=STATUS_WORDS,
        name=visit.value("name") or branch.name,
        url=visit.value("url", branch.url),
        sip=visit.value("sip", branch.sip),
    )


async def save(visit: Visit) -> Response:
    """Change its name, or where it is: two forms, each of which is kept whole or not at all."""
    branches, company = visit.services.directory.branches, visit.company
    branch = await branches.get(company, visit.path("peer"))
    try:
        if "url" in visit.form:
            places = {"url": visit.value("url"), "sip": visit.value("sip")}
            await branches.set_address(company, branch.domain, places)
        else:
            await branches.edit(company, branch.domain, {"name": visit.value("name")})
    except Wrong as error:
        return _one(visit, branch, errors_of(error, visit.texts))
    return visit.go(f"{BRANCHES}/{branch.domain}", visit.texts("Saved."))


async def delete(visit: Visit) -> Response:
    await visit.services.directory.branches.delete(visit.company, visit.path("peer"))
    return visit.go(BRANCHES, visit.texts("Removed."))


pages = (
    Page(BRANCHES, Area.COMPANY, get=show, post=add, weighty=True),
    Page(f"{BRANCHES}/{{peer}}", Area.COMPANY, get=show_one, post=save, weighty=True),
    Page(f"{BRANCHES}/{{peer}}/delete", Area.COMPANY, post=delete),
)
