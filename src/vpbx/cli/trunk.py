"""`vpbx trunk`: carriers that bring and take outside calls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Json
from vpbx.cli.output import show, show_rows
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Directory, Trunk

app = typer.Typer(no_args_is_help=True, help="Carriers that bring and take outside calls.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="What you call the carrier.")]


@app.command()
def add(
    name: Name,
    address: Annotated[
        str,
        typer.Option(metavar="HOST:PORT", help="Where its calls come from and go to."),
    ],
    transport: Annotated[str, typer.Option(help="udp, tcp or tls.")] = "udp",
    domain: Annotated[
        str,
        typer.Option(
            metavar="DOMAIN", help="For this company only; default: for all.", show_default=False
        ),
    ] = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Add a carrier, known by its address."""

    async def work(directory: Directory) -> Trunk:
        company = await directory.companies.get(domain) if domain else None
        return await directory.trunk_rules.add(name, address, domain=company, transport=transport)

    made = on_directory(data, database, work)
    show(
        _row(made),
        as_json=as_json,
        text=f"Calls from {made.host}:{made.port} are taken, and calls leave by "
        f"[bold]{made.name}[/bold].",
    )


@app.command("list")
def list_(
    data: Data = Path(config.DEFAULT_DATA), database: Database = "", as_json: Json = False
) -> None:
    """Show all carriers."""

    async def work(directory: Directory) -> tuple[Trunk, ...]:
        return await directory.trunk_rules.list()

    rows = [_row(trunk) for trunk in on_directory(data, database, work)]
    show_rows(
        rows,
        as_json=as_json,
        columns=("name", "address", "transport", "enabled"),
        empty="There is no carrier yet: vpbx trunk add NAME --address HOST:PORT",
    )


def _row(trunk: Trunk) -> dict[str, Any]:
    host = f"[{trunk.host}]" if ":" in trunk.host else trunk.host
    return {
        "name": trunk.name,
        "address": f"{host}:{trunk.port}",
        "transport": trunk.transport,
        "enabled": trunk.enabled,
    }
