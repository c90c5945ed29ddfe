"""Running `vpbx` as people do: in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import VPBX, run_vpbx, until_taken
from tests.support.ports import rtp_ports

ANY_PORTS = (
    *("--http", "127.0.0.1:0", "--https", "127.0.0.1:0"),
    *("--sip", "127.0.0.1:0", "--sip-tls", "127.0.0.1:0"),
    *("--rtp-ports", rtp_ports()),
)


class Cli:
    """Commands on one data directory."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.servers: list[Server] = []
        self.patience_s = 60.0
        """So long a command may take."""

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "COLUMNS": "200", **environment}
        words = (*words, "--data", str(self.data))
        done = run_vpbx(*words, timeout_s=self.patience_s, env=env)
        if any(server.process.poll() is None for server in self.servers):
            until_taken(words)
        return done

    def json(self, *words: str) -> Any:
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def serve(self, *options: str) -> Server:
        server = Server(self.data, options or ANY_PORTS)
        self.servers.append(server)
        return server


class Server:
    """`vpbx serve`, up and ready."""

    def __init__(self, data: Path, options: tuple[str, ...]) -> None:
        self.process = subprocess.Popen(
            [VPBX, "serve", "--data", str(data), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline().strip()
        """The line `ready`."""
        if not self.line:
            assert self.process.stderr is not None
            raise AssertionError(f"no line 'ready':\n{self.process.stderr.read()}")
        self.at = dict(word.split("=", 1) for word in self.line.split()[1:])

    @property
    def api(self) -> str:
        return f"http://{self.at['http']}/crmapi/v1"

    @property
    def sip_port(self) -> int:
        return int(self.at["sip"].rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Send a signal and return the seconds until the end."""
        began_at = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - began_at


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    made = Cli(tmp_path / "data")
    yield made
    for server in made.servers:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()
