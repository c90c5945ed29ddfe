"""For operators: which numbers of their trunks a company has."""

from __future__ import annotations

from starlette.responses import Response

from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Door, Page
from vpbx.console.pages.companies import OPERATOR, show_company
from vpbx.console.visit import Visit

PATH = f"{OPERATOR}/company/{{name}}/numbers"


async def add(visit: Visit) -> Response:
    """Give the company a number; its first administrator answers until somebody else is set."""
    directory = visit.services.directory
    domain = await directory.companies.get(visit.path("name"))
    try:
        made = await directory.telnums.add(
            domain, visit.value("telnum"), trunk=visit.value("trunk"), name=visit.value("label")
        )
    except Wrong as error:
        return await show_company(visit, domain, errors=errors_of(error, visit.texts))
    note = visit.texts("{name} is saved.", name=made.telnum)
    return visit.go(f"{OPERATOR}/company/{domain.name}", note)


async def delete(visit: Visit) -> Response:
    directory = visit.services.directory
    domain = await directory.companies.get(visit.path("name"))
    number = await directory.telnums.get(domain, visit.value("telnum"))
    await directory.telnums.delete(domain, number.telnum)
    return visit.go(f"{OPERATOR}/company/{domain.name}", visit.texts("Removed."))


pages = (
    Page(PATH, None, post=add, door=Door.OPERATOR, weighty=True),
    Page(f"{PATH}/delete", None, post=delete, door=Door.OPERATOR, weighty=True),
)
