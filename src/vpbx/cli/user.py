"""`vpbx user`: the employees of a company."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.invitations import check_mail, mail_invitation
from vpbx.cli.options import Data, Database, Domain, Json, Switch, Yes
from vpbx.cli.output import BAD_INPUT, Fault, confirm, show, show_fields, show_rows
from vpbx.cli.parameters import Sets, given, grouped
from vpbx.cli.store import console_at, on_accounts, on_console, on_directory

if TYPE_CHECKING:
    from vpbx.accounts import Accounts, Audit, Invitation
    from vpbx.directory import Directory, DomainConfig, Employee, NewEmployee

app = typer.Typer(no_args_is_help=True, help="Employees of a company.")

_PLAIN = ("name", "position", "email", "ext", "role", "mobile")


class Redirect(StrEnum):
    """Whether the mobile rings, and whether with the phones."""

    OFF = "off"
    TOO = "too"
    ONLY = "only"


Login = Annotated[str, typer.Argument(metavar="LOGIN", help="Login or internal number.")]
Password = Annotated[
    str, typer.Option(help="Of their phones; without it one is made.", show_default=False)
]


@app.command()
def add(
    domain: Domain,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As colleagues see it.")],
    login: Annotated[str, typer.Option(help="Default: u and the ext.", show_default=False)] = "",
    ext: Annotated[
        str, typer.Option(help="Internal number; default: the lowest free.", show_default=False)
    ] = "",
    password: Password = "",
    email: Annotated[str, typer.Option(show_default=False)] = "",
    position: Annotated[str, typer.Option(help="Default: Manager.", show_default=False)] = "",
    role: Annotated[str, typer.Option(help="admin, group_head, user or restricted_user.")] = "user",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Add an employee, whose phones may register at once."""
    given = {
        "name": name,
        "login": login,
        "ext": ext,
        "password": password,
        "email": email,
        "position": position,
        "role": role,
    }

    async def work(directory: Directory) -> NewEmployee:
        company = await directory.companies.get(domain)
        return await directory.users.add(company, {k: v for k, v in given.items() if v})

    made = on_directory(data, database, work)
    employee, shown = made.employee, made.password or password
    show(
        {**_row(employee), "password": shown},
        as_json=as_json,
        text=f"[bold]{employee.name}[/bold] may register phones:\n"
        f"  login     {employee.login} (or {employee.ext}) @ {domain}\n"
        f"  password  [bold]{shown}[/bold]   shown this once",
    )


