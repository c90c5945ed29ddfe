"""A PostgreSQL cluster of our own: no port, no fsync, gone afterwards; for tests and bench."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class NoPostgres(Exception):
    """There is none to be had here; the text says why."""


@dataclass(frozen=True)
class PostgresServer:
    """A running private cluster, reached through a Unix socket in `socket_dir`."""

    bin: Path
    socket_dir: Path
    prefix: tuple[str, ...]

    def sql(self, statement: str) -> None:
        """Run one statement as the owner of everything."""
        subprocess.run(
            [
                *(*self.prefix, self.bin / "psql", "-h", self.socket_dir, "-U", "vpbx"),
                *("-d", "postgres", "-q", "-c", statement),
            ],
            check=True,
            capture_output=True,
            cwd="/",
        )

    def url(self, name: str) -> str:
        """Return the URL of the database `name`."""
        return f"postgresql://vpbx@/{name}?host={self.socket_dir}"


@contextmanager
def running_postgres(shared_buffers: str = "32MB") -> Iterator[PostgresServer]:
    """Start a cluster in a new folder under /tmp. Raises NoPostgres where that cannot be."""
    bin_dir = _postgres_bin()
    prefix = _as_other_user()
    home = Path(tempfile.mkdtemp(prefix="vpbx-pg-", dir="/tmp"))
    data = home / "data"
    if prefix:
        uid = int(prefix[1].split("=")[1])
        os.chown(home, uid, -1)

    def run(*command: str | Path) -> None:
        done = subprocess.run([*prefix, *command], capture_output=True, text=True, cwd="/")
        assert done.returncode == 0, done.stderr + done.stdout

    run(
        *(bin_dir / "initdb", "-D", data, "-U", "vpbx", "--auth=trust"),
        *("--encoding=UTF8", "--locale=C", "--no-sync"),
    )
    options = (
        f"-k {home} -c listen_addresses='' -c fsync=off -c synchronous_commit=off "
        f"-c full_page_writes=off -c max_connections=60 -c shared_buffers={shared_buffers}"
    )
    run(bin_dir / "pg_ctl", "-D", data, "-o", options, "-l", home / "log", "-w", "start")
    try:
        yield PostgresServer(bin_dir, home, prefix)
    finally:
        run(bin_dir / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(home, ignore_errors=True)


def _postgres_bin() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    which = shutil.which("initdb")
    if which is None:
        raise NoPostgres("PostgreSQL is not installed (apt-get install postgresql)")
    return Path(which).resolve().parent


def _as_other_user() -> tuple[str, ...]:
    """Return the command prefix that leaves root, which initdb refuses to run as."""
    if os.getuid() != 0:
        return ()
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return ("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    raise NoPostgres("PostgreSQL cannot run as root here and there is no other user")
