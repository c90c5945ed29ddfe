import asyncio
import gc
import shutil
import socket
from pathlib import Path

import pytest

from tests.support.effort import effort
from tests.support.ports import free_range
from vpbx.media import MediaEngine, MediaError, MediaSession, RtpPeer, Side
from vpbx.media.end import End
from vpbx.media.gate import Gate

from .conftest import Engines, Phones, close, connect, media_config


async def test_a_healthy_engine_says_so(engine: MediaEngine) -> None:
    health = await engine.health()
    assert health.version
    assert health.ports == f"{engine.config.port_min}-{engine.config.port_max}"
    assert health.problems == ()
    assert health.ok


async def test_the_doctor_is_told_what_is_wrong(new_engine: Engines, tmp_path: Path) -> None:
    low, _ = free_range(20)
    engine = await new_engine(port_min=low, port_max=low + 19)
    shutil.rmtree(tmp_path / "prompts" / "en")
    health = await engine.health()
    assert not health.ok
    assert any("prompts/en" in problem for problem in health.problems)
    assert any("--rtp-ports" in problem for problem in health.problems)
    await engine.stop()
    assert any("does not answer" in problem for problem in (await engine.health()).problems)


async def test_several_engines_live_in_one_process(
    engine: MediaEngine, new_engine: Engines
) -> None:
    other = await new_engine()
    one, two = await engine.open("1"), await other.open("1")
    assert one.local(Side.A) != two.local(Side.A)
    await one.close()
    await two.close()


async def test_a_session_that_is_over_leaves_nothing_to_the_collector_of_garbage(
    engine: MediaEngine,
) -> None:
    others: list[Gate | End] = []

    def left() -> list[Gate | End]:
        known = {id(each) for each in others}
        found = [each for each in gc.get_objects() if isinstance(each, Gate | End)]
        return [each for each in found if id(each) not in known]

    gc.collect()
    gc.disable()  # it would halt all calls to find what a session has left in circles
    try:
        others = left()
        session = await engine.open("1")
        await session.set_remote(Side.A, RtpPeer("127.0.0.1", 4000, payloads=(8,)))
        await session.set_remote(Side.B, RtpPeer("127.0.0.1", 4002, payloads=(8,)))
        assert len(left()) == 4
        await session.close()
        del session
        await asyncio.sleep(0)
        assert left() == []
    finally:
        gc.enable()


async def test_an_engine_can_be_started_again(new_engine: Engines) -> None:
    engine = await new_engine()
    await engine.stop()
    await engine.stop()
    await engine.start()
    await (await engine.open("1")).close()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"port_min": 20000, "port_max": 100}, "20000-100"),
        ({"port_min": 20000, "port_max": 70000}, "20000-70000"),
        ({"listen_host": "192.0.2.1"}, r"192\.0\.2\.1"),
        ({"listen_host": "no such host"}, "no such host"),
    ],
)
async def test_where_it_cannot_listen_is_refused(
    tmp_path: Path, wrong: dict[str, object], words: str
) -> None:
    with pytest.raises(MediaError, match=words):
        await MediaEngine(media_config(tmp_path, **wrong)).start()


async def test_an_engine_on_all_addresses_tells_one_that_can_be_reached(
    new_engine: Engines,
) -> None:
    engine = await new_engine(listen_host="0.0.0.0")
    session = await engine.open("1")
    assert session.local(Side.A)[0] not in ("0.0.0.0", "")
    await session.close()
    advertised = await new_engine(listen_host="0.0.0.0", advertise="203.0.113.9")
    session = await advertised.open("1")
    assert session.local(Side.B)[0] == "203.0.113.9"
    await session.close()


async def test_an_engine_that_stops_answering_is_replaced(
    new_engine: Engines, phone: Phones
) -> None:
    engine = await new_engine()
    ended = asyncio.Event()
    old = await engine.open("old", on_timeout=ended.set)
    control = engine.proxy.control
    engine.proxy._proxy.rtpp_sock.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]
    async with asyncio.timeout(20):
        await ended.wait()  # calls that have no sound any more are ended
    assert engine.proxy.control is not control
    await old.close()
    session = await engine.open("new")
    a, b = await phone(8), await phone(8)
    await connect(session, a, b)
    a.send_tone(440)
    await b.hear(20)
    assert abs(b.frequency(0.2) - 440) < 5
    await close(session)


async def test_the_commands_of_a_call_cost_little_processor_time(engine: MediaEngine) -> None:
    """Python's share, all commands of a recorded call; the budget is 0.1 ms on a quiet machine."""

    async def call(number: int) -> None:
        session = await engine.open(f"cost{number}")
        await session.set_remote(Side.A, RtpPeer("127.0.0.1", 40000, (8, 0), 101))
        await session.set_remote(Side.B, RtpPeer("127.0.0.1", 40002, (8, 0), 101))
        await session.start_recording()
        await session.stop_recording()
        await session.close()

    costs = []
    for _ in range(3):
        with effort() as spent:
            await asyncio.gather(*(call(number) for number in range(60)))
        costs.append(spent.total_s / 60)
    assert min(costs) < 0.001


@pytest.mark.parametrize("ports", [6, 10])
async def test_a_session_for_which_one_port_only_is_left_is_refused(
    new_engine: Engines, ports: int
) -> None:
    low, end = free_range(ports)
    engine = await new_engine(port_min=low, port_max=end - 1)
    taken: list[int] = []
    refused = False
    while not refused and len(taken) < ports:
        try:
            session = await engine.open(f"c{len(taken)}")
        except MediaError:
            refused = True
        else:
            taken += [session.local(side)[1] for side in Side]
    assert refused
    assert set(taken) <= set(range(low, end, 2))
    assert len(taken) == len(set(taken)) == 2 * engine.sessions


async def test_when_all_ports_were_taken_those_of_ended_calls_are_free_again(
    new_engine: Engines,
) -> None:
    """Though RTPProxy closes them only as it opens others, and there are none."""
    low, _ = free_range(8)
    engine = await new_engine(port_min=low, port_max=low + 7)

    async def opened(number: int) -> MediaSession | None:
        try:
            return await engine.open(f"c{number}")
        except MediaError:
            return None

    for _ in range(4):
        sessions = []
        async with asyncio.timeout(10):
            while not sessions:
                sessions = [one for one in [await opened(n) for n in range(3)] if one]
        for session in sessions:
            await session.close()
