"""`vpbx domain`: the companies on this server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import show, show_rows
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Directory, DomainConfig, NewDomain

app = typer.Typer(no_args_is_help=True, help="Companies on this server.")

_DEFAULT_TIMEZONE = "Europe/Moscow"


@app.command()
def add(
    domain: Domain,
    timezone: Annotated[
        str, typer.Option(metavar="TZ", help="Time zone, like Europe/Moscow.")
    ] = _DEFAULT_TIMEZONE,
    password: Annotated[
        str,
        typer.Option(
            help="Of the first administrator; without it one is made.", show_default=False
        ),
    ] = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Add a company, with its first administrator: login admin, internal number 701."""

    async def work(directory: Directory) -> NewDomain:
        return await directory.companies.add(domain, timezone, password or None)

    made = on_directory(data, database, work, create=True)
    show(
        {
            "domain": made.domain.name,
            "login": made.login,
            "ext": made.ext,
            "password": made.password,
        },
        as_json=as_json,
        text=f"Company [bold]{made.domain.name}[/bold] is there. Its administrator:\n"
        f"  login     {made.login} (or {made.ext})\n"
        f"  password  [bold]{made.password}[/bold]   shown this once",
    )


@app.command("list")
def list_(
    data: Data = Path(config.DEFAULT_DATA), database: Database = "", as_json: Json = False
) -> None:
    """Show all companies."""

    async def work(directory: Directory) -> list[DomainConfig]:
        return await directory.domains()

    rows = [
        {
            "domain": found.name,
            "enabled": found.enabled,
            "timezone": found.timezone,
            "country": found.country,
            "employees": len(found.employees),
            "numbers": sorted(found.numbers),
        }
        for found in on_directory(data, database, work)
    ]
    show_rows(
        rows,
        as_json=as_json,
        columns=("domain", "enabled", "timezone", "country", "employees", "numbers"),
        empty="There is no company yet: vpbx domain add DOMAIN",
    )


@app.command()
def off(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Switch a company's service off: no calls, no API. Nothing is deleted."""
    _switch(domain, False, data, database, as_json)


@app.command()
def on(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Switch a company's service on again."""
    _switch(domain, True, data, database, as_json)


def _switch(domain: str, enabled: bool, data: Path, database: str, as_json: bool) -> None:
    async def work(directory: Directory) -> DomainConfig:
        return await directory.companies.switch(await directory.companies.get(domain), enabled)

    changed = on_directory(data, database, work)
    show(
        {"domain": changed.name, "enabled": changed.enabled},
        as_json=as_json,
        text=f"[bold]{changed.name}[/bold] is {'on' if enabled else 'off'}.",
    )
