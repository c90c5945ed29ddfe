"""Which calls are recorded (crm-api §11 record): outside and inside ones, and never some people."""

from __future__ import annotations

import asyncio

import pytest

from tests.calls.world import ANN, BOB, CUSTOMER, EVE, World
from vpbx.events import CallEnded, RecordingReady
from vpbx.media import Side
from vpbx.sim.call import Call


async def incoming(world: World) -> tuple[Call, Call]:
    ann = await world.phone(ANN)
    customer = await world.customer_calls(tone_hz=440)
    return customer, await ann.incoming()


async def outgoing(world: World) -> tuple[Call, Call]:
    ann = await world.phone(ANN)
    call = await world.phone_calls(ann, CUSTOMER, tone_hz=440)
    return call, await world.carrier.incoming()


async def inside(world: World) -> tuple[Call, Call]:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    call = await world.phone_calls(ann, "703", tone_hz=440)
    return call, await bob.incoming()


async def talked(world: World, placed: tuple[Call, Call]) -> CallEnded:
    caller, called = placed
    await called.answer(880)
    await asyncio.gather(caller.heard(880), called.heard(440))
    caller.hangup()
    return await world.ended()


@pytest.mark.parametrize(
    ("place", "external", "inner", "never", "recorded", "left"),
    [
        (incoming, True, False, [], True, Side.A),
        (outgoing, True, False, [], True, Side.B),
        (inside, True, False, [], False, None),
        (inside, False, True, [], True, Side.A),
        (incoming, False, True, [], False, None),
        (outgoing, False, True, [], False, None),
        (incoming, True, True, [ANN], False, None),
        (outgoing, True, True, [ANN], False, None),
        (inside, True, True, [ANN], False, None),
        (inside, True, True, [BOB], False, None),
        (inside, True, True, [EVE], True, Side.A),
    ],
)
async def test_a_call_is_recorded_as_the_company_wants(
    world: World,
    place: object,
    external: bool,
    inner: bool,
    never: list[str],
    recorded: bool,
    left: Side | None,
) -> None:
    await world.settings(record_external=external, record_inner=inner)
    if never:
        await world.directory.record_exceptions.add(await world.domain(), never)
    end = await talked(world, await place(world))  # type: ignore[operator]
    assert end.recorded is recorded
    if recorded:
        await world.until(RecordingReady)
    assert [job[2] for job in world.encoder.jobs] == ([left] if recorded else [])


async def test_who_is_never_recorded_is_not_when_a_department_reaches_them(world: World) -> None:
    await world.directory.record_exceptions.add(await world.domain(), [BOB])
    bob = await world.phone(BOB)
    customer = await world.customer_calls("74950000002", tone_hz=440)
    end = await talked(world, (customer, await bob.incoming()))
    assert not end.recorded
