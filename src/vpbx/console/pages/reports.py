"""Reports: calls by day, hour, employee and department, drawn and as tables; CSV and XLSX."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from vpbx.console.areas import Area
from vpbx.console.charts import Chart, draw
from vpbx.console.csvs import line
from vpbx.console.page import Page
from vpbx.console.pages.history import PERIOD_WORDS, XLSX
from vpbx.console.sheets import Cell, write_sheet
from vpbx.console.visit import Visit
from vpbx.history import Figures, InvalidQuery, ReportAsked, select_period

REPORTS = "/reports"
BY_WORDS = {
    "day": "By day",
    "hour": "By hour",
    "employee": "By employee",
    "department": "By department",
}
COLUMN_WORDS = (
    "Incoming",
    "Answered",
    "Missed",
    "Abandoned",
    "Service level, %",
    "Average wait, s",
    "Average talk, s",
    "Talk in all, s",
    "Outgoing",
    "Reached",
    "Rating",
)
IN_TIME_S = (10, 20, 30, 60)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a report: of what, in words, and its figures; `short` stands under its bar."""

    name: str
    short: str
    figures: Figures
    exported: str = ""
    """The same in spreadsheets, where it is another."""


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
    if wanted.by == "employee":
        people = visit.company.employees
        found = await visit.services.reports.by_employee(asked)
        named = [(people[i].name if i in people else name or i, each) for i, name, each in found]
        return _named(named, visit.texts("nobody"))
    if wanted.by == "department":
        groups = visit.company.departments
        found = await visit.services.reports.by_department(asked)
        named = [(groups[i].name if i in groups else name or i, each) for i, name, each in found]
        return _named(named, visit.texts("no department"))
    zone, say = visit.company.zone, visit.texts.short_day
    if wanted.by == "hour":
        hours = await visit.services.reports.by_hour(asked, zone)
        return [Row(f"{n:02}:00–{n:02}:59", f"{n:02}", figures) for n, figures in hours]
    days = await visit.services.reports.by_day(asked, zone)
    return [Row(say(day), f"{day.day}", figures, day.isoformat()) for day, figures in days]


def _named(found: list[tuple[str, Figures]], nobody: str) -> list[Row]:
    rows = [Row(name or nobody, name or nobody, each) for name, each in found]
    return sorted(rows, key=lambda row: -(row.figures.incoming + row.figures.outgoing))


async def show(visit: Visit) -> Response:
    wanted, error = wanted_of(visit), ""
    rows: list[Row] = []
    try:
        rows = await _rows(visit, wanted, _asked(visit, wanted))
    except InvalidQuery as wrong:
        error = visit.texts.error(wrong.message)
    seen = visit.reach
    return visit.page(
        "reports/page.html",
        status=400 if error else 200,
        wanted=wanted,
        wrong=error,
        rows=rows,
        total=sum((row.figures for row in rows), Figures()),
        chart=_chart(rows) if wanted.by in ("day", "hour") else None,
        groups=[
            (group.id, group.name)
            for group in visit.company.departments.values()
            if seen.everybody or group.id in seen.groups
        ],
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
    title = say(BY_WORDS[wanted.by])
    head = [title, *(say(each) for each in COLUMN_WORDS)]
    cells = [_cells(row) for row in rows]
    name = f"report-{wanted.by}-{visit.company.name}"
    if visit.asked("as") == "xlsx":
        path = await write_sheet(title, head, _once(cells))
        return FileResponse(
            path, media_type=XLSX, filename=f"{name}.xlsx", background=BackgroundTask(path.unlink)
        )
    text = "".join([line(head), *(line([str(cell) for cell in each]) for each in cells)])
    return Response(
        ("\ufeff" + text).encode(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


async def _once(cells: list[list[Cell]]) -> AsyncIterator[list[list[Cell]]]:
    yield cells


def _cells(row: Row) -> list[Cell]:
    each = row.figures
    averages = (each.service_level, each.wait_s, each.talk_s)
    return [
        *(row.exported or row.name, each.incoming, each.answered, each.missed, each.abandoned),
        *("" if value is None else value for value in averages),
        *(each.talked_ms // 1000, each.outgoing, each.reached),
        "" if each.rating is None else f"{each.rating:.2f}",
    ]


pages = (
    Page(REPORTS, Area.REPORTS, get=show, label="Reports", icon="chart"),
    Page(f"{REPORTS}/export", Area.REPORTS, get=export),
)
