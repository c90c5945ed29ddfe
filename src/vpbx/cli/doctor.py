"""`vpbx doctor`: what is wrong with this machine, and how to mend it."""

from __future__ import annotations

from pathlib import Path

from vpbx import config
from vpbx.cli.options import Data, Database, Json


def doctor(
    data: Data = Path(config.DEFAULT_DATA), database: Database = "", as_json: Json = False
) -> None:
    """Check ports, certificate, database, media engine, clock and disk."""
