"""The log of changes: who changed what, from what to what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from starlette.responses import Response, StreamingResponse

from vpbx.console.areas import Area
from vpbx.console.csvs import line
from vpbx.console.environment import UTC_ZONE
from vpbx.console.page import Door, Page
from vpbx.console.shares import EXPORTS
from vpbx.console.visit import Visit

AUDIT = "/audit"
SERVER = "/operator/changes"
SERVER_ID = 0
"""Of what is no company's: see `Audit.note`."""
_PAGE = 100
_EXPORT = 500
VIA_WORDS = {"console": "console", "api": "API", "command": "command line", "phone": "phone"}


async def show(visit: Visit) -> Response:
    return await _show(visit, visit.company.id, AUDIT)


async def show_server(visit: Visit) -> Response:
    """Show what operators changed of the server itself, and when they logged in."""
    return await _show(visit, SERVER_ID, SERVER)


async def _show(visit: Visit, domain_id: int, path: str) -> Response:
    search = visit.asked("search")
    entries = await visit.services.audit.find(
        domain_id, search=search, before=visit.number("before"), limit=_PAGE
    )
    return visit.page(
        "audit.html",
        path=path,
        entries=entries,
        search=search,
        before=entries[-1].id if len(entries) == _PAGE else None,
        via_words=VIA_WORDS,
    )


async def export(visit: Visit) -> Response:
    return _export(visit, visit.company.id, visit.company.name, visit.company.zone)


async def export_server(visit: Visit) -> Response:
    return _export(visit, SERVER_ID, "server", UTC_ZONE)


def _export(visit: Visit, domain_id: int, name: str, zone: ZoneInfo) -> Response:
    return StreamingResponse(
        _lines(visit, domain_id, zone),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="changes-{name}.csv"'},
    )


async def _lines(visit: Visit, domain_id: int, zone: ZoneInfo) -> AsyncIterator[bytes]:
    say, before = visit.texts, None
    head = (say("Time"), say("Who"), say("By"), say("Address"), say("What"), say("Before"))
    yield ("\ufeff" + line([*head, say("After")])).encode()
    while True:
        entries = await visit.services.audit.find(
            domain_id, search=visit.asked("search"), before=before, limit=_EXPORT
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
    Page(SERVER, None, get=show_server, door=Door.OPERATOR),
    Page(f"{SERVER}/export", None, get=export_server, door=Door.OPERATOR, share=EXPORTS),
)
