"""`vpbx number`."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="Phone numbers of a company.")


@app.callback()
def _group() -> None:
    pass
