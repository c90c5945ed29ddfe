"""Fixtures for all tests: a private PostgreSQL, and `database` on both dialects.

`database` is an open, migrated, empty database, once on SQLite and once on PostgreSQL; a test
that needs only one asks for `sqlite_database`. `postgres_url` / `sqlite_url` give the URL of an
empty, not yet migrated database.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support.alone import ALONE
from tests.support.mariadb import MariaDb, NoMariaDb, running_mariadb
from tests.support.postgres import NoPostgres, PostgresServer, running_postgres
from vpbx.db import Database

_LONG = (
    *("tests/e2e/test_branches.py", "tests/api/test_schemathesis.py", "tests/cli/test_sections.py"),
    *("tests/cli/test_crm_log.py", "tests/cli/test_editing.py", "tests/e2e/test_survival.py"),
    *("tests/paths/", "tests/docs/", "tests/console/test_pages.py", "tests/cli/", "tests/fax/"),
    *("tests/calls/test_transfer_targets.py", "tests/hostile/", "tests/e2e/", "tests/calls/"),
)
"""Files that take longest: they go first, so that no process is left alone with one at the end."""

# The same examples each time, and none fails because the machine is busy.
hypothesis.settings.register_profile(
    "steady",
    derandomize=True,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("steady")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests whose sound is measured by the clock, or made by others' programs, run alone."""
    for item in items:
        if item.nodeid.startswith(ALONE):
            item.add_marker(pytest.mark.alone)
    items.sort(key=lambda item: _place(item.nodeid))


def _place(nodeid: str) -> int:
    found = (place for place, part in enumerate(_LONG) if nodeid.startswith(part))
    return next(found, len(_LONG))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Leave what came of the tests where tests/run.py gathers it."""
    _print_fuzzed(terminalreporter)
    if hasattr(config, "workerinput"):
        return  # a part of what the run as a whole will tell
    stats = terminalreporter.stats
    skipped = Counter(_reason(report) for report in stats.get("skipped", ()))
    kinds = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")
    outcomes = {kind: len(stats.get(kind, ())) for kind in kinds}
    if path := os.environ.get("VPBX_TEST_SUMMARY"):
        with Path(path).open("a") as file:
            file.write(json.dumps({"outcomes": outcomes, "skipped": skipped}) + "\n")


def _reason(report: pytest.TestReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start a PostgreSQL cluster of our own: no port, no fsync, gone afterwards."""
    try:
        with running_postgres() as server:
            yield server
    except NoPostgres as why:
        pytest.skip(str(why))


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDb]:
    """Start a MariaDB of our own: no port, nothing synced, gone afterwards."""
    try:
        with running_mariadb() as server:
            yield server
    except NoMariaDb as why:
        pytest.skip(str(why))


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


def _print_fuzzed(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many messages the fuzzers sent, wherever they ran."""
    counts: dict[str, int] = {}
    for report in terminalreporter.stats.get("passed", []):
        for name, value in getattr(report, "user_properties", ()):
            if name == "fuzzed" and report.when == "call":
                counts[value[0]] = counts.get(value[0], 0) + value[1]
    if counts:
        shown = ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))
        terminalreporter.write_line(f"fuzzed without a finding: {shown}")
