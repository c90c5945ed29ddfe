"""`vpbx trunk`: carriers that bring and take outside calls."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.app.control import ControlFault, ask
from vpbx.cli.options import Data, Database, Json
from vpbx.cli.output import BAD_INPUT, Fault, out, show, show_rows
from vpbx.cli.parameters import Sets, grouped
from vpbx.cli.store import is_empty, on_directory

if TYPE_CHECKING:
    from vpbx.directory import Directory, Trunk

app = typer.Typer(no_args_is_help=True, help="Carriers that bring and take outside calls.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="What you call the carrier.")]


def _opt(metavar: str, text: str) -> Any:
    return typer.Option(metavar=metavar, help=text, show_default=False)


Address = Annotated[
    list[str] | None,
    _opt(
        "HOST[:PORT]",
        "Where its calls come from and go to. A name without a port is looked up by NAPTR and "
        "SRV. Repeat it for further addresses, tried when the first fails.",
    ),
]
Transport = Annotated[
    str | None, _opt("udp|tcp|tls|auto", "How it is reached; auto: as its name in DNS says.")
]
Username = Annotated[
    str | None,
    _opt("USER", "Login the carrier gave, with --password-stdin; '' takes it away."),
]
PasswordStdin = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the password from standard input."),
    Sets("password"),
]
AuthName = Annotated[
    str | None, _opt("NAME", "Name for authentication, where it is another than the login.")
]
Register = Annotated[
    bool | None,
    typer.Option(
        "--register/--no-register", help="Register there with the login.", show_default=False
    ),
    Sets("mode"),
]
Accept = Annotated[
    bool | None,
    typer.Option(
        "--accept/--no-accept",
        help="It registers here, with --username: a gateway, or a PBX behind NAT.",
        show_default=False,
    ),
    Sets("mode"),
]
Network = Annotated[
    list[str] | None,
    _opt("NETWORK", "Its calls come from there too, from any port (192.0.2.0/24). Repeatable."),
    Sets("networks"),
]
IdentityOption = Annotated[
    str | None,
    _opt(
        "from|pai|rpid",
        "Where it looks for our number: From, P-Asserted-Identity (default) or RPID.",
    ),
]
FromUser = Annotated[
    str | None, _opt("USER", "User part of From, where it must not be the number that calls.")
]
FromDomain = Annotated[
    str | None, _opt("HOST", "Host of From, where it must not be the company's domain.")
]
CustomersNumbers = Annotated[
    bool | None,
    typer.Option(
        "--customers-numbers/--own-numbers",
        help="Calls sent on (to a mobile, by a schedule) show the customer's number there.",
        show_default=False,
    ),
]
MaxCalls = Annotated[int | None, _opt("N", "Calls at the same time; 0: any number.")]
Priority = Annotated[
    int | None, _opt("N", "The lowest is the default trunk (100 unless set; then the oldest).")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@dataclass(frozen=True)
class Settings:
    """What is said of a carrier."""

    address: Address = None
    transport: Transport = None
    username: Username = None
    password_stdin: PasswordStdin = False
    auth_name: AuthName = None
    register: Register = None
    accept: Accept = None
    network: Network = None
    identity: IdentityOption = None
    from_user: FromUser = None
    from_domain: FromDomain = None
    customers_numbers: CustomersNumbers = None
    max_calls: MaxCalls = None
    priority: Priority = None

    def values(self) -> dict[str, Any]:
        """Return what was given, as the directory takes it, without the addresses."""
        values = {
            "transport": self.transport,
            "username": self.username,
            "auth_name": self.auth_name,
            "networks": self.network,
            "identity": self.identity,
            "from_user": self.from_user,
            "from_domain": self.from_domain,
            "customers_numbers": self.customers_numbers,
            "max_calls": self.max_calls,
            "priority": self.priority,
            "mode": _mode(self.register, self.accept),
            "password": _password(self.password_stdin),
        }
        return {name: value for name, value in values.items() if value is not None}


@app.command()
@grouped
def add(
    name: Name,
    settings: Settings,
    domain: Annotated[str, _opt("DOMAIN", "For this company only; default: for all.")] = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Add a carrier: known by its address, by registration there (--register) or here (--accept).

    [bold]vpbx trunk add main --address sip.carrier.example[/bold]
    [bold]vpbx trunk add main --address sip.carrier.example --username 100200 --password-stdin
    --register < password.txt[/bold]
    """
    values = settings.values()

    async def work(directory: Directory) -> tuple[Trunk, list[str]]:
        company = await directory.companies.get(domain) if domain else None
        made = await directory.trunk_rules.add(
            name, settings.address or None, domain=company, **values
        )
        return made, await _problems(made)

    made, problems = on_directory(data, database, work, create=is_empty(data))
    _show(made, problems, as_json, f"The trunk [bold]{made.name}[/bold] is added.")


