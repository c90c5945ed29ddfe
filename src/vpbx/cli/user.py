"""`vpbx user`: the employees of a company."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import show, show_rows
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Directory, DomainConfig, Employee, NewEmployee

app = typer.Typer(no_args_is_help=True, help="Employees of a company.")

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="Login or internal number.")]
Password = Annotated[
    str, typer.Option(help="Of their phones; without it one is made.", show_default=False)
]


@app.command()
def add(
    domain: Domain,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As colleagues see it.")],
    login: Annotated[str, typer.Option(help="Default: u and the ext.", show_default=False)] = "",
    ext: Annotated[
        str, typer.Option(help="Internal number; default: the lowest free.", show_default=False)
    ] = "",
    password: Password = "",
    email: Annotated[str, typer.Option(show_default=False)] = "",
    position: Annotated[str, typer.Option(help="Default: Manager.", show_default=False)] = "",
    role: Annotated[str, typer.Option(help="admin, group_head, user or restricted_user.")] = "user",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Add an employee, whose phones may register at once."""
    given = {
        "name": name,
        "login": login,
        "ext": ext,
        "password": password,
        "email": email,
        "position": position,
        "role": role,
    }

    async def work(directory: Directory) -> NewEmployee:
        company = await directory.companies.get(domain)
        return await directory.users.add(company, {k: v for k, v in given.items() if v})

    made = on_directory(data, database, work)
    employee, shown = made.employee, made.password or password
    show(
        {**_row(employee), "password": shown},
        as_json=as_json,
        text=f"[bold]{employee.name}[/bold] may register phones:\n"
        f"  login     {employee.login} (or {employee.ext}) @ {domain}\n"
        f"  password  [bold]{shown}[/bold]   shown this once",
    )


@app.command()
def password(
    domain: Domain,
    login: Login,
    password: Password = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Give an employee a new password; phones that hold the old one drop out."""
    shown = password or secrets.token_urlsafe(12)

    async def work(directory: Directory) -> Employee:
        company = await directory.companies.get(domain)
        return await directory.users.edit(company, login, {"password": shown})

    employee = on_directory(data, database, work)
    show(
        {"login": employee.login, "ext": employee.ext, "password": shown},
        as_json=as_json,
        text=f"New password of [bold]{employee.login}[/bold]: [bold]{shown}[/bold]"
        "   shown this once",
    )


@app.command("list")
def list_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show the employees of a company."""

    async def work(directory: Directory) -> DomainConfig:
        return await directory.companies.get(domain)

    employees = on_directory(data, database, work).employees.values()
    rows = [_row(employee) for employee in sorted(employees, key=lambda e: (len(e.ext), e.ext))]
    columns = ("login", "ext", "name", "position", "role", "telnum", "email")
    show_rows(rows, as_json=as_json, columns=columns, empty="No employees.")


def _row(employee: Employee) -> dict[str, Any]:
    return {
        "login": employee.login,
        "ext": employee.ext,
        "name": employee.name,
        "position": employee.position,
        "role": str(employee.role),
        "telnum": employee.telnum,
        "email": employee.email,
    }
