"""For operators: the companies on this server, and the way into each."""

from __future__ import annotations

from starlette.responses import Response

from vpbx.console.admit import safe_path
from vpbx.console.page import Door, Page
from vpbx.console.pages.connections import STATUS_WORDS
from vpbx.console.visit import Visit

OPERATOR = "/operator"


async def show(visit: Visit) -> Response:
    services = visit.services
    search = visit.asked("search").lower()
    names = [name for name in services.directory.domain_names() if search in name]
    companies = [await services.directory.domain(name) for name in names[:500]]
    busy: dict[int, int] = {}
    for call in services.calls.active():
        busy[call.info.domain_id] = busy.get(call.info.domain_id, 0) + 1
    return visit.page(
        "operator/companies.html",
        companies=[company for company in companies if company is not None],
        total=len(services.directory.domain_names()),
        search=visit.asked("search"),
        busy=busy,
        free=services.free_disk(),
        trunks=services.calls.connections.carriers.states(),
        status_words=STATUS_WORDS,
    )


async def enter(visit: Visit) -> Response:
    domain = await visit.services.directory.companies.get(visit.path("name"))
    await visit.services.accounts.enter(visit.mine, domain.id)
    await visit.services.audit.note(domain.id, "operator", "", "entered")
    return visit.go(safe_path(visit.value("next", "/")))


async def leave(visit: Visit) -> Response:
    if visit.domain is not None:
        await visit.services.audit.note(visit.domain.id, "operator", "entered", "left")
    await visit.services.accounts.enter(visit.mine, 0)
    return visit.go(OPERATOR)


pages = (
    Page(OPERATOR, None, get=show, door=Door.OPERATOR),
    Page(f"{OPERATOR}/enter/{{name}}", None, post=enter, door=Door.OPERATOR),
    Page(f"{OPERATOR}/leave", None, post=leave, door=Door.OPERATOR),
)
