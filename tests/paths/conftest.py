"""A whole server in this process, on each database in turn, and a company of its own a test."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.paths.scene import Scene
from tests.support.crm import Receiver
from tests.support.postgres import NoPostgres, running_postgres
from vpbx.app.server import App
from vpbx.config import ServeConfig

_serial = itertools.count(1)
_ports = itertools.count(30_000, 1000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let all tests of a database share a server: starting and stopping one takes seconds."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and inspect.iscoroutinefunction(
            getattr(item, "function", None)
        ):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(params=["sqlite", "postgresql"], scope="session", loop_scope="session")
async def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[App]:
    """A running server."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "sqlite":
        async with _running(folder, "") as app:
            yield app
        return
    try:
        with running_postgres() as postgres:
            postgres.sql("CREATE DATABASE paths TEMPLATE template0")
            async with _running(folder, postgres.url("paths")) as app:
                yield app
    except NoPostgres as why:
        pytest.skip(str(why))


class _running:
    def __init__(self, folder: Path, database: str) -> None:
        low = next(_ports)
        self.app = App(
            ServeConfig.parse(
                data=folder / "data",
                http="127.0.0.1:0",
                https="off",
                sip="127.0.0.1:0",
                sip_tls="off",
                rtp_ports=f"{low}-{low + 399}",
                advertise="127.0.0.1",
                allow_private_crm=True,
                database=database,
            )
        )

    async def __aenter__(self) -> App:
        await self.app.start()
        return self.app

    async def __aexit__(self, *exc: object) -> None:
        await self.app.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def scene(server: App) -> AsyncIterator[Scene]:
    """acme-N.example: ann (702), bob (703), eve (704), Sales (ann, bob), two numbers, a CRM."""
    async with Receiver() as crm, aiohttp.ClientSession() as http:
        made = Scene(server, crm, http, next(_serial))
        try:
            await made.start()
            yield made
            await crm.until(lambda: not crm.asking)
        finally:
            await asyncio.wait_for(made.stop(), 20)
        assert made.untrue == []
