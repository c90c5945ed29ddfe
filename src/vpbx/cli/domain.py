"""`vpbx domain`."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="Companies on this server.")


@app.callback()
def _group() -> None:
    pass
