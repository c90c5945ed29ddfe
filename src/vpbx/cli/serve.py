"""`vpbx serve`: the server itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vpbx import config
from vpbx.cli.options import Data, Database
from vpbx.config import ServeConfig


def _option(name: str, metavar: str, text: str, *, show_default: bool = True) -> Any:
    variable = "VPBX_" + name.lstrip("-").replace("-", "_").upper()
    return typer.Option(
        name, metavar=metavar, envvar=variable, help=text, show_default=show_default
    )


def serve(
    data: Data = Path(config.DEFAULT_DATA),
    http: Annotated[
        str, _option("--http", "HOST:PORT", "API in clear text: loopback, or behind a TLS proxy.")
    ] = config.DEFAULT_HTTP,
    https: Annotated[str, _option("--https", "HOST:PORT", "API.")] = config.DEFAULT_HTTPS,
    sip: Annotated[
        str, _option("--sip", "HOST:PORT", "SIP over UDP and TCP.")
    ] = config.DEFAULT_SIP,
    sip_tls: Annotated[
        str, _option("--sip-tls", "HOST:PORT", "SIP over TLS.")
    ] = config.DEFAULT_SIP_TLS,
    rtp_ports: Annotated[
        str, _option("--rtp-ports", "A-B", "UDP ports for sound.")
    ] = config.DEFAULT_RTP,
    advertise: Annotated[
        str,
        _option("--advertise", "IP", "Address the outside sees, behind NAT.", show_default=False),
    ] = "",
    database: Database = "",
    certificate: Annotated[
        Path | None,
        _option("--certificate", "FILE", "Certificate chain, PEM; without it a self-signed one."),
    ] = None,
    private_key: Annotated[
        Path | None, _option("--private-key", "FILE", "Its private key, PEM.")
    ] = None,
    trusted_proxies: Annotated[
        str,
        _option(
            "--trusted-proxies",
            "NETS",
            "Addresses or networks of TLS proxies in front of --http, comma-separated.",
            show_default=False,
        ),
    ] = "",
    media: Annotated[
        str,
        _option(
            "--media",
            "udp:HOST:PORT",
            "An RTPProxy elsewhere; without it, one inside this process.",
            show_default=False,
        ),
    ] = "",
    log_level: Annotated[
        str, _option("--log-level", "LEVEL", ", ".join(config.LOG_LEVELS) + ".")
    ] = "info",
) -> None:
    """Run the PBX until SIGTERM or Ctrl-C; prints one line `ready …` when it takes calls."""
    from vpbx.app.server import run

    run(
        ServeConfig.parse(
            data=data,
            http=http,
            https=https,
            sip=sip,
            sip_tls=sip_tls,
            rtp_ports=rtp_ports,
            advertise=advertise,
            database=database,
            certificate=certificate,
            private_key=private_key,
            trusted_proxies=trusted_proxies,
            media=media,
            log_level=log_level,
        )
    )
