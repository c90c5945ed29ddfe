"""`vpbx calls`: the calls in progress on the running server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vpbx import config
from vpbx.app.control import ask
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
