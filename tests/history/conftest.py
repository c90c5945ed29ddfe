"""Fixtures for the tests of history."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.history.world import World, running_world
from vpbx.db import Database


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[World]:
    """Give a node with history on each kind of database."""
    async with running_world(database, tmp_path / "records") as running:
        yield running


@pytest.fixture
async def sqlite_world(sqlite_database: Database, tmp_path: Path) -> AsyncIterator[World]:
    """Give a node with history where the kind of database does not matter."""
    async with running_world(sqlite_database, tmp_path / "records") as running:
        yield running
