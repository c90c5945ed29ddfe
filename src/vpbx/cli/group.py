"""`vpbx group`: the departments of a company."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import show, show_rows
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Department, Directory, DomainConfig

app = typer.Typer(no_args_is_help=True, help="Departments of a company.")


@app.command()
def add(
    domain: Domain,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    member: Annotated[
        list[str] | None,
        typer.Option(metavar="LOGIN", help="Login or internal number; may be repeated."),
    ] = None,
    ext: Annotated[
        str, typer.Option(help="Internal number; default: the lowest free.", show_default=False)
    ] = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Add a department whose members all ring at once."""
    values: dict[str, Any] = {
        "name": name,
        "users": [{"login": login, "calls_enable": True} for login in member or ()],
    }
    if ext:
        values["ext"] = ext

    async def work(directory: Directory) -> Department:
        return await directory.groups.add(await directory.companies.get(domain), values)

    made = on_directory(data, database, work)
    show(
        _row(made),
        as_json=as_json,
        text=f"Department [bold]{made.name}[/bold] has internal number {made.ext}, id {made.id}",
    )


@app.command("list")
def list_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show the departments of a company."""

    async def work(directory: Directory) -> DomainConfig:
        return await directory.companies.get(domain)

    departments = on_directory(data, database, work).departments.values()
    columns = ("id", "ext", "name", "call_order", "users")
    rows = [_row(department) for department in departments]
    show_rows(rows, as_json=as_json, columns=columns, empty="No departments.")


def _row(department: Department) -> dict[str, Any]:
    return {
        "id": department.id,
        "ext": department.ext,
        "name": department.name,
        "call_order": str(department.call_order),
        "users": [member.login for member in department.members],
    }
