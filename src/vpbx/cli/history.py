"""`vpbx history`: notes and tags on calls that are over."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import BAD_INPUT, Fault, show, show_rows, utc
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
        str | None, typer.Option("--text", help='Write this; "" takes it away.')
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", metavar="TAG", help="May be repeated; replaces.")
    ] = None,
    no_tags: Annotated[bool, typer.Option("--no-tags", help="Take all tags off.")] = False,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show what is written to a call, or write to it."""
    if tag and no_tags:
        raise Fault("--tag and --no-tags do not go together", BAD_INPUT)

    async def work(directory: Directory, opened: OpenDatabase) -> Note:
        from vpbx.accounts import Audit
        from vpbx.history import Browser, InvalidNote, Note, Notes

        company, notes = await directory.companies.get(domain), Notes(opened)
        call = await Browser(opened).get(company.id, callid, None)
        if call is None:
            raise Fault(f"there is no call {callid} in the history of {domain}", BAD_INPUT)
        before = (await notes.of(company.id, [call.callid])).get(call.callid, Note())
        if text is None and not tag and not no_tags:
            return before
        tags = () if no_tags else (tag or before.tags)
        try:
            after = await notes.set(
                company.id, call.callid, before.text if text is None else text, tags, _who()
            )
        except InvalidNote as wrong:
            raise Fault(str(wrong), BAD_INPUT) from wrong
        what = f"calls.{call.callid}.note"
        await Audit(opened, directory).note(company.id, what, before.told, after.told)
        return after

    found = on_directory_and_database(data, database, work)
    show(_row(callid, found), as_json=as_json, text=found.told or "Nothing is written to it.")


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


def _row(callid: str, found: Note) -> dict[str, Any]:
    return {
        "uid": callid,
        "note": found.text,
        "tags": list(found.tags),
        "author": found.author,
        "time": utc(found.at) if found else "",
    }
