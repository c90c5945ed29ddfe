"""`vpbx crm address`: further addresses that a company's commands go to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.crm_settings import AddressOptions, shown
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import out, show, show_rows
from vpbx.cli.parameters import grouped
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Directory, Integration

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Further addresses that commands go to.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="What you call the address.")]


@app.command()
@grouped
def add(
    domain: Domain,
    name: Name,
    options: AddressOptions,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Send commands to one more address, too, with a queue of its own.

    It is sent history, event and rating; --send says what else. Who calls is asked of one
    address only: the first that is sent contact, beginning with the company's CRM itself.

    [bold]vpbx crm address add acme.example bi --url https://bi.example/calls --token T
    --send history[/bold]
    """
    given = options.values()

    async def work(directory: Directory) -> tuple[Integration, Integration]:
        company = await directory.companies.get(domain)
        made = await directory.integrations.add_address(company, name, given)
        return await directory.integrations.get(company), made

    _show(domain, *on_directory(data, database, work), as_json, sign=given.get("sign"))


@app.command("set")
@grouped
def set_(
    domain: Domain,
    name: Name,
    options: AddressOptions,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Change what is given; `vpbx crm set` changes the company's CRM itself."""
    given = options.values()

    async def work(directory: Directory) -> tuple[Integration, Integration]:
        company = await directory.companies.get(domain)
        changed = await directory.integrations.set_address(company, name, given)
        return await directory.integrations.get(company), changed

    _show(domain, *on_directory(data, database, work), as_json, sign=given.get("sign"))


@app.command("list")
def list_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show all addresses that commands go to, the company's CRM itself first."""

    async def work(directory: Directory) -> Integration:
        return await directory.integrations.get(await directory.companies.get(domain))

    main = on_directory(data, database, work)
    rows = [_row(main, each) for each in (main, *main.others)]
    columns = ("name", "url", "sends", "format", "enabled", "asked")
    show_rows(rows, as_json=as_json, columns=columns, empty="None.")


@app.command()
def remove(
    domain: Domain,
    name: Name,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
) -> None:
    """Send nothing more to an address; what waits for it is not sent."""

    async def work(directory: Directory) -> None:
        company = await directory.companies.get(domain)
        await directory.integrations.delete_address(company, name)

    on_directory(data, database, work)
    out.print(f"Nothing is sent to [bold]{name}[/bold] any more.")


def _row(main: Integration, address: Integration) -> dict[str, Any]:
    is_asked = main.asked is not None and main.asked.name == address.name
    return {"name": address.name, **shown(address), "asked": is_asked}


def _show(
    domain: str, main: Integration, address: Integration, as_json: bool, *, sign: bool | None
) -> None:
    secret = address.signing_secret if sign else ""
    row = {**_row(main, address), **({"signing_secret": secret} if secret else {})}
    said = (
        "" if row["asked"] else f" Who calls is asked of {main.asked.name}." if main.asked else ""
    )
    signed = f" Signed with the secret {secret}" if secret else ""
    where = address.shown_url or "commands are fetched"
    show(
        row,
        as_json=as_json,
        text=f"[bold]{address.name}[/bold] of {domain}: {where}, {', '.join(row['sends'])}, "
        f"format {address.format}, {'on' if address.enabled else 'off'}.{said}{signed}",
    )
