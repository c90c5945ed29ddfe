"""`vpbx mail`: letters on their way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Json
from vpbx.cli.output import show_rows, utc
from vpbx.cli.store import on_database

if TYPE_CHECKING:
    from vpbx.db import Database as OpenDatabase
    from vpbx.mail import QueuedLetter

app = typer.Typer(no_args_is_help=True, help="E-mail with voicemail and faxes.")


@app.callback()
def _group() -> None:
    pass


@app.command()
def queue(
    failed: Annotated[
        bool, typer.Option("--failed", help="Those given up, not those waiting.")
    ] = False,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show the letters that the mail server has not taken, the oldest first."""

    async def work(opened: OpenDatabase) -> list[QueuedLetter]:
        from vpbx.clock import LoopClock
        from vpbx.mail import MailQueue

        letters = MailQueue(opened, None, data, clock=LoopClock())
        return await letters.pending(given_up=failed)

    rows = [_row(letter) for letter in on_database(data, database, work)]
    columns = ("since", "recipient", "subject", "attempts", "next", "reason")
    show_rows(rows, as_json=as_json, columns=columns, empty="None.")


def _row(letter: QueuedLetter) -> dict[str, Any]:
    return {
        "since": utc(letter.made_at),
        "recipient": letter.recipient,
        "subject": letter.subject,
        "attempts": letter.attempts,
        "next": utc(letter.next_at),
        "reason": letter.error,
    }
