"""A report as a letter: what it says in plain text and HTML, in the company's language and zone,
and its table as a file. The figures and the words are those of the page."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from vpbx.console.letters import rendered
from vpbx.console.report_table import BY_WORDS, as_csv, rows_of
from vpbx.console.texts import texts
from vpbx.directory import DomainConfig
from vpbx.history import Figures, ReportAsked, Reports
from vpbx.reporting import ReportMail, last_period

__all__ = ["ReportLetter", "report_letter"]


@dataclass(frozen=True, slots=True)
class ReportLetter:
    """Subject, the body twice, and what is attached."""

    subject: str
    body: str
    html: str
    csv: str
    csv_name: str


async def report_letter(
    reports: Reports, domain: DomainConfig, mail: ReportMail, due: float, link: str
) -> ReportLetter:
    """Return what a report that was due at `due` says; `link` leads to the page."""
    say, zone = texts(domain.language), domain.zone
    period = last_period(mail.every, zone, due)
    asked = ReportAsked.of(domain.id, period, due, group=mail.group, in_time_s=mail.in_time_s)
    rows = await rows_of(reports, domain, say, asked, mail.by)
    first, last = period.since_ms / 1000, period.until_ms / 1000 - 1
    days = say.date(first, zone)
    if mail.every != "day":
        days = f"{days} – {say.date(last, zone)}"
    group = domain.departments.get(mail.group)
    about = f"{domain.name}, {group.name}" if group is not None else domain.name
    values = {
        "about": about,
        "days": days,
        "rows": rows,
        "total": sum((row.figures for row in rows), Figures()),
        "by_label": say(BY_WORDS[mail.by]),
        "in_time_s": mail.in_time_s,
        "zone_name": domain.timezone,
        "link": link,
    }
    body, html = await asyncio.to_thread(rendered, say.language, "report", values)
    stamp = say.iso_day(first, zone)
    return ReportLetter(
        subject=" ".join(say("Calls of {about}: {days}", about=about, days=days).split()),
        body=body,
        html=html,
        csv=as_csv(say, mail.by, rows),
        csv_name=f"report-{mail.by}-{domain.name}-{stamp}.csv",
    )
