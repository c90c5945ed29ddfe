"""`vpbx serve`: the server itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from vpbx import config
from vpbx.cli.options import (
    Advertise,
    Certificate,
    Data,
    Database,
    Http,
    Https,
    PrivateKey,
    RtpPorts,
    Sip,
    SipTls,
    WebrtcPort,
    option,
)
from vpbx.cli.parameters import grouped
from vpbx.config import ServeConfig


@dataclass(frozen=True)
class Options:
    """How the server is started, as it was typed or stands in the environment."""

    data: Data = Path(config.DEFAULT_DATA)
    http: Http = config.DEFAULT_HTTP
    https: Https = config.DEFAULT_HTTPS
    sip: Sip = config.DEFAULT_SIP
    sip_tls: SipTls = config.DEFAULT_SIP_TLS
    rtp_ports: RtpPorts = config.DEFAULT_RTP
    webrtc_port: WebrtcPort = config.DEFAULT_WEBRTC
    advertise: Advertise = ""
    public_url: Annotated[
        str,
        option(
            "--public-url",
            "URL",
            "How links to recordings begin; without it https://{domain} and the port of --https.",
            show_default=False,
        ),
    ] = ""
    database: Database = ""
    certificate: Certificate = None
    private_key: PrivateKey = None
    acme: Annotated[
        str,
        option(
            "--acme",
            "EMAIL",
            "Get public certificates for all companies from Let's Encrypt; the address is told "
            "when one could not be renewed.",
            show_default=False,
        ),
    ] = ""
    acme_http: Annotated[
        str,
        option("--acme-http", "HOST:PORT", "What the outside reaches as port 80, for --acme."),
    ] = config.DEFAULT_ACME_HTTP
    acme_directory: Annotated[
        str, option("--acme-directory", "URL", "Another authority than Let's Encrypt.")
    ] = config.DEFAULT_ACME
    acme_trust: Annotated[
        Path | None,
        option("--acme-trust", "FILE", "Certificates to trust that authority by, PEM."),
    ] = None
    smtp: Annotated[
        str,
        option(
            "--smtp",
            "URL",
            "Mail server, smtp[s]://USER:PASSWORD@HOST:PORT, for voicemail and faxes; better in "
            "the environment, where others do not see it.",
            show_default=False,
        ),
    ] = ""
    mail_from: Annotated[
        str, option("--mail-from", "ADDRESS", "Who letters are from.", show_default=False)
    ] = ""
    bridge: Annotated[
        Path | None,
        option("--bridge", "FILE", "Serve a bridge to a database too (docs/bridge.md)."),
    ] = None
    trusted_proxies: Annotated[
        str,
        option(
            "--trusted-proxies",
            "NETS",
            "Addresses or networks of TLS proxies in front of --http, comma-separated.",
            show_default=False,
        ),
    ] = ""
    allow_private_crm: Annotated[
        bool,
        typer.Option(
            "--allow-private-crm",
            envvar="VPBX_ALLOW_PRIVATE_CRM",
            help="With several companies, too, CRM, webhook and operator addresses may be private.",
        ),
    ] = False
    media: Annotated[
        str,
        option(
            "--media",
            "udp:HOST:PORT",
            "An RTPProxy elsewhere; without it, one inside this process.",
            show_default=False,
        ),
    ] = ""
    sip_connections: Annotated[
        int,
        option(
            "--sip-connections",
            "N",
            "TCP and TLS connections one address may have before its phones register.",
        ),
    ] = config.DEFAULT_SIP_CONNECTIONS
    digest_without_qop: Annotated[
        str,
        option(
            "--digest-without-qop",
            "once|reuse|off",
            "Old phones that answer a challenge without qop: take each challenge once, take it "
            "again for five minutes (a copied request could be replayed), or refuse them.",
        ),
    ] = config.DEFAULT_WITHOUT_QOP
    log_level: Annotated[
        str, option("--log-level", "LEVEL", ", ".join(config.LOG_LEVELS) + ".")
    ] = "info"
    log_sip: Annotated[
        Path | None,
        option(
            "--log-sip",
            "FILE",
            "Write every SIP message there, as Wireshark reads it (pcap), without credentials.",
            show_default=False,
            dir_okay=False,
        ),
    ] = None
    makecalls_per_employee: Annotated[
        int,
        option(
            "--makecalls-per-employee",
            "N",
            "Calls by makecall that one employee may have at once; 0: no limit.",
            min=0,
            max=10_000,
        ),
    ] = config.DEFAULT_MAKECALLS_PER_EMPLOYEE
    makecalls_per_second: Annotated[
        int,
        option(
            "--makecalls-per-second",
            "N",
            "Calls by makecall that one API key may ask for in a second; 0: no limit.",
            min=0,
            max=10_000,
        ),
    ] = config.DEFAULT_MAKECALLS_PER_SECOND
    crm_log_days: Annotated[
        int,
        option("--crm-log-days", "N", "How long it is kept what was sent to CRMs, and is fetched."),
    ] = config.DEFAULT_CRM_LOG_DAYS


@grouped
def serve(options: Options) -> None:
    """Run the PBX until SIGTERM or Ctrl-C; prints one line `ready …` when it takes calls."""
    settings = ServeConfig.parse(**vars(options))
    from vpbx.app.running import run  # not for --help, nor for a wrong option: it loads it all

    run(settings)
