"""`vpbx trunk`."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="Carriers that bring and take outside calls.")


@app.callback()
def _group() -> None:
    pass
