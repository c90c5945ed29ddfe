"""Recording: which calls are recorded, and whose never are."""

from __future__ import annotations

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.lists import list_pages
from vpbx.console.page import Page
from vpbx.console.visit import Visit

RECORDING = "/recording"


async def show(visit: Visit) -> Response:
    domain = visit.company
    return visit.page(
        "recording.html",
        external=domain.record_external,
        inner=domain.record_inner,
        is_possible=domain.services.record,
        users=await visit.services.directory.record_exceptions.list(domain),
        free=int(visit.services.free_disk() * 100),
    )


async def save(visit: Visit) -> Response:
    values = {"record_external": "external" in visit.form, "record_inner": "inner" in visit.form}
    await visit.services.directory.companies.edit(visit.company, values)
    return visit.go(RECORDING, visit.texts("Saved."))


pages = (
    Page(RECORDING, Area.COMPANY, get=show, post=save, label="Recording", icon="record"),
    *list_pages(f"{RECORDING}/never", RECORDING, lambda each: each.record_exceptions),
)
