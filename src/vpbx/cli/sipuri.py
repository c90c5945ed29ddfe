"""`vpbx sipuri`: SIP addresses to which other operators send a number's calls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Domain, Json, Switch
from vpbx.cli.output import show, show_fields, show_rows
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Directory, DomainConfig, SipuriTransfer

app = typer.Typer(
    no_args_is_help=True, help="SIP addresses to which other operators send a number's calls."
)

Telnum = Annotated[str, typer.Argument(metavar="TELNUM", help="In any spelling.")]


@app.command()
def add(
    domain: Domain,
    telnum: Telnum,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Make an address; give it to the other operator."""

    async def work(directory: Directory) -> SipuriTransfer:
        company = await directory.companies.get(domain)
        return await directory.sipuri_transfers.add(company, {"telnum": telnum})

    show_fields(_row(on_directory(data, database, work)), as_json=as_json)


@app.command("set")
def set_(
    domain: Domain,
    telnum: Telnum,
    active: Annotated[Switch, typer.Option(help="Calls to it are taken.")],
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Take calls to it, or not."""

    async def work(directory: Directory) -> SipuriTransfer:
        company = await directory.companies.get(domain)
        return await directory.sipuri_transfers.edit(company, telnum, {"active": str(active)})

    show_fields(_row(on_directory(data, database, work)), as_json=as_json)


@app.command("list")
def list_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show the addresses."""

    async def work(directory: Directory) -> DomainConfig:
        return await directory.companies.get(domain)

    found = on_directory(data, database, work).settings.sipuri_transfers.values()
    rows = [_row(each) for each in found]
    show_rows(rows, as_json=as_json, columns=("telnum", "uri", "active"), empty="None.")


@app.command()
def remove(
    domain: Domain,
    telnum: Telnum,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Remove an address; a number that came with it goes too."""

    async def work(directory: Directory) -> None:
        await directory.sipuri_transfers.delete(await directory.companies.get(domain), telnum)

    on_directory(data, database, work)
    show({"telnum": telnum, "removed": True}, as_json=as_json, text="It is gone.")


def _row(found: SipuriTransfer) -> dict[str, Any]:
    return {"telnum": found.telnum, "uri": found.uri, "active": found.active}
