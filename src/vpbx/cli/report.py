"""`vpbx report`: a company's calls counted, as the console's reports count them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli import group as departments
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import BAD_INPUT, Fault, show_rows
from vpbx.cli.store import on_directory_and_database

if TYPE_CHECKING:
    from vpbx.db import Database as OpenDatabase
    from vpbx.directory import Directory, DomainConfig
    from vpbx.history import Figures, ReportAsked

__all__ = ["report"]

_COLUMNS = (
    *("incoming", "answered", "missed", "abandoned", "service_level", "wait", "talk"),
    *("talked", "outgoing", "reached", "rating"),
)


class By(StrEnum):
    """What a report has a line for."""

    DAY = "day"
    HOUR = "hour"
    EMPLOYEE = "employee"
    DEPARTMENT = "department"


Period = Annotated[
    str,
    typer.Option(
        help="today, yesterday, this_week, last_week, this_month, last_month.",
        show_default="this_week, unless --start or --end",
    ),
]
InTime = Annotated[
    int, typer.Option(metavar="S", min=0, max=3600, help="How soon an answer is in time.")
]


def report(
    domain: Domain,
    by: Annotated[By, typer.Option(help="What has a line of its own.")] = By.DAY,
    period: Period = "",
    start: Annotated[str, typer.Option(metavar="DAY", help="Like 2026-11-01.")] = "",
    end: Annotated[str, typer.Option(metavar="DAY", help="The last day.")] = "",
    group: Annotated[str, typer.Option(metavar="GROUP", help="Of one department.")] = "",
    in_time: InTime = 20,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Count a company's calls with the outside. Times are seconds, averages but for `talked`."""

    async def work(directory: Directory, opened: OpenDatabase) -> list[dict[str, Any]]:
        from vpbx.clock import LoopClock
        from vpbx.history import InvalidQuery, ReportAsked, select_period

        company = await directory.companies.get(domain)
        now = LoopClock().time()
        try:
            chosen = select_period(
                company.zone,
                now,
                period=period or ("" if start or end else "this_week"),
                start=start,
                end=end,
            )
            found = departments.find(company, group).id if group else ""
            asked = ReportAsked.of(company.id, chosen, now, group=found, in_time_s=in_time)
        except InvalidQuery as error:
            raise Fault(str(error), BAD_INPUT) from error
        return await _rows(opened, company, asked, by)

    rows = on_directory_and_database(data, database, work)
    show_rows(rows, as_json=as_json, columns=(by.value, *_COLUMNS), empty="No calls.")


async def _rows(
    opened: OpenDatabase, company: DomainConfig, asked: ReportAsked, by: By
) -> list[dict[str, Any]]:
    from vpbx.history import Reports

    reports = Reports(opened)
    if by is By.DAY:
        days = await reports.by_day(asked, company.zone)
        return [{"day": day.isoformat(), **_figures(each)} for day, each in days]
    if by is By.HOUR:
        hours = await reports.by_hour(asked, company.zone)
        return [{"hour": f"{hour:02}:00", **_figures(each)} for hour, each in hours]
    if by is By.EMPLOYEE:
        people = await reports.by_employee(asked)
        return [{"employee": login, "name": n, **_figures(each)} for login, n, each in people]
    groups = await reports.by_department(asked)
    return [{"department": name or gid, "id": gid, **_figures(each)} for gid, name, each in groups]


def _figures(each: Figures) -> dict[str, Any]:
    return {
        "incoming": each.incoming,
        "answered": each.answered,
        "missed": each.missed,
        "abandoned": each.abandoned,
        "service_level": each.service_level,
        "wait": each.wait_s,
        "talk": each.talk_s,
        "talked": each.talked_ms // 1000,
        "outgoing": each.outgoing,
        "reached": each.reached,
        "rating": each.rating,
    }
