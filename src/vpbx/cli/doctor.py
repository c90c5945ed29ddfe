"""`vpbx doctor`: what is wrong with this machine, and how to mend it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path

import typer

from vpbx import config
from vpbx.cli import checks
from vpbx.cli.findings import Finding
from vpbx.cli.options import (
    Advertise,
    Certificate,
    Data,
    Database,
    Http,
    Https,
    Json,
    PrivateKey,
    RtpPorts,
    Sip,
    SipTls,
)
from vpbx.cli.output import FAULT, out
from vpbx.config import ServeConfig

_SIGNS = {
    checks.Result.OK: "[green]  ok [/green]",
    checks.Result.WARNING: "[yellow] warn[/yellow]",
    checks.Result.BAD: "[bold red] bad [/bold red]",
}


def doctor(
    data: Data = Path(config.DEFAULT_DATA),
    http: Http = config.DEFAULT_HTTP,
    https: Https = config.DEFAULT_HTTPS,
    sip: Sip = config.DEFAULT_SIP,
    sip_tls: SipTls = config.DEFAULT_SIP_TLS,
    rtp_ports: RtpPorts = config.DEFAULT_RTP,
    advertise: Advertise = "",
    database: Database = "",
    certificate: Certificate = None,
    private_key: PrivateKey = None,
    as_json: Json = False,
) -> None:
    """Check ports, certificate, database, media engine, clock and disk.

    Takes the same options as [bold]vpbx serve[/bold]; exit status 1 when something is bad.
    """
    settings = ServeConfig.parse(
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
    )
    from vpbx.app import logs  # loads structlog: not for --help

    logs.set_up("error")
    findings = asyncio.run(checks.examine(settings))
    if as_json:
        print(json.dumps([finding.as_dict() for finding in findings], ensure_ascii=False))
    else:
        _show(findings)
    if any(finding.result is checks.Result.BAD for finding in findings):
        raise typer.Exit(FAULT)


def _show(findings: Iterable[Finding]) -> None:
    for finding in findings:
        sign = _SIGNS[finding.result]
        out.print(f"{sign} [bold]{finding.subject}[/bold]  {finding.found}", soft_wrap=True)
        if finding.remedy:
            out.print(f"        → {finding.remedy}", soft_wrap=True)
