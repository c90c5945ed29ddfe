"""`vpbx restrictions`: where a company's employees may call."""

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
    help="Where employees may call: RU, 179 (mobile), CIS, BALT, EURO, AUS, ASIA, AFR, NA, SA, "
    "OTH, LOCAL, ALL. An employee's own rule decides, else those of their departments, else the "
    "company's; emergency numbers always pass.",
)

Directions = Annotated[list[str], typer.Argument(metavar="DIRECTION..."), Sets("allowed")]
User = Annotated[
    str,
    typer.Option(metavar="LOGIN", help="The rule of an employee.", show_default=False),
    Sets("login"),
]
Group = Annotated[
    str, typer.Option(metavar="GROUP", help="Of a department.", show_default=False), Sets("id")
]


@app.command("list")
def list_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show all rules."""

    async def work(directory: Directory) -> list[dict[str, Any]]:
        return await _rows(directory, domain)

    _show(on_directory(data, database, work), as_json)


@app.command()
def allow(
    domain: Domain,
    direction: Directions,
    user: User = "",
    group: Group = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Allow directions: to everybody, or by a rule of an employee or department."""
    _one(user, group)

    async def work(directory: Directory) -> list[dict[str, Any]]:
        company = await directory.companies.get(domain)
        rules, wanted = directory.restrictions, [each.upper() for each in direction]
        if user:
            await rules.add_users(company, [{"login": user, "allowed": wanted}])
        elif group:
            found = departments.find(company, group).id
            await rules.add_groups(company, [{"id": found, "allowed": wanted}])
        else:
            await rules.add_main(company, wanted)
        return await _rows(directory, domain)

    _show(on_directory(data, database, work), as_json)


@app.command()
def forbid(
    domain: Domain,
    direction: Directions,
    user: User = "",
    group: Group = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Take directions from a rule; a rule with none left forbids everything outside."""
    _one(user, group)

    async def work(directory: Directory) -> list[dict[str, Any]]:
        company = await directory.companies.get(domain)
        rules, gone = directory.restrictions, [each.upper() for each in direction]
        if user:
            await rules.delete_user(company, user, gone)
        elif group:
            await rules.delete_group(company, departments.find(company, group).id, gone)
        else:
            await rules.delete_main(company, gone)
        return await _rows(directory, domain)

    _show(on_directory(data, database, work), as_json)


@app.command()
def reset(
    domain: Domain,
    user: User = "",
    group: Group = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Remove the rule of an employee or department, so that the next wider one holds again."""
    if not user and not group:
        raise Fault("say whose rule: --user LOGIN or --group GROUP", BAD_INPUT)
    _one(user, group)

    async def work(directory: Directory) -> list[dict[str, Any]]:
        company = await directory.companies.get(domain)
        if user:
            await directory.restrictions.delete_user(company, user)
        else:
            found = departments.find(company, group).id
            await directory.restrictions.delete_group(company, found)
        return await _rows(directory, domain)

    _show(on_directory(data, database, work), as_json)


def _one(user: str, group: str) -> None:
    if user and group:
        raise Fault("say only one of --user and --group", BAD_INPUT)


async def _rows(directory: Directory, domain: str) -> list[dict[str, Any]]:
    company = await directory.companies.get(domain)
    rules = company.settings.restrictions
    held = [("everybody", "", rules.main)]
    held += [("user", login, allowed) for login, allowed in rules.users.items()]
    held += [("group", company.departments[g].name, a) for g, a in rules.groups.items()]
    return [
        {"of": of, "name": name, "allowed": sorted(allowed) or ["nothing"]}
        for of, name, allowed in held
    ]


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    show_rows(rows, as_json=as_json, columns=("of", "name", "allowed"), empty="")
