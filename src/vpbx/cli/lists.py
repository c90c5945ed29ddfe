"""`vpbx record`, `blf` and `voicemail`: who is on which list of a company."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli import group as departments
from vpbx.cli.options import Data, Database, Domain, Json, Switch
from vpbx.cli.output import BAD_INPUT, Fault, given, show_fields, show_rows
from vpbx.cli.parameters import Sets
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Directory

record = typer.Typer(
    no_args_is_help=True,
    help="Employees whose calls are never recorded; recording itself is set by `domain set`.",
)
blf = typer.Typer(no_args_is_help=True, help="Employees whose phones may watch others' state.")
voicemail = typer.Typer(
    no_args_is_help=True, help="Who has voicemail and gets its messages by e-mail."
)

Logins = Annotated[
    list[str],
    typer.Argument(metavar="LOGIN...", help="Logins or internal numbers."),
    Sets("", "login", "users"),
]
Users = Annotated[
    list[str] | None,
    typer.Option(metavar="LOGIN", help="An employee; may be repeated."),
    Sets("", "login", "users"),
]
Groups = Annotated[
    list[str] | None, typer.Option(metavar="GROUP", help="A department; may be repeated.")
]


def _commands(app: typer.Typer, attribute: str) -> None:
    """Give a list of employees its commands; `attribute` is its place in the directory."""
    _change(app, attribute, ("add", "add"), "Put employees on the list.")
    _change(app, attribute, ("remove", "delete"), "Take employees off the list.")

    @app.command("list")
    def list_(
        domain: Domain,
        data: Data = Path(config.DEFAULT_DATA),
        database: Database = "",
        as_json: Json = False,
    ) -> None:
        """Show who is on the list."""

        async def work(directory: Directory) -> list[dict[str, Any]]:
            return await _rows(directory, attribute, domain)

        _shown(on_directory(data, database, work), as_json)


def _change(app: typer.Typer, attribute: str, names: tuple[str, str], does: str) -> None:
    """Give a list one command that changes it: its name, and that of the list's method."""
    name, method = names

    @app.command(name, help=does)
    def change(
        domain: Domain,
        login: Logins,
        data: Data = Path(config.DEFAULT_DATA),
        database: Database = "",
        as_json: Json = False,
    ) -> None:
        async def work(directory: Directory) -> list[dict[str, Any]]:
            company = await directory.companies.get(domain)
            await getattr(getattr(directory, attribute), method)(company, login)
            return await _rows(directory, attribute, domain)

        _shown(on_directory(data, database, work), as_json)


async def _rows(directory: Directory, attribute: str, domain: str) -> list[dict[str, Any]]:
    company = await directory.companies.get(domain)
    found = await getattr(directory, attribute).list(company)
    return [{"login": e.login, "ext": e.ext, "name": e.name} for e in found]


def _shown(found: list[dict[str, Any]], as_json: bool) -> None:
    show_rows(found, as_json=as_json, columns=("login", "ext", "name"), empty="Nobody.")


_commands(record, "record_exceptions")
_commands(blf, "blf")


@voicemail.command("show")
def show_voicemail(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show who has voicemail."""

    async def work(directory: Directory) -> dict[str, Any]:
        return await _copies(directory, domain)

    show_fields(on_directory(data, database, work), as_json=as_json)


@voicemail.command("set")
def set_voicemail(
    domain: Domain,
    everybody: Annotated[
        Switch | None, typer.Option("--all", help="Every employee has voicemail."), Sets("am_all")
    ] = None,
    email: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Gets a copy of every message; '': nobody."),
        Sets("am_email"),
    ] = None,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Change what is given; the rest stays."""
    changes = given(all=everybody, email=email)

    async def work(directory: Directory) -> dict[str, Any]:
        company = await directory.companies.get(domain)
        await directory.companies.edit(company, {f"am_{k}": v for k, v in changes.items()})
        return await _copies(directory, domain)

    show_fields(on_directory(data, database, work), as_json=as_json)


@voicemail.command("add")
def add_voicemail(
    domain: Domain,
    user: Users = None,
    group: Groups = None,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Give employees, or all members of departments, voicemail."""
    _somebody(user, group)

    async def work(directory: Directory) -> dict[str, Any]:
        company = await directory.companies.get(domain)
        found = [departments.find(company, each).id for each in group or ()]
        if user:
            await directory.am_users.add(company, user)
        if found:
            await directory.am_groups.add(company, found)
        return await _copies(directory, domain)

    show_fields(on_directory(data, database, work), as_json=as_json)


@voicemail.command("remove")
def remove_voicemail(
    domain: Domain,
    user: Users = None,
    group: Groups = None,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Take voicemail from employees or departments."""
    _somebody(user, group)

    async def work(directory: Directory) -> dict[str, Any]:
        company = await directory.companies.get(domain)
        found = [departments.find(company, each).id for each in group or ()]
        if user:
            await directory.am_users.delete(company, user)
        if found:
            await directory.am_groups.delete(company, found)
        return await _copies(directory, domain)

    show_fields(on_directory(data, database, work), as_json=as_json)


def _somebody(user: list[str] | None, group: list[str] | None) -> None:
    if not user and not group:
        raise Fault("say whom: --user LOGIN or --group GROUP", BAD_INPUT)


async def _copies(directory: Directory, domain: str) -> dict[str, Any]:
    company = await directory.companies.get(domain)
    copies = company.settings.voicemail
    return {
        "all": copies.all,
        "email": copies.email,
        "users": sorted(copies.users),
        "groups": [company.departments[gid].name for gid in copies.groups],
    }
