"""`vpbx history`: how calls went that are over, notes and tags on them."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import BAD_INPUT, Fault, WrongValues, plain, show, show_rows, utc
from vpbx.cli.parameters import Sets
from vpbx.cli.store import on_directory_and_database

if TYPE_CHECKING:
    from vpbx.causes import Cause
    from vpbx.db import Database as OpenDatabase
    from vpbx.directory import Directory, DomainConfig
    from vpbx.history import CallRow, Note
    from vpbx.legs import CallLeg, Sound

app = typer.Typer(
    no_args_is_help=True, help="Calls that are over: how they went, notes and tags on them."
)

Text = Annotated[
    str | None, typer.Option("--text", help='Write this; "" takes it away.'), Sets("note")
]
Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", help="May be repeated; replaces."),
    Sets("tags"),
]


@app.command()
def note(
    domain: Domain,
    callid: Annotated[str, typer.Argument(metavar="CALLID", help="The call's, as uid or callid.")],
    text: Text = None,
    tag: Tags = None,
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
        from vpbx.history import Note, Notes

        notes = Notes(opened)
        company, call = await _find(directory, opened, domain, callid)
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
    show(
        found.fields(callid), as_json=as_json, text=plain(found.told) or "Nothing is written to it."
    )


async def _find(
    directory: Directory, opened: OpenDatabase, domain: str, callid: str
) -> tuple[DomainConfig, CallRow]:
    """Return the company and its call that is over."""
    from vpbx.history import Browser

    company = await directory.companies.get(domain)
    call = await Browser(opened).get(company.id, callid, None)
    if call is None:
        raise Fault(f"there is no call {callid} in the history of {domain}", BAD_INPUT)
    return company, call


@contextmanager
def _told_by_options() -> Iterator[None]:
    from vpbx.history import InvalidNote

    try:
        yield
    except InvalidNote as wrong:
        raise WrongValues([(wrong.field, wrong.message)]) from wrong


@app.command("show")
def show_call(
    domain: Domain,
    callid: Annotated[str, typer.Argument(metavar="CALLID", help="The call's, as uid or callid.")],
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show how a call that is over went: why it failed, and how its sound was."""

    async def work(directory: Directory, opened: OpenDatabase) -> CallRow:
        return (await _find(directory, opened, domain, callid))[1]

    call = on_directory_and_database(data, database, work)
    found = _told(call)
    show(found, as_json=as_json, text=plain("\n".join(_lines(found))))


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


def _told(call: CallRow) -> dict[str, Any]:
    return {
        "uid": call.callid,
        "start": utc(call.started_at),
        "direction": "inner" if call.is_inner else call.direction,
        "client": call.client,
        "user": call.login,
        "status": call.status,
        "wait": call.wait,
        "duration": call.duration,
        "causes": [_cause(each) for each in call.causes],
        "legs": [_leg(each) for each in call.legs],
    }


def _cause(cause: Cause) -> dict[str, Any]:
    from vpbx.causes import explain

    said, advice = explain(cause, lambda text, **values: text.format(**values))
    return {"kind": cause.kind, "code": cause.code, "said": said, "advice": advice}


def _leg(leg: CallLeg) -> dict[str, Any]:
    from vpbx.legs import way_name

    return {
        "who": leg.who,
        "user": leg.login,
        "by": way_name(leg.way),
        "codec": leg.codec,
        "received": _sound(leg.received),
        "sent": _sound(leg.sent),
        "rtt_ms": leg.rtt_ms,
    }


def _sound(sound: Sound | None) -> dict[str, Any] | None:
    if sound is None:
        return None
    return {
        "packets": sound.packets,
        "lost": sound.lost,
        "loss_percent": round(sound.loss, 2),
        "jitter_ms": sound.jitter_ms,
        "mos": sound.mos,
        "grade": sound.grade.value,
    }


def _lines(told: dict[str, Any]) -> list[str]:
    lines = [
        f"{told['start']}  {told['direction']}  {told['client'] or '-'}  {told['user'] or '-'}  "
        f"{told['status']}, waited {told['wait']} s, talked {told['duration']} s"
    ]
    for cause in told["causes"]:
        lines += [f"! {cause['said']}", f"  {cause['advice']}"]
    for leg in told["legs"]:
        by = f" by {leg['by']}" if leg["by"] else ""
        trip = "" if leg["rtt_ms"] is None else f", there and back {leg['rtt_ms']:.0f} ms"
        lines.append(f"{leg['who'] or 'hidden number'}{by}: {leg['codec']}{trip}")
        for words, sound in (("from", leg["received"]), ("to", leg["sent"])):
            lines.append(f"  {words} them: {_said(sound)}")
    return lines


def _said(sound: dict[str, Any] | None) -> str:
    if sound is None:
        return "nothing known"
    jitter = "" if sound["jitter_ms"] is None else f", jitter {sound['jitter_ms']} ms"
    return (
        f"{sound['grade']}, MOS {sound['mos']}: {sound['packets']} packets, "
        f"{sound['loss_percent']} % lost{jitter}"
    )
