"""`vpbx safety` and `vpbx changes`: who needs a second factor, and who changed what."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import BAD_INPUT, Fault, show_fields, show_rows
from vpbx.cli.store import on_accounts, on_console, on_directory_and_database

if TYPE_CHECKING:
    from vpbx.accounts import Accounts, Audit, ConsoleSettings
    from vpbx.db import Database as OpenDatabase
    from vpbx.directory import Directory

__all__ = ["app", "changes"]

_HOUR_S = 3600
_NOBODY = "none"

app = typer.Typer(
    no_args_is_help=True, help="The console: who needs a second factor, how long sessions last."
)

SecondFactor = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ROLE",
        help="Roles that need one: admin, group_head, user, restricted_user; none: nobody.",
    ),
]


@app.command("show")
def show_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show what holds for a company's console."""

    async def work(directory: Directory, accounts: Accounts) -> dict[str, Any]:
        company = await directory.companies.get(domain)
        return _row(await accounts.settings.get(company.id))

    show_fields(on_accounts(data, database, work), as_json=as_json)


@app.command("set")
def set_(
    domain: Domain,
    second_factor: SecondFactor = None,
    idle: Annotated[
        int | None, typer.Option("--idle", metavar="HOURS", help="A session unused for so long.")
    ] = None,
    longest: Annotated[
        int | None, typer.Option("--longest", metavar="HOURS", help="A session in any case.")
    ] = None,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Say which roles need a second factor, and when sessions of the console end."""
    from vpbx.directory import Role

    roles = None if second_factor is None else {role for role in second_factor if role != _NOBODY}
    for role in roles or ():
        if role not in list(Role):
            raise Fault(f"--second-factor: '{role}' is none of {', '.join(Role)}", BAD_INPUT)

    async def work(directory: Directory, accounts: Accounts, audit: Audit) -> dict[str, Any]:
        from vpbx.accounts import in_words

        company = await directory.companies.get(domain)
        now = await accounts.settings.get(company.id)
        made = await accounts.settings.set(
            company.id,
            second_factor=now.second_factor if roles is None else frozenset(map(Role, roles)),
            idle_h=now.idle_s // _HOUR_S if idle is None else idle,
            longest_h=now.longest_s // _HOUR_S if longest is None else longest,
        )
        await audit.note(company.id, "safety", in_words(now), in_words(made))
        return _row(made)

    show_fields(on_console(data, database, work), as_json=as_json)


def _row(settings: ConsoleSettings) -> dict[str, Any]:
    return {
        "second_factor": sorted(settings.second_factor),
        "idle_h": settings.idle_s // _HOUR_S,
        "longest_h": settings.longest_s // _HOUR_S,
    }


def changes(
    domain: Annotated[
        str,
        typer.Argument(
            metavar="[DOMAIN]", help="Of this company; without: of the server.", show_default=False
        ),
    ] = "",
    search: Annotated[str, typer.Option(metavar="TEXT", help="Part of who, what or a value.")] = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=100_000)] = 100,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show who changed what, from what to what, newest first: console, API and command line."""

    async def work(directory: Directory, opened: OpenDatabase) -> list[dict[str, Any]]:
        from vpbx.accounts import Audit

        company_id = (await directory.companies.get(domain)).id if domain else 0
        found = await Audit(opened, directory).find(company_id, search=search, limit=limit)
        return [
            {
                "at": f"{datetime.fromtimestamp(entry.at, UTC):%Y-%m-%dT%H:%M:%SZ}",
                "who": entry.actor,
                "by": entry.via,
                "address": entry.address,
                "what": entry.what,
                "before": entry.before,
                "after": entry.after,
            }
            for entry in found
        ]

    rows = on_directory_and_database(data, database, work)
    columns = ("at", "who", "by", "address", "what", "before", "after")
    show_rows(rows, as_json=as_json, columns=columns, empty="No changes.")
