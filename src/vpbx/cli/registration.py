"""`vpbx registration`: numbers of other operators, at which the PBX registers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Domain, Json, Switch, Yes
from vpbx.cli.output import confirm, given, read_secret, show, show_fields, show_rows
from vpbx.cli.parameters import Sets
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Directory, DomainConfig, SipRegistration

app = typer.Typer(
    no_args_is_help=True, help="Numbers of other operators, at which the PBX registers."
)

Telnum = Annotated[str, typer.Argument(metavar="TELNUM", help="In any spelling.")]
At = Annotated[str, typer.Option(metavar="HOST", help="The operator's SIP domain."), Sets("domain")]
Password = Annotated[str, typer.Option(help="Asked for when not given.", show_default=False)]
AuthName = Annotated[str, typer.Option(help="If it differs from the login.", show_default=False)]
Proxy = Annotated[
    str, typer.Option(metavar="HOST:PORT", help="Where the domain is reached.", show_default=False)
]
PasswordStdin = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the password from standard input."),
    Sets("password"),
]


@app.command()
def add(
    domain: Domain,
    telnum: Telnum,
    name: Annotated[str, typer.Option(help="What you call the operator.")],
    at: At,
    login: Annotated[str, typer.Option(help="There.")],
    password: Password = "",
    password_stdin: PasswordStdin = False,
    auth_name: AuthName = "",
    proxy: Proxy = "",
    expires: Annotated[int | None, typer.Option(metavar="S")] = None,
    outgoing: Annotated[Switch | None, typer.Option(help="Calls may leave by it.")] = None,
    active: Annotated[Switch | None, typer.Option(help="Register now.")] = None,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Register a number there; calls to it come to its route (number set)."""
    values = {
        "telnum": telnum,
        "name": name,
        "domain": at,
        "login": login,
        "password": read_secret(password, password_stdin),
        **_options(auth_name or None, proxy or None, expires, outgoing, active),
    }

    async def work(directory: Directory) -> SipRegistration:
        company = await directory.companies.get(domain)
        return await directory.sip_registrations.add(company, values)

    show_fields(_row(on_directory(data, database, work)), as_json=as_json)


@app.command("set")
def set_(
    domain: Domain,
    telnum: Telnum,
    name: Annotated[str | None, typer.Option()] = None,
    at: Annotated[str | None, typer.Option(metavar="HOST"), Sets("domain")] = None,
    login: Annotated[str | None, typer.Option()] = None,
    password_stdin: PasswordStdin = False,
    auth_name: Annotated[str | None, typer.Option()] = None,
    proxy: Annotated[str | None, typer.Option(metavar="HOST:PORT")] = None,
    expires: Annotated[int | None, typer.Option(metavar="S")] = None,
    outgoing: Annotated[Switch | None, typer.Option()] = None,
    active: Annotated[Switch | None, typer.Option()] = None,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Change what is given; the rest stays."""
    changes = given(
        name=name,
        at=at,
        login=login,
        password_stdin=password_stdin or None,
        auth_name=auth_name,
        proxy=proxy,
        expires=expires,
        outgoing=outgoing,
        active=active,
    )
    if changes.pop("password_stdin", False):
        changes["password"] = read_secret("", True)
    if "at" in changes:
        changes["domain"] = changes.pop("at")

    async def work(directory: Directory) -> SipRegistration:
        company = await directory.companies.get(domain)
        return await directory.sip_registrations.edit(company, telnum, changes)

    show_fields(_row(on_directory(data, database, work)), as_json=as_json)


@app.command("list")
def list_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show them, and how each stands."""

    async def work(directory: Directory) -> DomainConfig:
        return await directory.companies.get(domain)

    found = on_directory(data, database, work).settings.sip_registrations.values()
    columns = ("telnum", "name", "domain", "status", "active", "outgoing", "reason")
    show_rows([_row(r) for r in found], as_json=as_json, columns=columns, empty="None.")


@app.command()
def remove(
    domain: Domain,
    telnum: Telnum,
    yes: Yes = False,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Register there no more; a number that came with it goes too."""

    async def work(directory: Directory) -> str:
        company = await directory.companies.get(domain)
        found = await directory.sip_registrations.get(company, telnum)
        confirm(f"the registration of {found.telnum} at {found.domain}", [], yes=yes)
        await directory.sip_registrations.delete(company, found.telnum)
        return found.telnum

    gone = on_directory(data, database, work)
    show({"telnum": gone, "removed": True}, as_json=as_json, text=f"{gone} is not registered.")


def _options(
    auth_name: str | None,
    proxy: str | None,
    expires: int | None,
    outgoing: Switch | None,
    active: Switch | None,
) -> dict[str, Any]:
    values = {
        "auth_name": auth_name,
        "proxy": proxy,
        "expires": expires,
        "outgoing": str(outgoing) if outgoing else None,
        "active": str(active) if active else None,
    }
    return {field: value for field, value in values.items() if value is not None}


def _row(found: SipRegistration) -> dict[str, Any]:
    return {
        "telnum": found.telnum,
        "name": found.name,
        "domain": found.domain,
        "status": str(found.status),
        "reason": found.reason,
        "active": found.active,
        "outgoing": found.outgoing,
        "auth_name": found.auth_name,
        "proxy": found.proxy,
        "expires": found.expires,
    }
