"""`vpbx number`: the phone numbers of a company."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import show, show_rows
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Directory, DomainConfig, Number

app = typer.Typer(no_args_is_help=True, help="Phone numbers of a company.")


@app.command()
def add(
    domain: Domain,
    telnum: Annotated[str, typer.Argument(metavar="TELNUM", help="In any spelling.")],
    trunk: Annotated[
        str,
        typer.Option(metavar="NAME", help="Its calls leave by this trunk.", show_default=False),
    ] = "",
    user: Annotated[
        str,
        typer.Option(metavar="LOGIN", help="Employee who gets its calls.", show_default=False),
    ] = "",
    group: Annotated[
        str,
        typer.Option(metavar="ID", help="Or the department, by id or ext.", show_default=False),
    ] = "",
    name: Annotated[str, typer.Option(help="Shown in the CRM.", show_default=False)] = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Give a company a number, answered by an employee or a department (else by admin)."""

    async def work(directory: Directory) -> Number:
        company = await directory.companies.get(domain)
        return await directory.telnums.add(
            company, telnum, trunk=trunk, user=user, group=group, name=name
        )

    made = on_directory(data, database, work)
    show(
        _row(made),
        as_json=as_json,
        text=f"Calls to [bold]{made.telnum}[/bold] go to {made.user or made.group}.",
    )


@app.command("list")
def list_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show the numbers of a company."""

    async def work(directory: Directory) -> DomainConfig:
        return await directory.companies.get(domain)

    rows = [_row(number) for number in on_directory(data, database, work).numbers.values()]
    columns = ("telnum", "name", "type", "user", "group", "trunk", "enabled")
    show_rows(rows, as_json=as_json, columns=columns, empty="No numbers.")


def _row(number: Number) -> dict[str, Any]:
    return {
        "telnum": number.telnum,
        "name": number.name,
        "type": str(number.type),
        "user": number.user,
        "group": number.group,
        "trunk": number.trunk,
        "enabled": number.enabled,
    }
