"""`vpbx demo`: a company, a carrier, a phone and a CRM, and calls between them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vpbx import config
from vpbx.cli.options import Data


def demo(
    data: Data = Path(config.DEFAULT_DATA),
    once: Annotated[
        bool, typer.Option("--once", help="End after the scripted calls: status 0 if all is right.")
    ] = False,
) -> None:
    """Show a company at work: calls in and out, with real sound, and what the CRM hears."""
