"""A real server: `vpbx serve` in a process of its own, told by `vpbx` commands and HTTP."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.support.command import VPBX, run_vpbx, until_taken
from tests.support.ports import free_port
from tests.support.ports import rtp_ports as any_rtp_ports

__all__ = ["VPBX", "Pbx", "free_port"]


class Pbx:
    """One server with a data directory; may be started, stopped and killed many times."""

    def __init__(
        self,
        data: Path,
        *,
        database: str = "",
        rtp_ports: str = "",
        http: str = "",
        under: tuple[str, ...] = (),
        more: tuple[str, ...] = (),
        host: str = "127.0.0.1",
    ) -> None:
        """`under` is a command that runs the server, such as `("prlimit", "--nofile=256")`;
        `more`: further options of `vpbx serve`; `host`: where it listens, but for plain HTTP."""
        self.more = more
        self.data, self.database, self.under = data, database, under
        self.rtp_ports = rtp_ports or any_rtp_ports()
        self.stderr: int | None = None
        """Where the server's log goes in place of `log_file`."""
        self.process: subprocess.Popen[bytes] | None = None
        self.addresses: dict[str, str] = {}
        self._host = host
        # Below the ports that go out by chance: nobody has them while it is down for a restart.
        self._sip, self._tls = (f"{host}:{free_port()}" for _ in range(2))
        self._http = http or f"127.0.0.1:{free_port()}"
        self.log_file = data.parent / f"{data.name}.log"

    def start(self, *, timeout_s: float = 60) -> Pbx:
        """Start the server and wait for its line `ready`; the same ports every time."""
        command = [*self.under, str(VPBX), "serve", "--data", str(self.data)]
        command += ["--https", f"{self._host}:0"]
        command.append("--allow-private-crm")  # the CRMs of all companies are in here
        command += ["--http", self._http, "--sip", self._sip, "--sip-tls", self._tls]
        command += ["--rtp-ports", self.rtp_ports, "--advertise", self._host]
        if self.database:
            command += ["--database", self.database]
        command += self.more
        with self.log_file.open("ab") as log:
            stderr = log if self.stderr is None else self.stderr
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr)
        assert self.process.stdout is not None
        watchdog = time.monotonic() + timeout_s
        line = b""
        while not line.startswith(b"ready"):
            line = self.process.stdout.readline()
            if not line or time.monotonic() > watchdog:
                self.kill()
                raise AssertionError(f"no line 'ready':\n{self.log()}")
        self._read_addresses(line.decode())
        return self

    def _read_addresses(self, ready: str) -> None:
        self.addresses = dict(re.findall(r"(\S+?)=(\S+)", ready))
        first = {name: value.split(",")[0] for name, value in self.addresses.items()}
        self._sip = re.sub(r"^\w+:(?=\d)", "", first["sip"])
        self._tls = re.sub(r"^\w+:(?=\d)", "", first["sip-tls"])
        self._http = re.sub(r"^https?://", "", first["http"]).rstrip("/")

    @property
    def sip(self) -> str:
        """`host:port` of SIP over UDP and TCP."""
        return self._sip

    @property
    def sip_tls(self) -> str:
        """`host:port` of SIP over TLS."""
        return self._tls

    @property
    def api(self) -> str:
        """Base URL of the API over plain HTTP."""
        return f"http://{self._http}/crmapi/v1"

    @property
    def https(self) -> str:
        """`host:port` of HTTPS."""
        return self.addresses["https"].split("://")[-1].rstrip("/").split(",")[0]

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self.process is not None
        return self.process.pid

    def log(self) -> str:
        """Return what the server logged."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def stop(self) -> float:
        """Send SIGTERM, wait for the end, return the seconds it took."""
        assert self.process is not None
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(40)
        return time.monotonic() - started

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def vpbx(self, *words: str) -> Any:
        """Run a command of vpbx on this server's data and return what it printed as JSON."""
        command = [*words, "--data", str(self.data), "--json"]
        if self.database:
            command += ["--database", self.database]
        done = run_vpbx(*command)
        if self.process is not None and self.process.poll() is None:
            until_taken(words)
        if done.returncode != 0:
            raise AssertionError(f"vpbx {' '.join(words)}: {done.stderr or done.stdout}")
        return json.loads(done.stdout) if done.stdout.strip() else None
