"""`vpbx operator`: who looks after this server, and all companies on it, in the console."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vpbx import config
from vpbx.cli.invitations import check_mail, mail_invitation
from vpbx.cli.options import Data, Database, Json, Yes
from vpbx.cli.output import BAD_INPUT, Fault, confirm, show, show_rows
from vpbx.cli.store import console_at, on_accounts

if TYPE_CHECKING:
    from vpbx.accounts import Account, Accounts, Invitation
    from vpbx.directory import Directory

app = typer.Typer(no_args_is_help=True, help="Operators: they enter every company's console.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Their login, one word.")]


@app.command()
def add(
    name: Name,
    mail: Annotated[
        str, typer.Option("--mail", metavar="ADDRESS", help="Send the link there.")
    ] = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Add an operator, or invite one anew: makes a link by which they choose a password."""

    if mail:
        check_mail(data, mail)

    async def work(_directory: Directory, accounts: Accounts) -> Invitation:
        return await accounts.invite_operator(name)

    made = on_accounts(data, database, work, create=True)
    link = f"{console_at(data, 'localhost')}/invite/{made.token}"
    if mail:
        mail_invitation(data, database, None, name, mail, link, made)
        value = {"name": name.strip().lower(), "to": mail, "expires_at": made.expires_at}
        show(value, as_json=as_json, text=f"It is on its way to {mail}.")
        return
    show(
        {"name": name.strip().lower(), "link": link, "expires_at": made.expires_at},
        as_json=as_json,
        text=f"[bold]{name}[/bold] chooses a password here, once, within seven days:\n  {link}\n"
        "They log in at /login, as operator.",
    )


@app.command("list")
def list_(
    data: Data = Path(config.DEFAULT_DATA), database: Database = "", as_json: Json = False
) -> None:
    """Show all operators."""

    async def work(_directory: Directory, accounts: Accounts) -> list[Account]:
        return await accounts.operators()

    rows = [
        {"name": who.login, "may_log_in": who.has_password, "second_factor": who.has_totp}
        for who in on_accounts(data, database, work)
    ]
    columns = ("name", "may_log_in", "second_factor")
    show_rows(rows, as_json=as_json, columns=columns, empty="No operators: vpbx operator add NAME")


@app.command()
def remove(
    name: Name,
    yes: Yes = False,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Remove an operator; their sessions end at once."""

    async def work(_directory: Directory, accounts: Accounts) -> str:
        found = [who for who in await accounts.operators() if who.login == name.strip().lower()]
        if not found:
            raise Fault(f"there is no operator {name}", BAD_INPUT)
        confirm(f"operator {found[0].login}", [], yes=yes)
        await accounts.remove(found[0])
        return found[0].login

    gone = on_accounts(data, database, work)
    show({"name": gone, "removed": True}, as_json=as_json, text=f"[bold]{gone}[/bold] is gone.")
