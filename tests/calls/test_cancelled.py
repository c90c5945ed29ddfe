"""A call ends in the very moment in which a step waits for something of ours: nothing is left.

The call is ended as the API does, so many turns of the loop after what begins the step's work.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.calls import test_consulting, test_replacing, test_transfer
from tests.calls.test_callback import called_back, offers
from tests.calls.test_transfer import talking
from tests.calls.world import ANN, BOB, DOMAIN, SALES, World
from vpbx.sim.call import Call
from vpbx.sip import Response


async def ends_after(world: World, turns: int) -> None:
    """End the call that began first, after so many turns of the loop."""
    callid = min(live.info.callid for live in world.service.active())
    for _ in range(turns):
        await asyncio.sleep(0)
    world.service.hang_up(DOMAIN, callid)


async def asked(call: Call, method: str, body: bytes = b"", **headers: str) -> int:
    """Send a request in a call and return what it is answered with."""
    done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    assert call.session is not None
    call.session.send(
        method,
        headers=[(name.replace("_", "-"), value) for name, value in headers.items()],
        body=body,
        content_type="application/dtmf-relay" if body else None,
        on_response=done.set_result,
    )
    return (await asyncio.wait_for(done, 20)).code


@pytest.mark.parametrize("turns", [0, 4])
async def test_as_somebody_begins_to_consult_a_colleague(world: World, turns: int) -> None:
    """The employee's own phone is hung up, too: the customer was all they talked to."""
    _, call, customer = await talking(world)
    [live] = world.service.active()
    assert world.service.transfer(await world.domain(), live.info.callid, "703", attended=True)
    await ends_after(world, turns)
    await asyncio.gather(call.ended(), customer.ended())
    await world.quiet()


@pytest.mark.parametrize("turns", [4, 5, 7, 11, 16])
async def test_as_the_colleague_is_put_through(world: World, turns: int) -> None:
    call, at_bob, customer, _ = await test_consulting.consulting(world)
    call.hangup()
    await ends_after(world, turns)
    await asyncio.gather(at_bob.ended(), customer.ended())
    await world.quiet()


@pytest.mark.parametrize("turns", [4, 12, 17])
async def test_as_a_call_is_put_through_by_refer(world: World, turns: int) -> None:
    call, customer, second, at_bob = await test_transfer.consulting(world)
    await at_bob.answer(660)
    await second.answered()
    referring = asyncio.create_task(
        asked(call, "REFER", Refer_To=test_transfer.replacing(second, "703"))
    )
    await ends_after(world, turns)
    await asyncio.gather(call.ended(), customer.ended())
    referring.cancel()
    second.hangup()  # where it came too late, the two talk on
    await at_bob.ended()
    await world.quiet()


@pytest.mark.parametrize("turns", [6, 7, 8])
async def test_as_another_phone_takes_the_place_of_who_talks(world: World, turns: int) -> None:
    _, call, customer = await talking(world)
    bob = await world.phone(BOB)
    assert await call.hold() == 200
    taken = await world.phone_calls(bob, "ann", headers=test_replacing.replacing(call))
    await ends_after(world, turns)
    await asyncio.gather(call.ended(), customer.ended(), taken.ended())
    await world.quiet()


@pytest.mark.parametrize("turns", [0, 2])
async def test_as_a_customer_asks_to_be_called_back(world: World, turns: int) -> None:
    """They pressed 1, so they are called, though they did not wait to hear that."""
    await offers(world)
    customer = await world.customer_calls(SALES)
    await customer.answered()
    await customer.rtp.hear(5)  # type: ignore[union-attr]
    assert await asked(customer, "INFO", b"Signal=1\r\nDuration=160\r\n") == 200
    await ends_after(world, turns)
    await customer.ended()
    await world.ended()
    ann = await world.phone(ANN)
    await (await called_back(ann)).answer()
    (await world.carrier.incoming()).reject(486)
    await world.ended(2)
    await world.quiet()
