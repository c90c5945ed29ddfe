import itertools
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.ports import free_range
from vpbx.media import MediaConfig, MediaEngine, MediaSession, RtpEndpoint, RtpPeer, Side

_numbers = itertools.count(random.randrange(10**9))


def media_config(folder: Path, *, ports: int = 400, **changes: object) -> MediaConfig:
    low, high = free_range(ports)
    settings: dict[str, object] = {
        "spool_dir": folder / "spool",
        "record_dir": folder / "pcap",
        "prompts_dir": folder / "prompts",
        "listen_host": "127.0.0.1",
        "port_min": low,
        "port_max": high,
    }
    return MediaConfig(**(settings | changes))  # type: ignore[arg-type]


@pytest.fixture
def callid() -> str:
    return f"{os.getpid()}{next(_numbers)}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let all tests here share a loop, and so an engine: ending one takes a second."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("asyncio"):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MediaEngine]:
    engine = MediaEngine(media_config(tmp_path_factory.mktemp("media")))
    await engine.start()
    yield engine
    assert engine.sessions == 0
    await engine.stop()


Engines = Callable[..., Awaitable[MediaEngine]]


@pytest_asyncio.fixture(loop_scope="session")
async def new_engine(tmp_path: Path) -> AsyncIterator[Engines]:
    """Starts engines of one's own."""
    made: list[MediaEngine] = []

    async def make(**changes: object) -> MediaEngine:
        # Few ports: an RTPProxy whose sessions are over keeps some open until it has more to do.
        made.append(MediaEngine(media_config(tmp_path, ports=40, **changes)))
        await made[-1].start()
        return made[-1]

    yield make
    for engine in made:
        await engine.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def session(engine: MediaEngine, callid: str) -> AsyncIterator[MediaSession]:
    session = await engine.open(callid)
    yield session
    await close(session)


async def close(session: MediaSession) -> None:
    """Close a session and drop what it recorded: others count what is left in the folder."""
    recording = await session.close()
    for file in recording.files if recording is not None else ():
        file.unlink(missing_ok=True)


Phones = Callable[..., Awaitable[RtpEndpoint]]


@pytest_asyncio.fixture(loop_scope="session")
async def phone() -> AsyncIterator[Phones]:
    """Makes RTP endpoints that are closed at the end."""
    made: list[RtpEndpoint] = []

    async def make(payload_type: int = 8) -> RtpEndpoint:
        made.append(await RtpEndpoint.open(payload_type=payload_type))
        return made[-1]

    yield make
    for endpoint in made:
        endpoint.close()


def peer_of(endpoint: RtpEndpoint, *payloads: int) -> RtpPeer:
    host, port = endpoint.local
    return RtpPeer(host, port, payloads or (endpoint.payload_type,), endpoint.dtmf_payload)


async def connect(session: MediaSession, a: RtpEndpoint, b: RtpEndpoint) -> None:
    """Let two endpoints be the sides of a session."""
    await session.set_remote(Side.A, peer_of(a))
    b.connect(*session.local(Side.B))
    await session.set_remote(Side.B, peer_of(b))
    a.connect(*session.local(Side.A))
    await session.stats()  # answered after the addresses, which are not waited for
