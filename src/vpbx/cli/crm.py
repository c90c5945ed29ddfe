"""`vpbx crm`."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="The company's CRM.")


@app.callback()
def _group() -> None:
    pass
