"""History: filters, an endless list, export for spreadsheets."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response, StreamingResponse

from vpbx.console.areas import Area
from vpbx.console.csvs import line
from vpbx.console.page import Page
from vpbx.console.shares import EXPORTS
from vpbx.console.sheets import Cell, write_sheet
from vpbx.console.visit import Visit
from vpbx.history import Asked, CallRow, InvalidQuery, Note, select_period

HISTORY = "/history"
_PAGE = 50
_EXPORT = 500
_EXPORT_MOST = 200_000
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PERIOD_WORDS = {
    "today": "Today",
    "yesterday": "Yesterday",
    "this_week": "This week",
    "last_week": "Last week",
    "this_month": "This month",
    "last_month": "Last month",
    "": "From … to …",
}
KIND_WORDS = {
    "all": "All calls",
    "in": "Incoming",
    "out": "Outgoing",
    "missed": "Missed",
    "inner": "Between employees",
}
COLUMN_WORDS = (
    "Time",
    "Kind",
    "Client",
    "Number",
    "Employee",
    "Department",
    "Ended",
    "Wait, s",
    "Talk, s",
    "Tags",
    "Note",
    "Id",
)
STATUS_WORDS = {
    "success": "talked",
    "missed": "missed",
    "cancel": "given up",
    "busy": "busy",
    "notavailable": "no answer",
    "notallowed": "not allowed",
    "notfound": "no such number",
}
MISSED_WORDS = {
    1: "called again",
    2: "called back",
    3: "not called back",
    4: "tried to call back",
}
DESTINATION_WORDS = {
    "user": "employee",
    "group": "department",
    "telnum": "outside number",
    "ivr": "menu",
    "onduty": "attendant in closed hours",
    "offtime": "closed hours message",
    "hello": "greeting",
    "vm": "voicemail with a message",
    "am": "voicemail without a message",
}


@dataclass(frozen=True, slots=True)
class Filters:
    """What the form says."""

    period: str
    start: str
    end: str
    kind: str
    login: str
    group: str
    diversion: str
    client: str
    tag: str

    def query(self, **more: str) -> str:
        """Return them as a query."""
        values = {
            "period": self.period,
            "start": self.start,
            "end": self.end,
            "kind": self.kind,
            "user": self.login,
            "group": self.group,
            "number": self.diversion,
            "client": self.client,
            "tag": self.tag,
            **more,
        }
        return urlencode({name: value for name, value in values.items() if value})


def filters_of(visit: Visit) -> Filters:
    """Return the filters asked for; what makes no sense is left out."""
    start, end = visit.asked("start")[:10], visit.asked("end")[:10]
    period = visit.asked("period", "" if start or end else "this_week")
    kind = visit.asked("kind")
    return Filters(
        period=period if period in PERIOD_WORDS else "this_week",
        start=start,
        end=end,
        kind=kind if kind in KIND_WORDS else "all",
        login=visit.asked("user"),
        group=visit.asked("group"),
        diversion=re.sub(r"\D", "", visit.asked("number")),
        client=_digits(visit.asked("client"), visit.company.country),
        tag=visit.asked("tag")[:100].replace("\0", ""),
    )


def _digits(text: str, country: str) -> str:
    """Return the beginning of a number as history has it: 8 903 … of a Russian one is 7903…"""
    digits = re.sub(r"\D", "", text)[:15]
    is_domestic = country in ("RU", "KZ") and digits.startswith("8") and "+" not in text
    return "7" + digits[1:] if is_domestic else digits


def asked_of(visit: Visit, filters: Filters) -> Asked:
    """Return what to look for. Raises InvalidQuery."""
    domain = visit.company
    period = select_period(
        domain.zone,
        visit.services.clock.time(),
        period=filters.period,
        start=filters.start,
        end=filters.end,
    )
    return Asked(
        domain_id=domain.id,
        since_ms=period.since_ms,
        until_ms=period.until_ms,
        seen=visit.seen,
        kind=filters.kind,
        login=filters.login,
        group=filters.group,
        client=filters.client,
        diversion=filters.diversion,
        tag=filters.tag,
        limit=_PAGE,
    )


async def show(visit: Visit) -> Response:
    filters = filters_of(visit)
    error, calls, after = "", [], ""
    try:
        asked = replace(asked_of(visit, filters), before=_before(visit.asked("before")))
    except InvalidQuery as wrong:
        error = visit.texts.error(wrong.message)
    else:
        calls = await visit.services.browser.find(asked)
    if len(calls) == _PAGE:
        after = f"{HISTORY}?{filters.query(before=f'{calls[-1].started_ms}-{calls[-1].callid}')}"
    return visit.page(
        "history/list.html",
        status=400 if error else 200,
        filters=filters,
        wrong=error,
        calls=calls,
        notes=await visit.services.notes.of(visit.company.id, [c.callid for c in calls]),
        tag_choices=[(tag, tag) for tag in await _tags(visit)],
        after=after,
        is_first=not visit.asked("before"),
        employees=_visible_employees(visit),
        groups=_visible_groups(visit),
        period_words=PERIOD_WORDS,
        kind_words=KIND_WORDS,
        **words(),
    )


async def _tags(visit: Visit) -> list[str]:
    return await visit.services.notes.tags(visit.company.id, visit.seen)


def words() -> dict[str, Any]:
    """Return what rows of calls are told with."""
    return {
        "status_words": STATUS_WORDS,
        "missed_words": MISSED_WORDS,
        "destination_words": DESTINATION_WORDS,
    }


def _before(text: str) -> tuple[int, int] | None:
    found = re.fullmatch(r"(\d{1,15})-(\d{1,18})", text)
    return (int(found[1]), int(found[2])) if found else None


def _visible_employees(visit: Visit) -> list[tuple[str, str]]:
    seen = visit.reach
    return [
        (employee.login, f"{employee.ext} {employee.name}")
        for employee in visit.company.employees.values()
        if seen.everybody or employee.login in seen.logins
    ]


def _visible_groups(visit: Visit) -> list[tuple[str, str]]:
    seen = visit.reach
    return [
        (group.id, group.name)
        for group in visit.company.departments.values()
        if seen.everybody or group.id in seen.groups
    ]


async def export(visit: Visit) -> Response:
    """Answer with what the filters find, for spreadsheets: XLSX, or CSV (UTF-8 with a BOM)."""
    try:
        asked = replace(asked_of(visit, filters_of(visit)), limit=_EXPORT)
    except InvalidQuery:
        return visit.go(HISTORY)
    head = [visit.texts(each) for each in COLUMN_WORDS]
    name = f"calls-{visit.company.name}"
    if visit.asked("as") == "xlsx":
        path = await write_sheet(visit.texts("Calls"), head, _parts(visit, asked))
        return FileResponse(
            path, media_type=XLSX, filename=f"{name}.xlsx", background=BackgroundTask(path.unlink)
        )
    return StreamingResponse(
        _csv(head, _parts(visit, asked)),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


async def _csv(head: list[str], parts: AsyncIterator[list[list[Cell]]]) -> AsyncIterator[bytes]:
    yield ("\ufeff" + line(head)).encode()
    async for rows in parts:
        yield "".join(line([str(cell) for cell in row]) for row in rows).encode()


async def _parts(visit: Visit, asked: Asked) -> AsyncIterator[list[list[Cell]]]:
    """Return the rows of an export, a few hundred at a time."""
    left = _EXPORT_MOST
    while left > 0:
        calls = await visit.services.browser.find(asked)
        notes = await visit.services.notes.of(visit.company.id, [c.callid for c in calls])
        yield [_cells(visit, call, notes.get(call.callid, Note())) for call in calls]
        left -= len(calls)
        if len(calls) < asked.limit:
            return
        asked = replace(asked, before=(calls[-1].started_ms, int(calls[-1].callid)))


def _cells(visit: Visit, call: CallRow, note: Note) -> list[Cell]:
    say = visit.texts
    start = datetime.fromtimestamp(int(call.started_at), UTC).astimezone(visit.company.zone)
    return [
        start.replace(tzinfo=None),
        say(KIND_WORDS["inner" if call.is_inner else call.direction]),
        call.caller_name if call.is_inner else call.client,
        call.diversion,
        call.user_name,
        call.group_name,
        say(STATUS_WORDS.get(call.status, call.status)),
        call.wait,
        call.duration,
        ", ".join(note.tags),
        note.text,
        call.callid,
    ]


pages = (
    Page(HISTORY, Area.CALLS, get=show, label="History", icon="history"),
    Page(f"{HISTORY}/export", Area.CALLS, get=export, share=EXPORTS),
)
