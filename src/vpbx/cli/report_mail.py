"""`vpbx report-mail`: reports that go out by e-mail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from vpbx import config
from vpbx.cli import group as departments
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import given, show, show_rows, utc
from vpbx.cli.store import on_directory_and_database

if TYPE_CHECKING:
    from vpbx.db import Database as OpenDatabase
    from vpbx.directory import Directory, DomainConfig
    from vpbx.reporting import ReportMail, ReportMails

T = TypeVar("T")

app = typer.Typer(
    no_args_is_help=True,
    help="Reports by e-mail, every day, week or month. The server needs --smtp.",
)

Id = Annotated[int, typer.Argument(metavar="ID", help="As `list` shows it.")]
To = Annotated[str, typer.Option("--to", metavar="ADDRESSES", help="With commas between.")]
Every = Annotated[
    str, typer.Option(help="day, week (on Mondays) or month (on the first): of the one before.")
]
At = Annotated[str, typer.Option(metavar="HH:MM", help="By the company's clocks.")]
By = Annotated[str, typer.Option(help="day, hour, employee or department.")]
Group = Annotated[str, typer.Option(metavar="GROUP", help="Of one department.")]
InTime = Annotated[int | None, typer.Option(metavar="S", help="How soon an answer is in time.")]


@app.command()
def add(
    domain: Domain,
    to: To,
    every: Every = "day",
    at: At = "08:00",
    by: By = "",
    group: Group = "",
    in_time: InTime = None,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Let a report go out."""

    async def work(mails: ReportMails, company: DomainConfig) -> ReportMail:
        values = given(
            to=to, every=every, at=at, by=by or None, in_time=in_time, group=_id(company, group)
        )
        return await mails.add(company, values)

    _show(_on_mails(data, database, domain, work, "add"), as_json)


@app.command()
def change(
    domain: Domain,
    mail_id: Id,
    to: To = "",
    every: Every = "",
    at: At = "",
    by: By = "",
    group: Annotated[str, typer.Option(metavar="GROUP", help="Of one; all: of all.")] = "",
    in_time: InTime = None,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Change what is named."""

    async def work(mails: ReportMails, company: DomainConfig) -> ReportMail:
        chosen = "" if group == "all" else _id(company, group)
        texts = {"to": to or None, "every": every or None, "at": at or None, "by": by or None}
        values = given(**texts, group=chosen, in_time=in_time)
        return await mails.edit(company, mail_id, values)

    _show(_on_mails(data, database, domain, work, "change"), as_json)


@app.command("list")
def list_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show a company's reports by e-mail."""

    async def work(mails: ReportMails, company: DomainConfig) -> list[ReportMail]:
        return await mails.list(company)

    rows = [_row(mail) for mail in _on_mails(data, database, domain, work)]
    columns = ("id", "every", "at", "by", "group", "to", "next")
    show_rows(rows, as_json=as_json, columns=columns, empty="None.")


@app.command()
def send(
    domain: Domain,
    mail_id: Id,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Let a report go out within half a minute, besides when it is due; a server has to run."""

    async def work(mails: ReportMails, company: DomainConfig) -> ReportMail:
        return await mails.send_now(company, mail_id)

    sent = _on_mails(data, database, domain, work)
    text = f"It goes to {', '.join(sent.recipients)}."
    show({"id": sent.id, "to": list(sent.recipients)}, as_json=as_json, text=text)


@app.command()
def remove(
    domain: Domain,
    mail_id: Id,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Let a report go out no more."""

    async def work(mails: ReportMails, company: DomainConfig) -> ReportMail:
        return await mails.remove(company, mail_id)

    gone = _on_mails(data, database, domain, work, "remove")
    show({"id": gone.id, "removed": True}, as_json=as_json, text="It goes out no more.")


def _on_mails(
    data: Path,
    url: str,
    domain: str,
    work: Callable[[ReportMails, DomainConfig], Awaitable[T]],
    change: str = "",
) -> T:
    async def run(directory: Directory, opened: OpenDatabase) -> T:
        from vpbx.accounts import Audit
        from vpbx.clock import LoopClock
        from vpbx.reporting import ReportMails

        company = await directory.companies.get(domain)
        done = await work(ReportMails(opened, LoopClock().time), company)
        if change:
            await Audit(opened, directory).note(company.id, f"report by e-mail: {change}")
        return done

    return on_directory_and_database(data, url, run)


def _id(company: DomainConfig, group: str) -> str | None:
    return departments.find(company, group).id if group else None


def _show(mail: ReportMail, as_json: bool) -> None:
    row = _row(mail)
    text = f"[bold]{mail.id}[/bold]   goes to {row['to']}, next at {row['next']}"
    show(row, as_json=as_json, text=text)


def _row(mail: ReportMail) -> dict[str, Any]:
    return {
        "id": mail.id,
        "every": mail.every,
        "at": mail.at,
        "by": mail.by,
        "group": mail.group,
        "in_time": mail.in_time_s,
        "to": ", ".join(mail.recipients),
        "next": utc(mail.due_at),
        "sent": utc(mail.sent_at) if mail.sent_at else "",
    }
