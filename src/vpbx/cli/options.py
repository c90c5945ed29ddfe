"""Options that many commands share, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Data", "Database", "Domain", "Json"]

Data = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="VPBX_DATA",
        metavar="DIR",
        file_okay=False,
        help="Directory that holds everything the server keeps.",
    ),
]
Database = Annotated[
    str,
    typer.Option(
        "--database",
        envvar="VPBX_DATABASE",
        metavar="URL",
        help="postgresql://USER:PASSWORD@HOST/NAME; without it, SQLite in the data directory.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]
Domain = Annotated[str, typer.Argument(metavar="DOMAIN", help="The company, like acme.example.")]
