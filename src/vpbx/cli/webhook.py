"""`vpbx webhook`: addresses that are told of what is no call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import show, show_rows
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Directory, Webhook

app = typer.Typer(
    no_args_is_help=True, help="Addresses that are told when a SIP registration fails."
)


@app.command()
def add(
    domain: Domain,
    url: Annotated[str, typer.Argument(metavar="URL")],
    type_: Annotated[str, typer.Option("--type", help="sipregs_error.")] = "sipregs_error",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Add an address."""

    async def work(directory: Directory) -> Webhook:
        company = await directory.companies.get(domain)
        return await directory.webhooks.add(company, {"type": type_, "url": url})

    made = on_directory(data, database, work)
    text = f"[bold]{made.id}[/bold]   {made.type} goes to {made.url}"
    show(_row(made), as_json=as_json, text=text)


@app.command("list")
def list_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show the addresses."""

    async def work(directory: Directory) -> tuple[Webhook, ...]:
        return await directory.webhooks.list(await directory.companies.get(domain))

    rows = [_row(each) for each in on_directory(data, database, work)]
    show_rows(rows, as_json=as_json, columns=("id", "type", "url"), empty="None.")


@app.command()
def remove(
    domain: Domain,
    webhook_id: Annotated[str, typer.Argument(metavar="ID")],
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Remove an address."""

    async def work(directory: Directory) -> None:
        await directory.webhooks.delete(await directory.companies.get(domain), webhook_id)

    on_directory(data, database, work)
    show({"id": webhook_id, "removed": True}, as_json=as_json, text="It is told no more.")


def _row(webhook: Webhook) -> dict[str, Any]:
    return {"id": webhook.id, "type": webhook.type, "url": webhook.url}
