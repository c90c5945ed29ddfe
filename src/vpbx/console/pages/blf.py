"""BLF: whose phones may watch what colleagues do."""

from __future__ import annotations

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.lists import list_pages
from vpbx.console.page import Page
from vpbx.console.visit import Visit

BLF = "/blf"


async def show(visit: Visit) -> Response:
    users = await visit.services.directory.blf.list(visit.company)
    return visit.page("blf.html", users=users)


pages = (
    Page(BLF, Area.COMPANY, get=show, label="BLF", icon="lamp"),
    *list_pages(f"{BLF}/users", BLF, lambda directory: directory.blf),
)
