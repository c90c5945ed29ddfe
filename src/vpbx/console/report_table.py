"""A report's table: its lines by time or by whom, in words, and the same for spreadsheets."""

from __future__ import annotations

from dataclasses import dataclass

from vpbx.console.csvs import line
from vpbx.console.sheets import Cell
from vpbx.console.texts import Texts
from vpbx.directory import DomainConfig
from vpbx.history import Figures, ReportAsked, Reports

__all__ = ["BY_WORDS", "IN_TIME_S", "Row", "as_csv", "cells_of", "head_of", "rows_of"]

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


async def rows_of(
    reports: Reports, domain: DomainConfig, say: Texts, asked: ReportAsked, by: str
) -> list[Row]:
    """Return a report's lines: `by` day, hour, employee or department."""
    if by == "employee":
        people = domain.employees
        found = await reports.by_employee(asked)
        named = [(people[i].name if i in people else name or i, each) for i, name, each in found]
        return _named(named, say("nobody"))
    if by == "department":
        groups = domain.departments
        found = await reports.by_department(asked)
        named = [(groups[i].name if i in groups else name or i, each) for i, name, each in found]
        return _named(named, say("no department"))
    if by == "hour":
        hours = await reports.by_hour(asked, domain.zone)
        return [Row(f"{n:02}:00–{n:02}:59", f"{n:02}", figures) for n, figures in hours]
    days = await reports.by_day(asked, domain.zone)
    return [Row(say.short_day(day), f"{day.day}", each, day.isoformat()) for day, each in days]


def _named(found: list[tuple[str, Figures]], nobody: str) -> list[Row]:
    rows = [Row(name or nobody, name or nobody, each) for name, each in found]
    return sorted(rows, key=lambda row: -(row.figures.incoming + row.figures.outgoing))


def head_of(say: Texts, by: str) -> list[str]:
    """Return the heads of a spreadsheet's columns."""
    return [say(BY_WORDS[by]), *(say(each) for each in COLUMN_WORDS)]


def cells_of(row: Row) -> list[Cell]:
    """Return a line for a spreadsheet."""
    each = row.figures
    averages = (each.service_level, each.wait_s, each.talk_s)
    return [
        *(row.exported or row.name, each.incoming, each.answered, each.missed, each.abandoned),
        *("" if value is None else value for value in averages),
        *(each.talked_ms // 1000, each.outgoing, each.reached),
        "" if each.rating is None else f"{each.rating:.2f}",
    ]


def as_csv(say: Texts, by: str, rows: list[Row]) -> str:
    """Return a report as CSV that spreadsheet programs open as it is."""
    lines = (line([str(cell) for cell in cells_of(row)]) for row in rows)
    return "\ufeff" + "".join([line(head_of(say, by)), *lines])
