"""`vpbx branch`: connected PBXs of a company."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.app.control import ask
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import BAD_INPUT, Fault, out, show, show_rows
from vpbx.cli.parameters import Sets
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Branch, Directory

app = typer.Typer(no_args_is_help=True, help="Connected PBXs: call their people by ext.")

Peer = Annotated[
    str, typer.Argument(metavar="PEER", help="Domain of the other PBX."), Sets("domain")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def _opt(metavar: str, text: str) -> Any:
    return typer.Option(metavar=metavar, help=text, show_default=False)


Url = Annotated[
    str | None,
    _opt("URL", "Where its server answers HTTPS, if https://PEER does not; '' takes it back."),
]
SipPlace = Annotated[
    str | None,
    _opt("HOST:PORT", "Where its calls go, or a SIP URI, if not where it tells; '' takes it back."),
]
Ca = Annotated[
    Path | None,
    _opt("FILE", "Authority that its certificate is checked by (PEM): of a private network."),
]


@app.command()
def add(
    domain: Domain,
    peer: Peer,
    name: Annotated[str, _opt("TEXT", "What you call it.")],
    key_stdin: Annotated[
        bool,
        typer.Option("--key-stdin", help="Read the key from standard input; the same both sides."),
        Sets("key"),
    ] = False,
    url: Url = None,
    sip: SipPlace = None,
    ca: Ca = None,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Connect another PBX: it connects when it has added this company with the same key."""
    if not key_stdin:
        raise Fault("give the key with --key-stdin (echo KEY | vpbx branch add …)", BAD_INPUT)
    values = {"domain": peer, "name": name, "key": sys.stdin.readline().strip()}
    places = _places(url, sip, ca)

    async def work(directory: Directory) -> Branch:
        company = await directory.companies.get(domain)
        made = await directory.branches.add(company, values)
        if places:
            made = await directory.branches.set_address(company, peer, places)
        return made

    made = on_directory(data, database, work)
    text = f"[bold]{peer}[/bold] is added; see `vpbx branch list {domain}`."
    show(_row(made), as_json=as_json, text=text)


@app.command("list")
def list_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show the connected PBXs of a company, and how each connection stands."""

    async def work(directory: Directory) -> list[Branch]:
        company = await directory.companies.get(domain)
        return list(company.settings.branches.values())

    rows = [_row(branch) for branch in on_directory(data, database, work)]
    columns = ("domain", "name", "status", "users", "groups", "exts", "collisions", "reason")
    empty = f"No other PBX is connected: vpbx branch add {domain} PEER --name NAME --key-stdin"
    show_rows(rows, as_json=as_json, columns=columns, empty=empty)


@app.command()
def address(
    domain: Domain,
    peer: Peer,
    url: Url = None,
    sip: SipPlace = None,
    ca: Ca = None,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Say where the other PBX is, where its name does not lead there (private networks)."""
    places = _places(url, sip, ca)
    if not places:
        raise Fault("nothing to set: give --url, --sip or --ca", BAD_INPUT)

    async def work(directory: Directory) -> Branch:
        company = await directory.companies.get(domain)
        return await directory.branches.set_address(company, peer, places)

    made = on_directory(data, database, work)
    show(_row(made), as_json=as_json, text=f"[bold]{peer}[/bold] is looked for there now.")


@app.command("set")
def set_(
    domain: Domain,
    peer: Peer,
    name: Annotated[str, _opt("TEXT", "What you call it.")],
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Rename a connection."""

    async def work(directory: Directory) -> Branch:
        company = await directory.companies.get(domain)
        return await directory.branches.edit(company, peer, {"name": name})

    made = on_directory(data, database, work)
    show(_row(made), as_json=as_json, text=f"[bold]{peer}[/bold] is called {made.name} now.")


@app.command()
def sync(
    domain: Domain, peer: Peer, data: Data = Path(config.DEFAULT_DATA), as_json: Json = False
) -> None:
    """Exchange directories now, by the running server."""
    row = ask(data, "sync", domain=domain.lower(), peer=peer.lower())
    text = f"{peer}: [bold]{row['status']}[/bold] {row['reason']}"
    show(row, as_json=as_json, text=text)


@app.command()
def remove(
    domain: Domain,
    peer: Peer,
    yes: Yes = False,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Disconnect a PBX; its people leave the departments they are members of."""

    async def look(directory: Directory) -> list[str]:
        company = await directory.companies.get(domain)
        await directory.branches.get(company, peer)
        return [
            f"{department.name} ({member.name or member.login})"
            for department in company.departments.values()
            for member in department.members
            if member.branch_domain == peer.lower()
        ]

    members = on_directory(data, database, look)
    if not yes:
        if members:
            out.print(f"They leave: {', '.join(members)}.")
        if not sys.stdin.isatty():
            raise Fault(f"to remove {peer} without being asked, add --yes", BAD_INPUT)
        typer.confirm(f"Disconnect {peer}?", abort=True)

    async def work(directory: Directory) -> None:
        company = await directory.companies.get(domain)
        await directory.branches.delete(company, peer)

    on_directory(data, database, work)
    removed = {"domain": peer.lower(), "members": members}
    show(removed, as_json=as_json, text=f"[bold]{peer}[/bold] is disconnected.")


def _places(url: str | None, sip: str | None, ca: Path | None) -> dict[str, str]:
    places = {name: value for name, value in (("url", url), ("sip", sip)) if value is not None}
    if ca is not None:
        try:
            places["ca"] = ca.read_text() if str(ca) not in ("", ".") else ""
        except OSError as error:
            raise Fault(f"--ca {ca}: {error.strerror}", BAD_INPUT) from error
    return places


def _row(branch: Branch) -> dict[str, Any]:
    return {
        "domain": branch.domain,
        "name": branch.name,
        "status": str(branch.status),
        "reason": branch.reason,
        "users": branch.users_count,
        "groups": branch.groups_count,
        "exts": branch.exts_count,
        "collisions": branch.collisions_count,
        "url": branch.url,
        "sip": branch.sip,
    }
