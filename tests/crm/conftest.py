"""Fixtures for the tests of the CRM connection."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.crm.world import Crm, Node, integration, running_node
from vpbx.db import Database


@pytest.fixture
async def crm() -> AsyncIterator[Crm]:
    """Give a CRM that takes everything."""
    async with Crm() as receiver:
        yield receiver


@pytest.fixture
async def node(database: Database, crm: Crm) -> AsyncIterator[Node]:
    """Give a node whose domain 1 is connected to `crm`, on each kind of database."""
    async with running_node(database, {1: integration(crm.url)}) as running:
        yield running
