"""The log of changes: who changed what, from what to what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from starlette.responses import Response, StreamingResponse

from vpbx.console.areas import Area
from vpbx.console.csvs import line
from vpbx.console.page import Page
from vpbx.console.shares import EXPORTS
from vpbx.console.visit import Visit

AUDIT = "/audit"
_PAGE = 100
_EXPORT = 500
VIA_WORDS = {"console": "console", "api": "API", "command": "command line", "phone": "phone"}


async def show(visit: Visit) -> Response:
    search = visit.asked("search")
    entries = await visit.services.audit.find(
        visit.company.id, search=search, before=visit.number("before"), limit=_PAGE
    )
    return visit.page(
        "audit.html",
        entries=entries,
        search=search,
        before=entries[-1].id if len(entries) == _PAGE else None,
        via_words=VIA_WORDS,
    )


async def export(visit: Visit) -> Response:
    name = f"changes-{visit.company.name}.csv"
    return StreamingResponse(
        _lines(visit),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _lines(visit: Visit) -> AsyncIterator[bytes]:
    say, zone, before = visit.texts, visit.company.zone, None
    head = (say("Time"), say("Who"), say("By"), say("Address"), say("What"), say("Before"))
    yield ("\ufeff" + line([*head, say("After")])).encode()
    while True:
        entries = await visit.services.audit.find(
            visit.company.id, search=visit.asked("search"), before=before, limit=_EXPORT
        )
        rows = []
        for entry in entries:
            at = datetime.fromtimestamp(entry.at, UTC).astimezone(zone)
            rows.append(
                line(
                    [
                        *(f"{at:%Y-%m-%d %H:%M:%S}", entry.actor, entry.via, entry.address),
                        *(entry.what, entry.before, entry.after),
                    ]
                )
            )
        yield "".join(rows).encode()
        if len(entries) < _EXPORT:
            return
        before = entries[-1].id


pages = (
    Page(AUDIT, Area.COMPANY, get=show, label="Changes", icon="list"),
    Page(f"{AUDIT}/export", Area.COMPANY, get=export, share=EXPORTS),
)
