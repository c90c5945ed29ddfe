"""`vpbx domain`: the companies on this server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Domain, Json, Switch, Yes
from vpbx.cli.output import confirm, show, show_fields, show_rows
from vpbx.cli.parameters import Sets, given, grouped
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


@app.command("show")
def show_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show everything that is set for a company as a whole."""

    async def work(directory: Directory) -> DomainConfig:
        return await directory.companies.get(domain)

    show_fields(_settings(on_directory(data, database, work)), as_json=as_json)


@dataclass(frozen=True)
class Changes:
    """What may be changed of a company as a whole."""

    timezone: Annotated[str | None, typer.Option(metavar="TZ", help="Like Europe/Moscow.")] = None
    country: Annotated[
        str | None, typer.Option(metavar="XX", help="Country code: numbering, holidays.")
    ] = None
    language: Annotated[str | None, typer.Option(help="Of prompts and mail: en or ru.")] = None
    record_external: Annotated[
        Switch | None, typer.Option(help="Record calls with the outside.")
    ] = None
    record_inner: Annotated[Switch | None, typer.Option(help="Record calls between employees.")] = (
        None
    )
    ring_time: Annotated[
        int | None,
        typer.Option(metavar="S", help="How long an employee is rung; 5 to 600."),
        Sets("ring_timeout_s"),
    ] = None
    contact_time: Annotated[
        float | None,
        typer.Option(metavar="S", help="How long a call waits for the CRM; 0.1 to 10."),
        Sets("contact_timeout_s"),
    ] = None
    limit_users: Annotated[
        int | None, typer.Option(metavar="N", help="Employees at most; -1: any number.")
    ] = None
    limit_groups: Annotated[
        int | None, typer.Option(metavar="N", help="Departments at most; -1: any number.")
    ] = None
    limit_local_gw: Annotated[
        int | None,
        typer.Option(metavar="N", help="Numbers of other operators at most; -1: any number."),
    ] = None
    service_record: Annotated[Switch | None, typer.Option(help="May record calls.")] = None
    service_local_gw: Annotated[
        Switch | None, typer.Option(help="May have numbers of other operators.")
    ] = None
    service_branch: Annotated[Switch | None, typer.Option(help="May connect other PBXs.")] = None
    crm_card_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where a customer's card is in the CRM, like "
            "https://crm.example/card?phone={phone}&call={callid}; '': nowhere. Places: "
            "{phone} {callid} {user} {name} {diversion}.",
        ),
    ] = None
    widget_origins: Annotated[
        str | None,
        typer.Option(
            metavar="ORIGINS",
            help="Sites whose pages may embed the phone, with spaces between, like "
            "https://crm.example; '': none.",
        ),
    ] = None


@app.command("set")
@grouped
def set_(
    domain: Domain,
    changes: Changes,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Change what is given; the rest stays."""
    fields = given(changes)
    if "widget_origins" in fields:
        fields["widget_origins"] = fields["widget_origins"].split()

    async def work(directory: Directory) -> DomainConfig:
        return await directory.companies.edit(await directory.companies.get(domain), fields)

    show_fields(_settings(on_directory(data, database, work)), as_json=as_json)


@app.command()
def remove(
    domain: Domain,
    yes: Yes = False,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Remove a company with everything it set; its history and recordings stay on the disk."""

    async def work(directory: Directory) -> DomainConfig:
        company = await directory.companies.get(domain)
        holds = [
            f"{len(found)} {what}"
            for found, what in (
                (company.employees, "employees"),
                (company.departments, "departments"),
                (company.numbers, "numbers"),
            )
            if found
        ]
        confirm(f"the company {company.name}", holds, yes=yes)
        await directory.companies.delete(company)
        return company

    gone = on_directory(data, database, work)
    show(
        {"domain": gone.name, "removed": True},
        as_json=as_json,
        text=f"The company [bold]{gone.name}[/bold] is gone.",
    )


def _settings(domain: DomainConfig) -> dict[str, Any]:
    limits, services = domain.limits, domain.services
    return {
        "domain": domain.name,
        "enabled": domain.enabled,
        "timezone": domain.timezone,
        "country": domain.country,
        "language": domain.language,
        "main_telnum": domain.main_telnum,
        "record_external": domain.record_external,
        "record_inner": domain.record_inner,
        "ring_time": domain.ring_timeout_s,
        "contact_time": domain.contact_timeout_s,
        "crm_card_url": domain.crm_card_url,
        "widget_origins": list(domain.widget_origins),
        "limits": {
            "users": limits.users,
            "groups": limits.groups,
            "local_gw": limits.local_gw,
        },
        "services": {
            "record": services.record,
            "local_gw": services.local_gw,
            "branch": services.branch,
        },
        "employees": len(domain.employees),
        "departments": len(domain.departments),
        "numbers": sorted(domain.numbers),
    }


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
