"""`vpbx number`: the phone numbers of a company."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli import group as departments
from vpbx.cli.options import Data, Database, Domain, Json, Switch, Yes
from vpbx.cli.output import BAD_INPUT, Fault, confirm, show, show_fields, show_rows
from vpbx.cli.parameters import Sets, given, grouped
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Directory, DomainConfig, Number

app = typer.Typer(no_args_is_help=True, help="Phone numbers of a company.")

_SETTINGS = ("name", "trunk", "outgoing", "enabled", "rating")


Telnum = Annotated[str, typer.Argument(metavar="TELNUM", help="In any spelling.")]


@app.command()
def add(
    domain: Domain,
    telnum: Telnum,
    trunk: Annotated[
        str,
        typer.Option(metavar="NAME", help="Its calls leave by this trunk.", show_default=False),
    ] = "",
    user: Annotated[
        str,
        typer.Option(metavar="LOGIN", help="Employee who gets its calls.", show_default=False),
    ] = "",
    group: Annotated[
        str,
        typer.Option(
            metavar="GROUP", help="Or the department, by id, ext or name.", show_default=False
        ),
    ] = "",
    name: Annotated[str, typer.Option(help="Shown in the CRM.", show_default=False)] = "",
    short: Annotated[
        bool, typer.Option("--short", help="A short number, under which the carrier calls us.")
    ] = False,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Give a company a number, answered by an employee or a department (else by admin)."""

    async def work(directory: Directory) -> Number:
        company = await directory.companies.get(domain)
        found = departments.find(company, group).id if group else ""
        return await directory.telnums.add(
            company, telnum, trunk=trunk, user=user, group=found, name=name, short=short
        )

    made = on_directory(data, database, work)
    show(
        _row(made),
        as_json=as_json,
        text=f"Calls to [bold]{made.telnum}[/bold] go to {made.user or made.group}.",
    )


