"""`vpbx history`: notes and tags on calls that are over."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import BAD_INPUT, Fault, WrongValues, show, show_rows
from vpbx.cli.parameters import Sets
from vpbx.cli.store import on_directory_and_database

if TYPE_CHECKING:
    from vpbx.db import Database as OpenDatabase
    from vpbx.directory import Directory
    from vpbx.history import Note

app = typer.Typer(no_args_is_help=True, help="Notes and tags on calls that are over.")


@app.command()
def note(
    domain: Domain,
    callid: Annotated[str, typer.Argument(metavar="CALLID", help="The call's, as uid or callid.")],
    text: Annotated[
        str | None,
        typer.Option("--text", help='Write this; "" takes it away.'),
        Sets("note"),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="TAG", help="May be repeated; replaces."),
        Sets("tags"),
    ] = None,
    no_tags: Annotated[bool, typer.Option("--no-tags", help="Take all tags off.")] = False,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show what is written to a call, or write to it."""
    if tag and no_tags:
        raise Fault("--tag and --no-tags do not go together", BAD_INPUT)
    tags = () if no_tags else tag or None

    async def work(directory: Directory, opened: OpenDatabase) -> Note:
        from vpbx.accounts import Audit
        from vpbx.history import Browser, Note, Notes

        company, notes = await directory.companies.get(domain), Notes(opened)
        call = await Browser(opened).get(company.id, callid, None)
        if call is None:
            raise Fault(f"there is no call {callid} in the history of {domain}", BAD_INPUT)
        if text is None and tags is None:
            return (await notes.of(company.id, [call.callid])).get(call.callid, Note())
        with _told_by_options():
            before, after = await notes.change(
                company.id, call.callid, _who(), text=text, tags=tags
            )
        what = f"calls.{call.callid}.note"
        await Audit(opened, directory).note(company.id, what, before.told, after.told)
        return after

    found = on_directory_and_database(data, database, work)
    show(found.fields(callid), as_json=as_json, text=found.told or "Nothing is written to it.")


@contextmanager
def _told_by_options() -> Iterator[None]:
    from vpbx.history import InvalidNote

    try:
        yield
    except InvalidNote as wrong:
        raise WrongValues([(wrong.field, wrong.message)]) from wrong


@app.command()
def tags(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show the tags a company uses, those of most calls first."""

    async def work(directory: Directory, opened: OpenDatabase) -> list[str]:
        from vpbx.history import Notes

        return await Notes(opened).tags((await directory.companies.get(domain)).id)

    rows = [{"tag": each} for each in on_directory_and_database(data, database, work)]
    show_rows(rows, as_json=as_json, columns=("tag",), empty="None.")


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return "command"
