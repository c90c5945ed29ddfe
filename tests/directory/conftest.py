"""Two companies on each database: `acme` and its neighbour `other`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from vpbx.db import Database
from vpbx.directory import Directory, DomainConfig, Secrets


@pytest.fixture
async def directory(database: Database, tmp_path: Path) -> AsyncIterator[Directory]:
    opened = Directory(database, poll_s=0.05, secrets=Secrets.from_file(tmp_path / "secret.key"))
    await opened.start()
    yield opened
    await opened.stop()


@pytest.fixture
async def acme(directory: Directory) -> DomainConfig:
    return (await directory.companies.add("acme.example", password="password1")).domain


@pytest.fixture
async def other(directory: Directory) -> DomainConfig:
    return (await directory.companies.add("other.example", password="password2")).domain