@app.command()
def password(
    domain: Domain,
    login: Login,
    password: Password = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Give an employee a new password; phones that hold the old one drop out."""
    shown = password or secrets.token_urlsafe(12)

    async def work(directory: Directory) -> Employee:
        company = await directory.companies.get(domain)
        return await directory.users.edit(company, login, {"password": shown})

    employee = on_directory(data, database, work)
    show(
        {"login": employee.login, "ext": employee.ext, "password": shown},
        as_json=as_json,
        text=f"New password of [bold]{employee.login}[/bold]: [bold]{shown}[/bold]"
        "   shown this once",
    )


@app.command("show")
def show_(
    domain: Domain,
    login: Login,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show what is set for an employee."""

    async def work(directory: Directory) -> dict[str, Any]:
        company = await directory.companies.get(domain)
        return _details(company, await directory.users.get(company, login))

    show_fields(on_directory(data, database, work), as_json=as_json)


@dataclass(frozen=True)
class Changes:
    """What may be changed of an employee."""

    name: Annotated[str | None, typer.Option(help="As colleagues see it.")] = None
    position: Annotated[str | None, typer.Option()] = None
    email: Annotated[str | None, typer.Option(help="For voicemail and faxes.")] = None
    ext: Annotated[
        str | None,
        typer.Option(help="Internal number; phones that register by the old one drop out."),
    ] = None
    role: Annotated[
        str | None, typer.Option(help="admin, group_head, user or restricted_user.")
    ] = None
    mobile: Annotated[str | None, typer.Option(metavar="TELNUM")] = None
    redirect: Annotated[
        Redirect | None,
        typer.Option(help="To the mobile: off, too (with the phones), or only."),
        Sets("mobile_redirect"),
    ] = None
    delay: Annotated[
        int | None,
        typer.Option(metavar="S", help="Before the mobile rings too: 0, 5, 10 or 15."),
        Sets("mobile_redirect.delay"),
    ] = None
    dnd: Annotated[Switch | None, typer.Option(help="Do not disturb.")] = None
    call_waiting: Annotated[
        Switch | None, typer.Option(help="A second call rings while they talk.")
    ] = None


@app.command("set")
@grouped
def set_(
    domain: Domain,
    login: Login,
    changes: Changes,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Change what is given; the rest stays."""
    fields, redirect = given(changes, only=_PLAIN), changes.redirect
    if changes.delay is not None and redirect is None:
        raise Fault("--delay goes with --redirect too", BAD_INPUT)
    if redirect is not None:
        fields["mobile_redirect"] = {
            "enabled": redirect is not Redirect.OFF,
            "forward": redirect is Redirect.ONLY,
            "delay": changes.delay or 0,
        }

    async def work(directory: Directory) -> dict[str, Any]:
        company = await directory.companies.get(domain)
        users = directory.users
        employee = await users.get(company, login)
        if fields:
            employee = await users.edit(company, employee.login, fields)
        if changes.dnd is not None:
            await users.set_dnd(company, employee.login, changes.dnd is Switch.OFF)
        if changes.call_waiting is not None:
            waits = changes.call_waiting is Switch.ON
            await users.set_call_waiting(company, employee.login, waits)
        current = await directory.current(company)
        return _details(current, current.employees[employee.login])

    show_fields(on_directory(data, database, work), as_json=as_json)


@app.command()
def invite(
    domain: Domain,
    login: Login,
    mail: Annotated[
        bool, typer.Option("--mail", help="Send the link to their e-mail address.")
    ] = False,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Make a link by which an employee chooses a password for the console."""

    if mail:
        check_mail(data)

    async def work(
        directory: Directory, accounts: Accounts
    ) -> tuple[DomainConfig, Employee, Invitation]:
        company = await directory.companies.get(domain)
        employee = await directory.users.get(company, login)
        if mail and not employee.email:
            raise Fault(
                f"{employee.name} has no e-mail address: vpbx user set … --email", BAD_INPUT
            )
        return company, employee, await accounts.invite(company, employee.login)

    company, employee, made = on_accounts(data, database, work)
    link = f"{console_at(data, domain)}/invite/{made.token}"
    if mail:
        mail_invitation(data, database, company, employee.name, employee.email, link, made)
        value = {"login": employee.login, "to": employee.email, "expires_at": made.expires_at}
        show(value, as_json=as_json, text=f"It is on its way to {employee.email}.")
        return
    show(
        {"login": employee.login, "link": link, "expires_at": made.expires_at},
        as_json=as_json,
        text=f"[bold]{employee.name}[/bold] chooses a password for the console here, once, "
        f"within seven days:\n  {link}",
    )


@app.command()
def revoke(
    domain: Domain,
    login: Login,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Take the console away from an employee: password, passkeys, sessions, open invitations."""

    async def work(directory: Directory, accounts: Accounts, audit: Audit) -> Employee:
        company = await directory.companies.get(domain)
        employee = await directory.users.get(company, login)
        account = (await accounts.of_domain(company)).get(employee.login)
        if account is None:
            raise Fault(f"{employee.name} was never invited to the console.")
        await accounts.remove(account)
        await audit.note(company.id, "console", employee.login, "")
        return employee

    gone = on_console(data, database, work)
    text = f"{gone.name} can no longer use the console."
    show({"login": gone.login, "revoked": True}, as_json=as_json, text=text)


@app.command()
def remove(
    domain: Domain,
    login: Login,
    yes: Yes = False,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Remove an employee; what calls reached through them goes to the administrator."""

    async def work(directory: Directory) -> Employee:
        from vpbx.directory import mentions

        company = await directory.companies.get(domain)
        employee = await directory.users.get(company, login)
        depends = mentions.of_employee(company, employee)
        confirm(f"{employee.name} ({employee.login})", depends, yes=yes)
        await directory.users.delete(company, employee.login)
        return employee

    gone = on_directory(data, database, work)
    show(
        {"login": gone.login, "removed": True},
        as_json=as_json,
        text=f"[bold]{gone.name}[/bold] is gone; their history stays.",
    )


@app.command("list")
def list_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show the employees of a company."""

    async def work(directory: Directory) -> DomainConfig:
        return await directory.companies.get(domain)

    employees = on_directory(data, database, work).employees.values()
    rows = [_row(employee) for employee in sorted(employees, key=lambda e: (len(e.ext), e.ext))]
    columns = ("login", "ext", "name", "position", "role", "telnum", "email")
    show_rows(rows, as_json=as_json, columns=columns, empty="No employees.")


def _row(employee: Employee) -> dict[str, Any]:
    return {
        "login": employee.login,
        "ext": employee.ext,
        "name": employee.name,
        "position": employee.position,
        "role": str(employee.role),
        "telnum": employee.telnum,
        "email": employee.email,
    }


def _details(company: DomainConfig, employee: Employee) -> dict[str, Any]:
    redirect = employee.mobile_redirect
    kind = Redirect.ONLY if redirect.forward else Redirect.TOO
    return {
        **_row(employee),
        "mobile": employee.mobile,
        "redirect": str(kind if redirect.enabled else Redirect.OFF),
        "delay": redirect.delay,
        "dnd": not employee.receives_calls,
        "call_waiting": employee.call_waiting,
        "groups": [group.name for group in company.departments_of(employee.login)],
    }
