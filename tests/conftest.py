"""Fixtures for all tests: a private PostgreSQL, and `database` on both dialects.

`database` is an open, migrated, empty database, once on SQLite and once on PostgreSQL; a test
that needs only one asks for `sqlite_database`. `postgres_url` / `sqlite_url` give the URL of an
empty, not yet migrated database.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from vpbx.db import Database


@dataclass(frozen=True)
class PostgresServer:
    """A running private cluster, reached through a Unix socket in `socket_dir`."""

    bin: Path
    socket_dir: Path
    prefix: tuple[str, ...]

    def sql(self, statement: str) -> None:
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
        return f"postgresql://vpbx@/{name}?host={self.socket_dir}"


def _postgres_bin() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    which = shutil.which("initdb")
    return Path(which).resolve().parent if which else None


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
    pytest.skip("PostgreSQL cannot run as root here and there is no other user")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start a PostgreSQL cluster of our own: no port, no fsync, gone afterwards."""
    bin_dir = _postgres_bin()
    if bin_dir is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
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
        "-c full_page_writes=off -c max_connections=60 -c shared_buffers=32MB"
    )
    run(bin_dir / "pg_ctl", "-D", data, "-o", options, "-l", home / "log", "-w", "start")
    try:
        yield PostgresServer(bin_dir, home, prefix)
    finally:
        run(bin_dir / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(home, ignore_errors=True)


async def _migrate(url: str) -> None:
    database = Database.from_url(url)
    await database.migrate()
    await database.close()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """Make a migrated database once, which others are copied from."""
    postgres_server.sql("CREATE DATABASE vpbx_migrated TEMPLATE template0")
    asyncio.run(_migrate(postgres_server.url("vpbx_migrated")))
    return "vpbx_migrated"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a migrated SQLite file once, which others are copied from."""
    path = tmp_path_factory.mktemp("migrated") / "vpbx.sqlite3"
    asyncio.run(_migrate(f"sqlite:///{path}"))
    return path


def _wants_migrated(request: pytest.FixtureRequest) -> bool:
    return bool({"database", "sqlite_database"} & set(request.fixturenames))


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest, postgres_server: PostgresServer) -> str:
    """Give the URL of an empty PostgreSQL database (they all go with the server).

    In a test that also asks for `database` it is that database, so already migrated.
    """
    template = "template0"
    if _wants_migrated(request):
        template = request.getfixturevalue("postgres_template")
    name = f"t_{uuid.uuid4().hex}"
    postgres_server.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    return postgres_server.url(name)


@pytest.fixture
def sqlite_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an SQLite file that does not exist yet (but see `postgres_url`)."""
    path = tmp_path / "vpbx.sqlite3"
    if _wants_migrated(request):
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of an empty database, on each dialect in turn (but see `postgres_url`)."""
    fixture = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(fixture)
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Give an open, migrated, empty database, on each dialect in turn."""
    opened = Database.from_url(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite_database(sqlite_url: str) -> AsyncIterator[Database]:
    """Give an open, migrated, empty SQLite database."""
    opened = Database.from_url(sqlite_url)
    yield opened
    await opened.close()
