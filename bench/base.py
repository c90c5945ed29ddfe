"""A server of another checkout, to compare with in the same run: `make bench cpu BASE=../before`.

The other checkout has its own `.venv` and makes its own company; what is asked of its code is
`bench.company.make_company` and `tests.support.pbx.Pbx`, which a program run in it uses.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROGRAM = """
import asyncio, json, sys
from pathlib import Path
from bench.company import make_company
from tests.support.pbx import Pbx
folder, rtp_ports, options = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
asyncio.run(make_company(folder / "data", **options))
pbx = Pbx(folder / "data", rtp_ports=rtp_ports)
try:
    pbx.start()
    print(json.dumps({"pid": pbx.pid, "sip": pbx.sip}), flush=True)
    sys.stdin.read()
finally:
    pbx.kill()
"""


@contextmanager
def server(
    checkout: Path,
    folder: Path,
    *,
    carrier_port: int,
    phones_port: int,
    crm_url: str,
    rtp_ports: str = "32000-41998",
) -> Iterator[tuple[int, int]]:
    """Run a server of `checkout` in `folder`; gives its process id and its port for SIP."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    python = checkout / ".venv/bin/python"
    options = {"carrier_port": carrier_port, "phones_port": phones_port, "crm_url": crm_url}
    running = subprocess.Popen(
        [str(python), "-c", _PROGRAM, str(folder.resolve()), rtp_ports, json.dumps(options)],
        cwd=checkout,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        line = running.stdout.readline()
        if not line:
            sys.exit(f"the server of {checkout} did not start")
        told = json.loads(line)
        yield told["pid"], int(told["sip"].rpartition(":")[2])
    finally:
        running.communicate("")
