"""`vpbx group`: the departments of a company."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Domain, Json, Switch, Yes
from vpbx.cli.output import BAD_INPUT, Fault, confirm, show, show_fields, show_rows
from vpbx.cli.parameters import Sets, given, grouped
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Department, Directory, DomainConfig

app = typer.Typer(no_args_is_help=True, help="Departments of a company.")

_FIELDS = ("name", "ext", "order", "duration", "advanced", "queue_position")


Department_ = Annotated[str, typer.Argument(metavar="GROUP", help="Id, internal number or name.")]


@app.command()
def add(
    domain: Domain,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    member: Annotated[
        list[str] | None,
        typer.Option(metavar="LOGIN", help="Login or internal number; may be repeated."),
        Sets("users"),
    ] = None,
    ext: Annotated[
        str, typer.Option(help="Internal number; default: the lowest free.", show_default=False)
    ] = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Add a department whose members all ring at once."""
    values: dict[str, Any] = {
        "name": name,
        "users": [{"login": login, "calls_enable": True} for login in member or ()],
    }
    if ext:
        values["ext"] = ext

    async def work(directory: Directory) -> Department:
        return await directory.groups.add(await directory.companies.get(domain), values)

    made = on_directory(data, database, work)
    show(
        _row(made),
        as_json=as_json,
        text=f"Department [bold]{made.name}[/bold] has internal number {made.ext}, id {made.id}",
    )


