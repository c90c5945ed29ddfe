"""`vpbx crm`: the CRM of a company."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli import crm_address, integration
from vpbx.cli.crm_settings import AddressOptions, shown
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import show, show_rows
from vpbx.cli.parameters import Sets, grouped
from vpbx.cli.store import on_database, on_directory

if TYPE_CHECKING:
    from vpbx.crm import Stuck
    from vpbx.db import Database as OpenDatabase
    from vpbx.directory import Directory, Integration, Number

app = typer.Typer(no_args_is_help=True, help="The company's CRM.")
integration.add_to(app)
app.add_typer(crm_address.app, name="address")


@dataclass(frozen=True)
class CrmOptions(AddressOptions):
    """Those of the company's CRM itself, which is let in by the API, too."""

    on: Annotated[
        bool | None,
        typer.Option("--on/--off", help="Commands and API access.", show_default=False),
        Sets("enabled"),
    ] = None


@app.command("set")
@grouped
def set_(
    domain: Domain,
    options: CrmOptions,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NETWORK", help="Addresses that may call the API, only; may be repeated."
        ),
        Sets("networks"),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(metavar="https://HOST", help="Web pages that may call the API; repeatable."),
        Sets("origins"),
    ] = None,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Set a company's CRM, or change what is given. More than one: `vpbx crm address`."""
    lists = {"networks": allow, "origins": origin}
    given = options.values() | {name: value for name, value in lists.items() if value is not None}

    async def work(directory: Directory) -> Integration:
        company = await directory.companies.get(domain)
        return await directory.integrations.set(company, given)

    changed = on_directory(data, database, work)
    _show(domain, changed, as_json, secret=changed.signing_secret if given.get("sign") else "")


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


@app.command()
def queue(
    domain: Domain,
    failed: Annotated[
        bool, typer.Option("--failed", help="Those given up after 24 hours, not those waiting.")
    ] = False,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show the commands that the CRM has not taken, newest first."""

    async def work(opened: OpenDatabase) -> list[Stuck]:
        from vpbx.clock import LoopClock
        from vpbx.crm import CrmClient, Formats, Outbox
        from vpbx.db import Writer
        from vpbx.directory import Directory

        directory = Directory(opened)
        await directory.refresh()
        company = await directory.companies.get(domain)

        async def nothing(domain_id: int) -> None:
            return None

        outbox = Outbox(
            opened, Writer(opened), CrmClient(Formats()), nothing, node=0, clock=LoopClock()
        )
        return await (outbox.failed if failed else outbox.pending)(company.id)

    rows = [_stuck_row(stuck) for stuck in on_database(data, database, work)]
    columns = ("since", "cmd", "callid", "address", "attempts", "reason")
    show_rows(rows, as_json=as_json, columns=columns, empty="None.")


@app.command()
def responsible(
    domain: Domain,
    telnum: Annotated[str, typer.Argument(metavar="TELNUM")],
    on: Annotated[
        bool, typer.Option("--on/--off", help="Straight to the responsible employee, or not.")
    ] = True,
    fallback: Annotated[
        str,
        typer.Option(
            metavar="LOGIN|ID",
            help="Who gets the call if they do not answer; default: the number's own route.",
            show_default=False,
        ),
        Sets("crm"),
    ] = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Let calls to a number go first to whom the CRM names as responsible."""

    async def work(directory: Directory) -> Number:
        company = await directory.companies.get(domain)
        await directory.integrations.set_responsible(company, telnum, enabled=on, fallback=fallback)
        return await directory.telnums.get(company, telnum)

    changed = on_directory(data, database, work)
    show(
        {
            "telnum": changed.telnum,
            "responsible_first": changed.responsible_first,
            "fallback": changed.crm,
        },
        as_json=as_json,
        text=f"Calls to [bold]{changed.telnum}[/bold] go "
        + ("to the responsible employee first." if changed.responsible_first else "by its route."),
    )


def _stuck_row(stuck: Stuck) -> dict[str, Any]:
    since = datetime.datetime.fromtimestamp(stuck.created_at, datetime.UTC)
    return {
        "since": f"{since:%Y-%m-%dT%H:%M:%SZ}",
        "cmd": stuck.cmd,
        "callid": stuck.callid,
        "address": stuck.address,
        "attempts": stuck.attempts,
        "reason": stuck.error,
    }


def _show(domain: str, integration: Integration, as_json: bool, secret: str = "") -> None:
    where = integration.shown_url or "commands are fetched"
    signed = f" Signed with the secret {secret}" if secret else ""
    others = ", ".join(each.name for each in integration.others)
    more = f" Further addresses: {others}." if others else ""
    show(
        {
            "domain": domain,
            **shown(integration, secret),
            "networks": [str(network) for network in integration.networks],
            "origins": list(integration.origins),
            "addresses": [{"name": each.name, **shown(each)} for each in integration.others],
        },
        as_json=as_json,
        text=f"The CRM of [bold]{domain}[/bold]: {where}, "
        f"format {integration.format}, {'on' if integration.enabled else 'off'}.{more}{signed}",
    )