@app.command("show")
def show_(
    domain: Domain,
    telnum: Telnum,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show a number with its whole route, in the words of the API."""

    async def work(directory: Directory) -> dict[str, Any]:
        company = await directory.companies.get(domain)
        return _details(company, await directory.telnums.get(company, telnum))

    show_fields(on_directory(data, database, work), as_json=as_json)


@dataclass(frozen=True)
class Changes:
    """What may be changed of a number."""

    user: Annotated[
        str | None, typer.Option(metavar="LOGIN", help="This employee gets its calls.")
    ] = None
    group: Annotated[
        str | None,
        typer.Option(metavar="GROUP", help="Or this department, by id, ext or name."),
    ] = None
    fax: Annotated[
        str | None,
        typer.Option(metavar="LOGIN", help="Or it takes faxes for this employee."),
        Sets("user"),
    ] = None
    route: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Or a route as JSON, as PUT /telnums takes it and `number show --json` gives it: "
            "menus, schedules. - reads it from standard input.",
            dir_okay=False,
            allow_dash=True,
        ),
        Sets("*"),
    ] = None
    greeting: Annotated[
        str | None,
        typer.Option(
            metavar="on|off|ID", help="The built-in greeting, none, or this upload (media list)."
        ),
        Sets("greeting_file", "greeting"),
    ] = None
    name: Annotated[str | None, typer.Option(help="Shown in the CRM.")] = None
    trunk: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its calls leave by it; '': the default.")
    ] = None
    outgoing: Annotated[Switch | None, typer.Option(help="Calls may leave with it.")] = None
    enabled: Annotated[Switch | None, typer.Option(help="It takes calls.")] = None
    main: Annotated[bool, typer.Option("--main", help="Make it the main number.")] = False
    responsible: Annotated[
        Switch | None, typer.Option(help="Whom the CRM names as responsible is rung first.")
    ] = None
    fallback: Annotated[
        str | None,
        typer.Option(metavar="LOGIN|GROUP", help="Who is rung then; '': the number's own route."),
        Sets("crm"),
    ] = None
    rating: Annotated[
        Switch | None, typer.Option(help="The customer rates the employee after the call.")
    ] = None


@app.command("set")
@grouped
def set_(
    domain: Domain,
    telnum: Telnum,
    changes: Changes,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Change what is given; the rest stays."""
    settings = given(changes, only=_SETTINGS)
    goals = (changes.user, changes.group, changes.fax, changes.route)
    if sum(each is not None for each in goals) > 1:
        raise Fault("say only one of --user, --group, --fax and --route", BAD_INPUT)
    document = _read_route(changes.route) if changes.route is not None else {}

    async def work(directory: Directory) -> dict[str, Any]:
        company = await directory.companies.get(domain)
        telnums = directory.telnums
        number = await telnums.get(company, telnum)
        route = {**document, **_route(company, changes)}
        if route:
            held = {"type": str(number.type), "greeting": number.greeting}
            await telnums.edit(company, number.telnum, {**held, **route})
        if settings:
            await telnums.configure(company, number.telnum, settings)
        if changes.main:
            await telnums.set_main(company, number.telnum)
        await _set_responsible(directory, company, number, changes)
        current = await directory.current(company)
        return _details(current, current.numbers[number.telnum])

    show_fields(on_directory(data, database, work), as_json=as_json)


def _route(company: DomainConfig, changes: Changes) -> dict[str, Any]:
    """Return where calls are to go, as the API takes it; nothing: it stays."""
    found: dict[str, Any] = {}
    if changes.user is not None or changes.fax is not None:
        kind = "fax" if changes.user is None else "user"
        found.update(type=kind, user=changes.user or changes.fax)
    elif changes.group is not None:
        found.update(type="group", group=departments.find(company, changes.group).id)
    if changes.greeting is not None:
        found["greeting"] = changes.greeting != "off"
        if changes.greeting not in ("on", "off"):
            found["greeting_file"] = changes.greeting
    return found


@app.command("copy-hours")
def copy_hours(
    domain: Domain,
    telnum: Telnum,
    to: Annotated[list[str], typer.Argument(metavar="TO…", help="The numbers that get them.")],
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Give a number's business hours to others; their routes and special days stay."""

    async def work(directory: Directory) -> list[str]:
        company = await directory.companies.get(domain)
        return await directory.hours.copy(company, telnum, to)

    done = on_directory(data, database, work)
    show({"copied": done}, as_json=as_json, text=f"Copied to {', '.join(done)}.")


@app.command()
def remove(
    domain: Domain,
    telnum: Telnum,
    yes: Yes = False,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Take a number from the company; its history stays."""

    async def work(directory: Directory) -> Number:
        from vpbx.directory import mentions

        company = await directory.companies.get(domain)
        number = await directory.telnums.get(company, telnum)
        confirm(f"number {number.telnum}", mentions.of_number(company, number), yes=yes)
        await directory.telnums.delete(company, number.telnum)
        return number

    gone = on_directory(data, database, work)
    show(
        {"telnum": gone.telnum, "removed": True},
        as_json=as_json,
        text=f"Number [bold]{gone.telnum}[/bold] is gone.",
    )


def _read_route(file: Path) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
        document = json.loads(text)
    except OSError as error:
        raise Fault(f"--route: {file} cannot be read: {error.strerror}", BAD_INPUT) from error
    except ValueError as error:
        raise Fault(f"--route: {file} is not JSON: {error}", BAD_INPUT) from error
    if not isinstance(document, dict):
        raise Fault(f"--route: {file} must hold one object, as PUT /telnums takes it", BAD_INPUT)
    return document


async def _set_responsible(
    directory: Directory, company: DomainConfig, number: Number, changes: Changes
) -> None:
    if changes.responsible is None and changes.fallback is None:
        return
    on = number.responsible_first
    if changes.responsible is not None:
        on = changes.responsible is Switch.ON
    whom = number.crm if changes.fallback is None else changes.fallback
    if whom and company.find_employee(whom) is None:
        whom = departments.find(company, whom, or_employee=True).id
    await directory.integrations.set_responsible(company, number.telnum, enabled=on, fallback=whom)


@app.command("list")
def list_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show the numbers of a company."""

    async def work(directory: Directory) -> DomainConfig:
        return await directory.companies.get(domain)

    rows = [_row(number) for number in on_directory(data, database, work).numbers.values()]
    columns = ("telnum", "name", "type", "user", "group", "trunk", "enabled")
    show_rows(rows, as_json=as_json, columns=columns, empty="No numbers.")


def _row(number: Number) -> dict[str, Any]:
    return {
        "telnum": number.telnum,
        "name": number.name,
        "type": str(number.type),
        "user": number.user,
        "group": number.group,
        "trunk": number.trunk,
        "enabled": number.enabled,
    }


def _details(company: DomainConfig, number: Number) -> dict[str, Any]:
    from vpbx.api.telnums import show_number

    return {
        **show_number(company, number),
        "trunk": number.trunk,
        "outgoing": number.outgoing,
        "responsible": number.responsible_first,
        "rating": number.rating,
    }
