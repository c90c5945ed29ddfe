"""`vpbx phones`: what is registered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Json
from vpbx.cli.output import show_rows, utc
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Directory

app = typer.Typer(no_args_is_help=True, help="Registered phones.")


@app.command("list")
def list_(
    domain: Annotated[
        str, typer.Argument(metavar="[DOMAIN]", help="Of this company only.", show_default=False)
    ] = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show who is registered, from where, with what, and until when."""

    async def work(directory: Directory) -> list[dict[str, Any]]:
        await directory.locations.load()
        behind_s = directory.clock.time() - directory.clock.now()
        companies = [await directory.companies.get(domain)] if domain else await directory.domains()
        return [
            {
                "domain": company.name,
                "login": employee.login,
                "ext": employee.ext,
                "from": f"{row.transport}:{row.host}:{row.port}",
                "phone": row.user_agent,
                "contact": row.contact,
                "until": utc(row.expires_at + behind_s),
            }
            for company in companies
            for employee in company.employees.values()
            for row in directory.locations.bindings(company.id, employee.login)
        ]

    rows = on_directory(data, database, work)
    columns = ("domain", "login", "ext", "from", "phone", "until")
    show_rows(rows, as_json=as_json, columns=columns, empty="No phone is registered.")