@app.command("show")
def show_(
    domain: Domain,
    group: Department_,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show what is set for a department."""

    async def work(directory: Directory) -> dict[str, Any]:
        return _details(find(await directory.companies.get(domain), group))

    show_fields(on_directory(data, database, work), as_json=as_json)


@dataclass(frozen=True)
class Changes:
    """What may be changed of a department."""

    name: Annotated[str | None, typer.Option()] = None
    ext: Annotated[str | None, typer.Option(help="Internal number.")] = None
    order: Annotated[
        str | None,
        typer.Option(
            help="ALL at once; one by one: BYORDER from the top, EVENLY who has gone longest "
            "without a call, WATERFALL each joining those who ring."
        ),
        Sets("call_order"),
    ] = None
    duration: Annotated[
        int | None,
        typer.Option(metavar="S", help="One is rung: 5, 10, 15, 20, 25 or 30."),
        Sets("call_duration"),
    ] = None
    timeout: Annotated[
        int | None,
        typer.Option(metavar="S", help="A call waits: 15, 30, 60, 120, 300 or 600."),
        Sets("timeout.time"),
    ] = None
    then: Annotated[
        str | None,
        typer.Option(
            metavar="WHERE",
            help="After that: voicemail, msg_busy, user:LOGIN, group:GROUP or telnum:NUMBER.",
        ),
        Sets("timeout"),
    ] = None
    advanced: Annotated[
        str | None, typer.Option(help="Who waits is offered: off, msg_busy or callback.")
    ] = None
    queue_position: Annotated[
        Switch | None, typer.Option(help="Who waits is told their place.")
    ] = None
    add_: Annotated[
        list[str] | None,
        typer.Option("--add", metavar="LOGIN", help="New member; may be repeated."),
    ] = None
    position: Annotated[
        int, typer.Option(metavar="N", help="Where --add puts them: 0 first, -1 last.")
    ] = -1
    mute: Annotated[
        list[str] | None,
        typer.Option(metavar="LOGIN", help="Stays a member, receives no calls of it."),
        Sets("calls_disable"),
    ] = None
    unmute: Annotated[
        list[str] | None,
        typer.Option(metavar="LOGIN", help="Receives its calls again."),
        Sets("group_id"),
    ] = None
    drop: Annotated[
        list[str] | None,
        typer.Option(metavar="LOGIN", help="Is a member no longer."),
        Sets("remove"),
    ] = None


@app.command("set")
@grouped
def set_(
    domain: Domain,
    group: Department_,
    changes: Changes,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Change what is given; the rest stays."""
    fields = given(changes, only=_FIELDS)
    if "call_order" in fields:
        fields["call_order"] = fields["call_order"].upper()

    async def work(directory: Directory) -> dict[str, Any]:
        company = await directory.companies.get(domain)
        found = find(company, group)
        timeout = _timeout(company, found, changes.timeout, changes.then)
        settings = {**fields, **({"timeout": timeout} if timeout else {})}
        if settings:
            await directory.groups.edit(company, found.id, settings)
        await _change_members(directory, company, found, changes)
        return _details(await directory.groups.get(company, found.id))

    show_fields(on_directory(data, database, work), as_json=as_json)


async def _change_members(
    directory: Directory, company: DomainConfig, group: Department, changes: Changes
) -> None:
    for login in changes.unmute or ():
        await directory.users.set_subscription(company, login, True, group.id)
    if changes.add_ or changes.mute or changes.drop:
        members = {
            "add": changes.add_,
            "calls_disable": changes.mute,
            "remove": changes.drop,
            "position": changes.position,
        }
        await directory.groups.change_users(company, group.id, members)


@app.command()
def remove(
    domain: Domain,
    group: Department_,
    yes: Yes = False,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Remove a department; what calls reached through it goes to the administrator."""

    async def work(directory: Directory) -> Department:
        from vpbx.directory import mentions

        company = await directory.companies.get(domain)
        found = find(company, group)
        depends = mentions.of_department(company, found)
        confirm(f"department {found.name}", depends, yes=yes)
        await directory.groups.delete(company, found.id)
        return found

    gone = on_directory(data, database, work)
    show(
        {"id": gone.id, "removed": True},
        as_json=as_json,
        text=f"Department [bold]{gone.name}[/bold] is gone; its history stays.",
    )


def find(company: DomainConfig, text: str, *, or_employee: bool = False) -> Department:
    """Return the department of an id, internal number or name (if only one has it).

    `or_employee`: what is told of nobody speaks of employees too, among whom was looked before.
    """
    found = company.find_department(text)
    if found is not None:
        return found
    named = [g for g in company.departments.values() if g.name.casefold() == text.casefold()]
    if not named and or_employee:
        raise Fault(f"there is no employee or department '{text}'", BAD_INPUT)
    if len(named) != 1:
        known = ", ".join(f"{g.ext} {g.name}" for g in company.departments.values()) or "none"
        raise Fault(
            f"{len(named)} departments are called '{text}'; say id or internal number. "
            f"There are: {known}",
            BAD_INPUT,
        )
    return named[0]


def _timeout(
    company: DomainConfig, group: Department, time: int | None, then: str | None
) -> dict[str, Any] | None:
    """Return the department's `timeout` as the API takes it; None: it stays."""
    if time is None and then is None:
        return None
    held = group.timeout
    if then is None:
        value = {"user": held.user, "group": held.group, "telnum": held.telnum}
        return {"time": time, "target": str(held.target), **{k: v for k, v in value.items() if v}}
    target, _, whom = then.partition(":")
    changed: dict[str, Any] = {"time": held.time if time is None else time, "target": target}
    if whom:
        changed[target] = find(company, whom).id if target == "group" else whom
    return changed


@app.command("list")
def list_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show the departments of a company."""

    async def work(directory: Directory) -> DomainConfig:
        return await directory.companies.get(domain)

    departments = on_directory(data, database, work).departments.values()
    columns = ("id", "ext", "name", "call_order", "users")
    rows = [_row(department) for department in departments]
    show_rows(rows, as_json=as_json, columns=columns, empty="No departments.")


def _row(department: Department) -> dict[str, Any]:
    return {
        "id": department.id,
        "ext": department.ext,
        "name": department.name,
        "call_order": str(department.call_order),
        "users": [member.login for member in department.members],
    }


def _details(group: Department) -> dict[str, Any]:
    timeout = group.timeout
    whom = timeout.user or timeout.group or timeout.telnum
    return {
        **_row(group),
        "duration": group.call_duration,
        "timeout": timeout.time,
        "then": f"{timeout.target}:{whom}" if whom else str(timeout.target),
        "advanced": str(group.advanced),
        "queue_position": group.queue_position,
        "muted": [member.login for member in group.members if not member.calls_enable],
    }