@grouped
def set_(
    name: Name,
    settings: Settings,
    enabled: Annotated[
        bool | None, typer.Option("--on/--off", help="Use it or not.", show_default=False)
    ] = None,
    rename: Annotated[str | None, _opt("NAME", "Call it that from now on."), Sets("name")] = None,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Change a carrier; what is not named stays. Addresses and networks are replaced as a list."""
    more = {"name": rename, "address": settings.address or None, "enabled": enabled}
    values = {**settings.values(), **{k: v for k, v in more.items() if v is not None}}
    if not settings.network:
        values.pop("networks", None)
    if not values:
        raise Fault("nothing to change: name what to set, see `vpbx trunk set --help`", BAD_INPUT)

    async def work(directory: Directory) -> tuple[Trunk, list[str]]:
        made = await directory.trunk_rules.edit(name, values)
        return made, await _problems(made)

    made, problems = on_directory(data, database, work)
    _show(made, problems, as_json, f"The trunk [bold]{made.name}[/bold] is changed.")


app.command("set")(set_)
app.command("edit", hidden=True)(set_)


@app.command("list")
def list_(
    data: Data = Path(config.DEFAULT_DATA), database: Database = "", as_json: Json = False
) -> None:
    """Show all carriers, and how each stands on the running server."""

    async def work(directory: Directory) -> tuple[tuple[Trunk, ...], dict[int, str]]:
        domains = {domain.id: domain.name for domain in await directory.domains()}
        return await directory.trunk_rules.list(), domains

    trunks, domains = on_directory(data, database, work)
    states = _states(data)
    rows = [
        {
            **_row(trunk),
            "domain": domains.get(trunk.domain_id or 0, ""),
            **states.get(trunk.name, {"state": "unknown", "reason": "no server runs", "calls": 0}),
        }
        for trunk in trunks
    ]
    show_rows(
        rows,
        as_json=as_json,
        columns=("name", "address", "transport", "mode", "domain", "state", "calls", "reason"),
        empty="There is no carrier yet: vpbx trunk add NAME --address HOST[:PORT]",
    )


@app.command()
def remove(
    name: Name,
    yes: Yes = False,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Remove a carrier. Numbers whose calls left by it leave by the default trunk from then on."""

    async def look(directory: Directory) -> list[tuple[str, str]]:
        return await directory.trunk_rules.numbers(name)

    numbers = on_directory(data, database, look)
    if not yes:
        _ask(name, numbers)

    async def work(directory: Directory) -> None:
        await directory.trunk_rules.delete(name)

    on_directory(data, database, work)
    removed = {"name": name, "numbers": [telnum for _, telnum in numbers]}
    show(removed, as_json=as_json, text=f"The trunk [bold]{name}[/bold] is removed.")


def _ask(name: str, numbers: list[tuple[str, str]]) -> None:
    """Say what depends on it, and ask; without anybody to ask, --yes is needed."""
    if numbers:
        shown = ", ".join(f"{telnum} ({domain})" for domain, telnum in numbers[:10])
        more = f" and {len(numbers) - 10} more" if len(numbers) > 10 else ""
        out.print(f"Calls from {shown}{more} leave by it; they will leave by the default trunk.")
    if not sys.stdin.isatty():
        raise Fault(f"to remove {name} without being asked, add --yes", BAD_INPUT)
    typer.confirm(f"Remove the trunk {name}?", abort=True)


def _mode(register: bool | None, accept: bool | None) -> str | None:
    if register and accept:
        raise Fault("a trunk registers there (--register) or here (--accept), not both", BAD_INPUT)
    if register or accept:
        return "register" if register else "accept"
    return "address" if register is False or accept is False else None


def _password(wanted: bool) -> str | None:
    if not wanted:
        return None
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise Fault("--password-stdin: there is no password on standard input", BAD_INPUT)
    return password


async def _problems(trunk: Trunk) -> list[str]:
    """Return what is wrong with the names of a trunk, asked of DNS now."""
    from vpbx.sip.resolver import Resolver, Unresolved

    resolver = Resolver()

    async def look(host: str, port: int) -> str:
        try:
            await resolver.find(host, port, trunk.transport)
        except Unresolved as error:
            return f"{host} does not resolve: {error.reason}"
        return ""

    found = await asyncio.gather(*(look(host, port) for host, port in trunk.addresses))
    return [problem for problem in found if problem]


def _show(trunk: Trunk, problems: list[str], as_json: bool, text: str) -> None:
    for problem in problems:
        text += f"\n[yellow]{problem}.[/yellow] Calls through it fail until that is mended."
    if trunk.mode == "register":
        text += "\nThe running server registers there; see `vpbx trunk list`."
    elif trunk.mode == "accept":
        text += f"\nIt registers here as [bold]{trunk.username}[/bold] with its password."
    show({**_row(trunk), "problem": "; ".join(problems)}, as_json=as_json, text=text)


def _states(data: Path) -> dict[str, dict[str, Any]]:
    """Ask the running server how trunks stand; nothing when none runs."""
    try:
        found = ask(data, "trunks")
    except ControlFault:
        return {}
    return {row["name"]: {key: row[key] for key in row if key != "name"} for row in found}


def _row(trunk: Trunk) -> dict[str, Any]:
    return {
        "name": trunk.name,
        "address": _written(*trunk.addresses[0]) if trunk.addresses else "",
        "more_addresses": [_written(*one) for one in trunk.more_addresses],
        "transport": trunk.transport or "auto",
        "mode": str(trunk.mode),
        "username": trunk.username,
        "auth_name": trunk.auth_name,
        "networks": [str(network) for network in trunk.networks],
        "identity": str(trunk.identity),
        "from_user": trunk.from_user,
        "from_domain": trunk.from_domain,
        "customers_numbers": trunk.customers_numbers,
        "max_calls": trunk.max_calls,
        "priority": trunk.priority,
        "enabled": trunk.enabled,
    }


def _written(host: str, port: int) -> str:
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{port}" if port else host
