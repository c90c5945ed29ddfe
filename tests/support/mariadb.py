"""A MariaDB of our own: no port, nothing synced, gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["MariaDb", "NoMariaDb", "running_mariadb"]

_START_S = 60


class NoMariaDb(Exception):
    """There is none to be had here; the text says why."""


class MariaDb:
    """A private server, reached through a Unix socket; may be killed and started again."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._socket = home / "socket"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it, and wait until it answers."""
        options = (
            *("--no-defaults", f"--datadir={self._home / 'data'}", f"--socket={self._socket}"),
            *("--skip-networking", "--skip-name-resolve", f"--pid-file={self._home / 'pid'}"),
            *("--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M"),
            *("--innodb-fast-shutdown=2", "--performance-schema=OFF", *_user()),
        )
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen([_which("mariadbd"), *options], stdout=log, stderr=log)
        give_up = time.monotonic() + _START_S
        while self._ask("SELECT 1").returncode != 0:
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise AssertionError((self._home / "log").read_text())
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def sql(self, statement: str) -> None:
        """Run one statement as the owner of everything."""
        done = self._ask(statement)
        assert done.returncode == 0, done.stderr

    def url(self, name: str) -> str:
        """Return the URL of the database `name`."""
        return f"mariadb://root@localhost/{name}?unix_socket={self._socket}"

    def _ask(self, statement: str) -> subprocess.CompletedProcess[str]:
        command = ("mariadb", "--no-defaults", "-u", "root", "-S", self._socket, "-e", statement)
        return subprocess.run(command, capture_output=True, text=True, check=False)


@contextmanager
def running_mariadb() -> Iterator[MariaDb]:
    """Start a server in a new folder under /tmp. Raises NoMariaDb where that cannot be."""
    missing = [name for name in ("mariadbd", "mariadb-install-db", "mariadb") if not _which(name)]
    if missing:
        raise NoMariaDb("MariaDB is not installed (apt-get install mariadb-server-core)")
    home = Path(tempfile.mkdtemp(prefix="vpbx-maria-", dir="/tmp"))
    try:
        made = subprocess.run(
            [
                *("mariadb-install-db", "--no-defaults", f"--datadir={home / 'data'}"),
                *("--auth-root-authentication-method=normal", "--skip-test-db", *_user()),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        server = MariaDb(home)
        server.start()
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _which(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")


def _user() -> tuple[str, ...]:
    """Say that it may run as root, where we do: it lives for a test, without a port."""
    return ("--user=root",) if os.getuid() == 0 else ()
