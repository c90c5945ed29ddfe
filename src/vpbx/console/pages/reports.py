"""Reports: calls by day, hour, employee and department, drawn and as tables; CSV and XLSX."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from vpbx.console.areas import Area
from vpbx.console.charts import Chart, draw
from vpbx.console.page import Page
from vpbx.console.pages.history import PERIOD_WORDS, XLSX
from vpbx.console.report_table import (
    BY_WORDS,
    IN_TIME_S,
    Row,
    as_csv,
    cells_of,
    head_of,
    rows_of,
)
from vpbx.console.shares import EXPORTS
from vpbx.console.sheets import Cell, write_sheet
from vpbx.console.visit import Visit
from vpbx.history import Figures, InvalidQuery, ReportAsked, select_period

REPORTS = "/reports"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the form says."""

    period: str
    start: str
    end: str
    group: str
    in_time: int
    by: str

    def query(self, **more: str) -> str:
        """Return it as a query."""
        values = {
            "period": self.period,
            "start": self.start,
            "end": self.end,
            "group": self.group,
            "in_time": str(self.in_time),
            "by": self.by,
            **more,
        }
        return urlencode({name: value for name, value in values.items() if value})


def wanted_of(visit: Visit) -> Wanted:
    """Return what is asked for; what makes no sense is left out."""
    start, end = visit.asked("start")[:10], visit.asked("end")[:10]
    period = visit.asked("period", "" if start or end else "this_week")
    in_time, by = visit.asked("in_time"), visit.asked("by")
    return Wanted(
        period=period if period in PERIOD_WORDS else "this_week",
        start=start,
        end=end,
        group=visit.asked("group"),
        in_time=int(in_time) if in_time in map(str, IN_TIME_S) else 20,
        by=by if by in BY_WORDS else "day",
    )


def _asked(visit: Visit, wanted: Wanted) -> ReportAsked:
    """Return which calls are counted. Raises InvalidQuery."""
    domain, now = visit.company, visit.services.clock.time()
    period = select_period(
        domain.zone, now, period=wanted.period, start=wanted.start, end=wanted.end
    )
    return ReportAsked.of(
        domain.id, period, now, seen=visit.seen, group=wanted.group, in_time_s=wanted.in_time
    )


async def _rows(visit: Visit, wanted: Wanted, asked: ReportAsked) -> list[Row]:
    return await rows_of(visit.services.reports, visit.company, visit.texts, asked, wanted.by)


async def show(visit: Visit) -> Response:
    wanted, error = wanted_of(visit), ""
    rows: list[Row] = []
    left = 0.0
    try:
        asked = _asked(visit, wanted)
        left = await visit.services.reports.left(asked, wanted.by, visit.company.zone)
        if not left:
            rows = await _rows(visit, wanted, asked)
    except InvalidQuery as wrong:
        error = visit.texts.error(wrong.message)
    seen = visit.reach
    return visit.page(
        "reports/page.html",
        status=400 if error else 200,
        wanted=wanted,
        wrong=error,
        rows=rows,
        counted=math.floor(100 * (1 - left)) if left else None,
        total=sum((row.figures for row in rows), Figures()),
        chart=_chart(rows) if wanted.by in ("day", "hour") else None,
        groups=[
            (group.id, group.name)
            for group in visit.company.departments.values()
            if seen.everybody or group.id in seen.groups
        ],
        may_mail=visit.may(Area.COMPANY),
        period_words=PERIOD_WORDS,
        by_words=BY_WORDS,
        in_times=[(n, visit.texts.count("{n} second", "{n} seconds", n)) for n in IN_TIME_S],
    )


def _chart(rows: list[Row]) -> Chart:
    return draw([(row.short, row.name, row.figures.answered, row.figures.missed) for row in rows])


async def export(visit: Visit) -> Response:
    """Answer with the table, for spreadsheets."""
    wanted, say = wanted_of(visit), visit.texts
    try:
        rows = await _rows(visit, wanted, _asked(visit, wanted))
    except InvalidQuery:
        return visit.go(REPORTS)
    name = f"report-{wanted.by}-{visit.company.name}"
    if visit.asked("as") == "xlsx":
        cells = [cells_of(row) for row in rows]
        path = await write_sheet(say(BY_WORDS[wanted.by]), head_of(say, wanted.by), _once(cells))
        return FileResponse(
            path, media_type=XLSX, filename=f"{name}.xlsx", background=BackgroundTask(path.unlink)
        )
    return Response(
        as_csv(say, wanted.by, rows).encode(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


async def _once(cells: list[list[Cell]]) -> AsyncIterator[list[list[Cell]]]:
    yield cells


pages = (
    Page(REPORTS, Area.REPORTS, get=show, label="Reports", icon="chart"),
    Page(f"{REPORTS}/export", Area.REPORTS, get=export, share=EXPORTS),
)
