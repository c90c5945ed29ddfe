"""`vpbx calls`: the calls in progress on the running server."""

from __future__ import annotations

import json
import textwrap
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from vpbx import config
from vpbx.app.control import ask, follow
from vpbx.cli.options import Data, Domain, Json
from vpbx.cli.output import show, show_rows

app = typer.Typer(no_args_is_help=True, help="Calls in progress on the running server.")

Company = Annotated[
    str, typer.Argument(metavar="[DOMAIN]", help="Of this company only.", show_default=False)
]


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
    callid: Annotated[str, typer.Argument(metavar="CALLID", help="As `calls list` shows it.")],
    data: Data = Path(config.DEFAULT_DATA),
    as_json: Json = False,
) -> None:
    """End a call: both sides are hung up, history and CRM are told as at any end."""
    ask(data, "hangup", domain=domain.lower(), callid=callid)
    show({"callid": callid}, as_json=as_json, text=f"Call {callid} is ended.")


@app.command()
def trace(
    callid: Annotated[str, typer.Argument(metavar="CALLID", help="As `calls list` shows it.")],
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
