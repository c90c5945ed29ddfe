"""`vpbx key`: keys for the HTTP API."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import show, show_rows
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Directory, KeyInfo, NewKey

app = typer.Typer(no_args_is_help=True, help="Keys for the HTTP API.")


@app.command()
def add(
    domain: Domain,
    right: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AREA:ACTION",
            help='Like "Employees:View"; may be repeated. Without any: all rights.',
        ),
    ] = None,
    note: Annotated[str, typer.Option(help="Who has it, for you.", show_default=False)] = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Make a key for the X-API-KEY header; it is shown this once."""

    async def work(directory: Directory) -> NewKey:
        company = await directory.companies.get(domain)
        return await directory.keys.add(company, right or None, note)

    made = on_directory(data, database, work)
    show(
        {"id": made.id, "key": made.key},
        as_json=as_json,
        text=f"Key {made.id} of {domain}: [bold]{made.key}[/bold]   shown this once",
    )


@app.command("list")
def list_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show a company's keys, without the keys themselves."""

    async def work(directory: Directory) -> tuple[KeyInfo, ...]:
        return await directory.keys.list(await directory.companies.get(domain))

    rows = [_row(info) for info in on_directory(data, database, work)]
    columns = ("id", "begins", "note", "created_at", "rights")
    show_rows(rows, as_json=as_json, columns=columns, empty="No keys.")


@app.command()
def revoke(
    domain: Domain,
    key_id: Annotated[int, typer.Argument(metavar="ID", help="As `vpbx key list` shows it.")],
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Make a key open nothing any more."""

    async def work(directory: Directory) -> None:
        await directory.keys.revoke(await directory.companies.get(domain), key_id)

    on_directory(data, database, work)
    show({"id": key_id, "revoked": True}, as_json=as_json, text=f"Key {key_id} opens nothing more.")


def _row(info: KeyInfo) -> dict[str, Any]:
    created = datetime.datetime.fromtimestamp(info.created_at, datetime.UTC)
    return {
        "id": info.id,
        "begins": info.prefix,
        "note": info.note,
        "created_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
        "rights": list(info.rights),
    }
