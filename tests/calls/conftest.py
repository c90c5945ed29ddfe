"""A PBX with everything real but the CRM: SIP, media, SQLite; phones and a carrier of `vpbx.sim`.

The media engine takes a second to stop, so all tests of this folder share one, on one loop.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from structlog.typing import EventDict

from tests.calls.world import DOMAIN, EVE, PASSWORD, World, found_company, media_config
from tests.support.watcher import Make, Watcher
from vpbx.media import MediaEngine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and inspect.iscoroutinefunction(
            getattr(item, "function", None)
        ):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def shared_media(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MediaEngine]:
    engine = MediaEngine(media_config(tmp_path_factory.mktemp("media")))
    await engine.start()
    yield engine
    await engine.stop()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database file every test begins with a copy of."""
    file = tmp_path_factory.mktemp("company") / "vpbx.sqlite3"
    await found_company(file)
    return file


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    """What is logged during the test; an error that is not expected fails it."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
def new_world(
    tmp_path: Path, shared_media: MediaEngine, company: Path, logs: list[EventDict]
) -> World:
    """Where a test takes place, not started yet."""
    made = World(tmp_path, shared_media, company)
    made.logs = logs
    return made


@asynccontextmanager
async def running(made: World, **start: Any) -> AsyncIterator[None]:
    """Start a world as `start` says, and stop it."""
    await made.start(**start)
    try:
        yield
    finally:
        await made.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def world(new_world: World) -> AsyncIterator[World]:
    """Company acme.example: numbers 74950000001 (ann) and 74950000002 (sales: ann, bob)."""
    async with running(new_world):
        yield new_world


@pytest_asyncio.fixture(loop_scope="session")
async def hasty_world(new_world: World) -> AsyncIterator[World]:
    """The same, where ten seconds of call control take one; SIP and sound take their time.

    A parked call rings back after 40 s, which are four, not 90."""
    async with running(new_world, speed=10.0, park_s=40.0):
        yield new_world


@pytest_asyncio.fixture(loop_scope="session")
async def small_world(new_world: World) -> AsyncIterator[World]:
    """The same on a switch that takes two calls at a time."""
    async with running(new_world, max_calls_per_domain=2):
        yield new_world


@pytest_asyncio.fixture(loop_scope="session")
async def impatient_world(new_world: World) -> AsyncIterator[World]:
    """The same on a switch that waits for carriers a second at most."""
    async with running(new_world, trunk_silence_s=0.3, dial_timeout_s=1.0):
        yield new_world


@pytest_asyncio.fixture(loop_scope="session")
async def patient_world(new_world: World) -> AsyncIterator[World]:
    """The same on a switch that waits a minute and a half for a carrier that says nothing."""
    async with running(new_world, trunk_silence_s=90.0):
        yield new_world


@pytest_asyncio.fixture(loop_scope="session")
async def phone_of(world: World) -> AsyncIterator[Make]:
    """Make a phone that subscribes; its employee is on the BLF list unless `listed` is False."""
    made: list[Watcher] = []

    async def make(login: str = EVE, *, listed: bool = True, **options: str) -> Watcher:
        if listed:
            await world.directory.blf.add(await world.domain(), [login])
            await world.domain()
        options = {"domain": DOMAIN, "password": PASSWORD, **options}
        phone = await Watcher(login, world.hop(), **options).start()
        made.append(phone)
        return phone

    yield make
    for phone in made:
        phone.close()
