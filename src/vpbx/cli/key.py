"""`vpbx key`."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="Keys for the HTTP API.")


@app.callback()
def _group() -> None:
    pass
