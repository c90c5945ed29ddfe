"""Options that several commands share, each written once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

__all__ = [
    "Advertise",
    "Certificate",
    "Data",
    "Database",
    "Domain",
    "Http",
    "Https",
    "Json",
    "PrivateKey",
    "RtpPorts",
    "Sip",
    "SipTls",
    "Switch",
    "Yes",
    "option",
]


def option(name: str, metavar: str, text: str, *, show_default: bool = True, **more: Any) -> Any:
    """Return an option that the environment variable `VPBX_<NAME>` sets too."""
    variable = "VPBX_" + name.lstrip("-").replace("-", "_").upper()
    return typer.Option(
        name, metavar=metavar, envvar=variable, help=text, show_default=show_default, **more
    )


Data: TypeAlias = Annotated[
    Path,
    option("--data", "DIR", "Directory that holds everything the server keeps.", file_okay=False),
]
Database: TypeAlias = Annotated[
    str,
    option(
        "--database",
        "URL",
        "postgresql://USER:PASSWORD@HOST/NAME; without it what the server of --data uses: "
        "SQLite there, unless it was started with this option.",
        show_default=False,
    ),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]
Domain: TypeAlias = Annotated[
    str, typer.Argument(metavar="DOMAIN", help="The company, like acme.example.")
]

Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


class Switch(StrEnum):
    """A setting that is on or off, in words."""

    ON = "on"
    OFF = "off"


Http: TypeAlias = Annotated[
    str, option("--http", "HOST:PORT", "API in clear text: loopback, or behind a TLS proxy.")
]
Https: TypeAlias = Annotated[str, option("--https", "HOST:PORT", "API.")]
Sip: TypeAlias = Annotated[str, option("--sip", "HOST:PORT", "SIP over UDP and TCP.")]
SipTls: TypeAlias = Annotated[str, option("--sip-tls", "HOST:PORT", "SIP over TLS.")]
RtpPorts: TypeAlias = Annotated[str, option("--rtp-ports", "A-B", "UDP ports for sound.")]
WebrtcPort: TypeAlias = Annotated[
    str,
    option(
        "--webrtc-port",
        "PORT",
        "UDP port for the sound of browsers: auto (one of --rtp-ports), off.",
    ),
]
Advertise: TypeAlias = Annotated[
    str,
    option("--advertise", "IP", "Address the outside sees, behind NAT.", show_default=False),
]
Certificate: TypeAlias = Annotated[
    Path | None,
    option(
        "--certificate",
        "FILE",
        "Certificate chain, PEM, read again when it changes; without it our own.",
    ),
]
PrivateKey: TypeAlias = Annotated[
    Path | None, option("--private-key", "FILE", "Its private key, PEM.")
]
