"""`vpbx calls`: the calls in progress on the running server."""

from __future__ import annotations

import json
import textwrap
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vpbx import config
from vpbx.app.control import ask, follow
from vpbx.cli.options import Data, Domain, Json
from vpbx.cli.output import plain, show, show_rows
from vpbx.cli.store import whoever

app = typer.Typer(no_args_is_help=True, help="Calls in progress on the running server.")

Company = Annotated[
    str, typer.Argument(metavar="[DOMAIN]", help="Of this company only.", show_default=False)
]
CallId = Annotated[str, typer.Argument(metavar="CALLID", help="As `calls list` shows it.")]
Supervisor = Annotated[
    str,
    typer.Option(
        metavar="LOGIN",
        help="Login or ext of an administrator, or a head of a department the call is of.",
    ),
]


class Listening(StrEnum):
    """Who hears a supervisor."""

    LISTEN = "listen"
    WHISPER = "whisper"
    BARGE = "barge"


@app.command("list")
def list_(
    domain: Company = "", data: Data = Path(config.DEFAULT_DATA), as_json: Json = False
) -> None:
    """Show the calls in progress, the longest first."""
    rows = ask(data, "calls", domain=domain.lower())
    columns = ("since", "callid", "domain", "direction", "phone", "user", "state")
    show_rows(rows, as_json=as_json, columns=columns, empty="No calls.")


@app.command()
def hangup(
    domain: Domain,
    callid: CallId,
    data: Data = Path(config.DEFAULT_DATA),
    as_json: Json = False,
) -> None:
    """End a call: both sides are hung up, history and CRM are told as at any end."""
    _meddle(data, "hangup", domain, callid)
    show({"callid": callid}, as_json=as_json, text=f"Call {callid} is ended.")


@app.command()
def transfer(
    domain: Domain,
    callid: CallId,
    to: Annotated[str, typer.Argument(metavar="TO", help="An ext, a login, a number.")],
    attended: Annotated[
        bool, typer.Option("--attended", help="The employee talks to TO first.")
    ] = False,
    data: Data = Path(config.DEFAULT_DATA),
    as_json: Json = False,
) -> None:
    """Pass on who talks to an employee."""
    _meddle(data, "transfer", domain, callid, to=to, attended=attended)
    show({"callid": callid, "to": to}, as_json=as_json, text=plain(f"Call {callid} goes to {to}."))


@app.command()
def supervise(
    domain: Domain,
    callid: CallId,
    user: Supervisor,
    mode: Annotated[
        Listening,
        typer.Option(help="listen: nobody hears them; whisper: the employee does; barge: both do."),
    ] = Listening.LISTEN,
    data: Data = Path(config.DEFAULT_DATA),
    as_json: Json = False,
) -> None:
    """Let a supervisor hear a call: their phones ring, and once answered they are at the talk.

    Asked once more while they are at it, this changes the mode; so do the keys 1, 2 and 3 of
    their phone. The log of changes keeps who listened to whom.
    """
    made = ask(data, "supervise", domain=domain.lower(), callid=callid, user=user, mode=mode.value)
    text = f"{user}'s phone rings; their own call is {made['callid']} (`calls hangup` ends it)."
    show(made, as_json=as_json, text=text)


@app.command()
def pickup(
    domain: Domain,
    callid: CallId,
    user: Supervisor,
    data: Data = Path(config.DEFAULT_DATA),
    as_json: Json = False,
) -> None:
    """Ring somebody's phones too for a call that rings or waits: who answers first has it."""
    _meddle(data, "pickup", domain, callid, user=user)
    show(
        {"callid": callid, "user": user},
        as_json=as_json,
        text=plain(f"{user}'s phone rings for it."),
    )


def _meddle(data: Path, verb: str, domain: str, callid: str, **what: object) -> None:
    """Ask for a call to be changed; the log of changes keeps who did."""
    ask(data, verb, domain=domain.lower(), callid=callid, by=whoever().name, **what)


@app.command()
def trace(
    callid: CallId,
    whole: Annotated[
        bool, typer.Option("--messages", help="Whole messages, not their first lines alone.")
    ] = False,
    data: Data = Path(config.DEFAULT_DATA),
    as_json: Json = False,
) -> None:
    """Show the SIP messages of a call, as they go, until it ends; also of one that has just ended.

    Each SIP call that it consists of has a number: the caller's, each phone's, each carrier's.
    """
    for seen in follow(data, "trace", callid=callid):
        if as_json:
            print(json.dumps(seen, ensure_ascii=False), flush=True)
            continue
        when = datetime.fromtimestamp(seen["time"]).astimezone()
        arrow = "──▶" if seen["sent"] else "◀──"
        first, *rest = map(_printable, seen["message"].rstrip().split("\r\n"))
        stamp = f"{when:%H:%M:%S.%f}"[:12]
        print(stamp, f"({seen['leg']})", arrow, seen["peer"], first, flush=True)
        if whole:
            print(textwrap.indent("\n".join(rest), "    "), flush=True)


def _printable(line: str) -> str:
    """Return a line that strangers wrote so that it cannot steer the terminal."""
    return "".join(
        sign if sign.isprintable() or sign == "\t" else f"\\x{ord(sign):02x}" for sign in line
    )
