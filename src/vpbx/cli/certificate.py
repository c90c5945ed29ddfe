"""`vpbx certificate`: what clients are shown, and what they must trust."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from vpbx import config
from vpbx.cli.options import Certificate, Data, Json, PrivateKey
from vpbx.cli.output import Fault, show_fields
from vpbx.config import ServeConfig

app = typer.Typer(no_args_is_help=True, help="Certificates of the server.")

Authoritys = Annotated[
    bool, typer.Option("--ca", help="Print the certificate of the server's own authority, PEM.")
]
ShownTo = Annotated[
    str,
    typer.Argument(metavar="[DOMAIN]", help="What who names it is shown.", show_default=False),
]


@app.command()
def show(
    ca: Authoritys = False,
    domain: ShownTo = "",
    data: Data = Path(config.DEFAULT_DATA),
    certificate: Certificate = None,
    private_key: PrivateKey = None,
    as_json: Json = False,
) -> None:
    """Show a certificate: for whom, by whom, until when. Docs: docs/tls.md."""
    from vpbx.app.authority import Authority  # cryptography takes a while: not for --help
    from vpbx.app.certificate import Certificate as Held
    from vpbx.app.certificate import shown_to
    from vpbx.app.datadir import DataDir

    directory = DataDir(data)
    if not directory.is_used:
        raise Fault(f"There is no PBX in {data.absolute()}; name its directory with --data DIR.")
    directory.prepare()
    if ca:
        sys.stdout.write(Authority(directory.tls).pem.decode())
        return
    settings = ServeConfig.parse(data=data, certificate=certificate, private_key=private_key)
    path = shown_to(settings, domain)
    try:
        held = Held.read(path)
    except (OSError, ValueError) as error:
        raise Fault(f"{path}: {error}; a server makes it when it is first asked for.") from error
    show_fields(
        {
            "file": str(path),
            "names": list(held.names),
            "issuer": held.issuer,
            "from": f"{held.not_before:%Y-%m-%dT%H:%M:%SZ}",
            "until": f"{held.not_after:%Y-%m-%dT%H:%M:%SZ}",
        },
        as_json=as_json,
    )
