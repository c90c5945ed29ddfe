"""`vpbx demo`: a company, a carrier, a phone and a CRM, and calls between them.

The PBX is the real one, started in this process. Around it stand the simulated carrier, phone
and CRM of `vpbx.sim`; everything between them is SIP, RTP and HTTP through real sockets.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vpbx.cli.output import FAULT

__all__ = ["demo"]

DEFAULT_DATA = Path("vpbx-data/demo")
"""Not the server's own: the demo's company has no business there."""


def demo(
    data: Annotated[
        Path,
        typer.Option(
            "--data", metavar="DIR", file_okay=False, help="Directory that keeps the demo."
        ),
    ] = DEFAULT_DATA,
    once: Annotated[
        bool, typer.Option("--once", help="End after the scripted calls: status 0 if all is right.")
    ] = False,
) -> None:
    """Show a company at work: calls in and out with real sound, and what the CRM hears."""
    from vpbx.cli.demo.stage import perform  # it loads the whole PBX

    if not perform(data, once=once):
        raise typer.Exit(FAULT)
