"""`vpbx crm`: the CRM of a company."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import show
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Directory, Integration

app = typer.Typer(no_args_is_help=True, help="The company's CRM.")


@app.command("set")
def set_(
    domain: Domain,
    url: Annotated[
        str, typer.Option(metavar="URL", help="Where commands go.", show_default=False)
    ] = "",
    token: Annotated[
        str, typer.Option(metavar="TOKEN", help="Sent as crm_token.", show_default=False)
    ] = "",
    format_: Annotated[
        str,
        typer.Option("--format", metavar="auto|form|json", help="Of commands.", show_default=False),
    ] = "",
    on: Annotated[
        bool | None,
        typer.Option("--on/--off", help="Commands and API access.", show_default=False),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NETWORK", help="Addresses that may call the API, only; may be repeated."
        ),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(metavar="https://HOST", help="Web pages that may call the API; repeatable."),
    ] = None,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Set a company's CRM, or change what is given."""
    given: dict[str, Any] = {
        "url": url or None,
        "token": token or None,
        "format": format_ or None,
        "enabled": on,
        "networks": allow,
        "origins": origin,
    }

    async def work(directory: Directory) -> Integration:
        company = await directory.companies.get(domain)
        changes = {name: value for name, value in given.items() if value is not None}
        return await directory.integrations.set(company, changes)

    changed = on_directory(data, database, work)
    _show(domain, changed, as_json)


@app.command("show")
def show_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show a company's CRM settings; never the token."""

    async def work(directory: Directory) -> Integration:
        return await directory.integrations.get(await directory.companies.get(domain))

    _show(domain, on_directory(data, database, work), as_json)


def _show(domain: str, integration: Integration, as_json: bool) -> None:
    show(
        {
            "domain": domain,
            "url": integration.url,
            "format": str(integration.format),
            "enabled": integration.enabled,
            "networks": [str(network) for network in integration.networks],
            "origins": list(integration.origins),
        },
        as_json=as_json,
        text=f"The CRM of [bold]{domain}[/bold]: {integration.url}, format {integration.format}, "
        f"{'on' if integration.enabled else 'off'}.",
    )
