"""The page for those who connect a CRM: its receiver runs, and its commands, on a real server."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.support.pbx import Pbx, free_port

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "crm.md"


def wait_for(port: int) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < until, "the receiver does not listen"
            time.sleep(0.05)


def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    port = free_port()
    page = PAGE.read_text().replace(":8000/", f":{port}/").replace(", 8000,", f", {port},")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", page, re.M | re.S)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "VPBX_DATA": str(tmp_path / "data"),
        "PYTHONPATH": str(ROOT / "sdk" / "src"),
    }

    def run(command: str) -> str:
        ran = subprocess.run(
            ["bash", "-e", "-c", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=110,
        )
        assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    said: list[str] = []
    pbx = Pbx(tmp_path / "data").start()
    receiver = None
    try:
        run("vpbx domain add acme.example")
        for kind, code in blocks:
            if kind == "python":
                (tmp_path / "crm.py").write_text(code)
                with (tmp_path / "told").open("wb") as told:
                    receiver = subprocess.Popen(
                        [sys.executable, "crm.py"],
                        cwd=tmp_path,
                        env=environment,
                        stdout=told,
                        stderr=subprocess.DEVNULL,
                    )
                wait_for(port)
            else:
                said.append(run(code))
    finally:
        if receiver is not None:
            receiver.kill()
            receiver.wait()
        pbx.kill()
    assert "Ivan Petrov" in said[0]
    assert (tmp_path / "told").read_text() == "Success 79101234567 23 s\n"
    assert "popup" in said[2]
    assert "commands will be sent once more" in said[4]
