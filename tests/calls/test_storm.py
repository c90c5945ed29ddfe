"""Many calls with chance timing: whatever meets whatever, events balance and nothing is left."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.calls.conftest import running
from tests.calls.world import (
    ANN,
    BOB,
    CUSTOMER,
    DOMAIN,
    EVE,
    OFFICE,
    PASSWORD,
    SALES,
    Agent,
    World,
)
from tests.support.watcher import Watcher
from vpbx.calls import TooManyCalls
from vpbx.directory import Invalid
from vpbx.events import CallEnded, CallStarted
from vpbx.sim.call import Call, CallFailed

CALLS, ROOM = 60, 20
ADMIN, ECHO = "admin", "*43"


async def moody(call: Call, chance: random.Random) -> None:
    """Ring, perhaps; answer, refuse or do nothing; hang up at some time."""
    await asyncio.sleep(chance.choice((0, 0, 0.01, 0.03)))
    if not call.is_over and chance.random() < 0.7:
        call.ring()
        await asyncio.sleep(chance.choice((0, 0.01, 0.05)))
    if call.is_over:
        return
    mood = chance.random()
    if mood < 0.25:
        call.reject(chance.choice((486, 480, 603, 500, 404)))
    elif mood < 0.9:
        await call.answer()
        await asyncio.sleep(chance.choice((0, 0, 0.02, 0.2)))
        if chance.random() < 0.6:
            call.hangup()


async def impatient(call: Call, chance: random.Random) -> None:
    """Give up, or hang up after the answer, at some time."""
    await asyncio.sleep(chance.choice((0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3)))
    if not call.is_over:
        call.hangup()


async def place(world: World, phones: list[Agent], chance: random.Random) -> None:
    kind = chance.randrange(5)
    phone = chance.choice(phones)
    if kind == 0:
        call = await world.customer_calls(
            chance.choice((OFFICE, SALES)), offer=chance.random() < 0.8
        )
    elif kind == 1:
        call = await world.phone_calls(phone, CUSTOMER)
    elif kind == 2:
        call = await world.phone_calls(phone, chance.choice(("702", "703", "704", "710")))
    elif kind == 3:
        call = await world.customer_calls(SALES)
    else:
        try:
            await world.service.make_call(await world.domain(), phone=CUSTOMER, user=phone.name)
        except (Invalid, TooManyCalls):
            pass  # told so: also when they have as many under way as one may have
        return
    await impatient(call, chance)


@pytest_asyncio.fixture(loop_scope="session")
async def world(new_world: World) -> AsyncIterator[World]:
    """A switch that takes `ROOM` calls of a company at a time."""
    async with running(new_world, max_calls_per_domain=ROOM):
        yield new_world


@pytest.mark.parametrize("seed", range(2))
async def test_nothing_is_lost_and_nothing_is_left(world: World, seed: int) -> None:
    chance = random.Random(seed)
    await world.settings(ring_timeout_s=1)
    for login in (ANN, BOB):
        await world.directory.users.set_call_waiting(await world.domain(), login, True)
    phones = [await world.phone(login) for login in (ANN, ANN, BOB, EVE)]
    for agent in (*phones, world.carrier):
        agent.mood = lambda call: quietly(call, chance)
    placing = []
    for _ in range(CALLS):
        placing.append(asyncio.create_task(place(world, phones, chance)))
        await asyncio.sleep(chance.choice((0, 0, 0.005, 0.02)))
    await asyncio.gather(*placing)
    async with asyncio.timeout(20):
        while world.service.active():
            await asyncio.sleep(0.02)
            for agent in (*phones, world.carrier):
                for call in agent.calls:
                    if call.is_answered and not call.is_over and chance.random() < 0.1:
                        call.hangup()
    await world.quiet()
    assert len(world.of(CallStarted)) == len(world.of(CallEnded)) > CALLS / 2
    world.check_balance()
    assert {trunk.calls for trunk in world.service.connections.carriers.states()} == {0}
    await lines_are_idle(world)
    for agent in (*phones, world.carrier):
        async with asyncio.timeout(20):
            while agent.stack.sessions:
                await asyncio.sleep(0.02)
    await as_many_calls_as_before(world, phones[-1])


async def lines_are_idle(world: World) -> None:
    """See by a phone that watches them that nobody is in a call, or rung."""
    await world.directory.blf.add(await world.domain(), [ADMIN])
    await world.domain()
    watcher = await Watcher(ADMIN, world.hop(), DOMAIN, PASSWORD).start()
    try:
        for ext in ("702", "703", "704"):
            assert (await watcher.subscribe(ext)).code == 200
            assert set((await watcher.told()).states) <= {"terminated"}
    finally:
        watcher.close()


async def as_many_calls_as_before(world: World, phone: Agent) -> None:
    """A company has its room back, neither less nor more."""
    calls = [await world.phone_calls(phone, ECHO) for _ in range(ROOM)]
    await asyncio.gather(*(call.answered() for call in calls))
    with pytest.raises(CallFailed):
        await (await world.phone_calls(phone, ECHO)).answered()
    for call in calls:
        call.hangup()


async def quietly(call: Call, chance: random.Random) -> None:
    try:
        await moody(call, chance)
    except CallFailed:
        pass
