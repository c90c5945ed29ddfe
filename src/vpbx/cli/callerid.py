"""`vpbx callerid`: the number that outgoing calls show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli import group as departments
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import BAD_INPUT, Fault, show_rows
from vpbx.cli.parameters import Sets
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Directory

app = typer.Typer(
    no_args_is_help=True,
    help="The number that outgoing calls show: the employee's, else their department's, else "
    "that for the region called, else the company's main number.",
)

User = Annotated[
    str, typer.Option(metavar="LOGIN", help="Of an employee.", show_default=False), Sets("login")
]
Group = Annotated[
    str, typer.Option(metavar="GROUP", help="Of a department.", show_default=False), Sets("id")
]
Region = Annotated[
    str,
    typer.Option(metavar="ID", help="Of calls to a region (callerid regions).", show_default=False),
    Sets("id"),
]


@app.command("list")
def list_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show the numbers that are set."""

    async def work(directory: Directory) -> list[dict[str, Any]]:
        return await _rows(directory, domain)

    _show(on_directory(data, database, work), as_json)


@app.command("set")
def set_(
    domain: Domain,
    telnum: Annotated[str, typer.Argument(metavar="TELNUM", help="A number of the company.")],
    user: User = "",
    group: Group = "",
    region: Region = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Set the number of an employee, department or region; without either the main one."""
    _one(user, group, region)

    async def work(directory: Directory) -> list[dict[str, Any]]:
        company = await directory.companies.get(domain)
        rules = directory.caller_ids
        if user:
            await rules.set_user(company, {"telnum": telnum, "login": user})
        elif group:
            found = departments.find(company, group).id
            await rules.set_group(company, {"telnum": telnum, "id": found})
        elif region:
            await rules.set_region(company, {"telnum": telnum, "id": region})
        else:
            await rules.set_main(company, {"telnum": telnum})
        return await _rows(directory, domain)

    _show(on_directory(data, database, work), as_json)


@app.command()
def remove(
    domain: Domain,
    user: User = "",
    group: Group = "",
    region: Region = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Remove the number of an employee, department or region; the next wider rule holds."""
    if not (user or group or region):
        raise Fault("say whose: --user LOGIN, --group GROUP or --region ID", BAD_INPUT)
    _one(user, group, region)

    async def work(directory: Directory) -> list[dict[str, Any]]:
        company = await directory.companies.get(domain)
        rules = directory.caller_ids
        if user:
            await rules.delete_user(company, user)
        elif group:
            await rules.delete_group(company, departments.find(company, group).id)
        else:
            await rules.delete_region(company, region)
        return await _rows(directory, domain)

    _show(on_directory(data, database, work), as_json)


@app.command()
def regions(as_json: Json = False) -> None:
    """Show the regions a number may be set for."""
    from vpbx.directory import REGIONS

    rows = [{"id": region.id, "name": region.name} for region in REGIONS.values()]
    show_rows(rows, as_json=as_json, columns=("id", "name"), empty="")


def _one(*given: str) -> None:
    if sum(map(bool, given)) > 1:
        raise Fault("say only one of --user, --group and --region", BAD_INPUT)


async def _rows(directory: Directory, domain: str) -> list[dict[str, Any]]:
    company = await directory.companies.get(domain)
    rules = company.settings.caller_ids
    held = [("main", "", company.main_telnum)] if company.main_telnum else []
    held += [("user", login, telnum) for login, telnum in rules.users.items()]
    held += [("group", company.departments[g].name, t) for g, t in rules.groups.items()]
    held += [("region", region, telnum) for region, telnum in rules.regions.items()]
    return [{"of": of, "name": name, "telnum": telnum} for of, name, telnum in held]


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    show_rows(rows, as_json=as_json, columns=("of", "name", "telnum"), empty="No number is set.")
