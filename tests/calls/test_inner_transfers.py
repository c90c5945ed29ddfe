"""Who an inner call is said to be from and for, once one of the two has been replaced."""

from __future__ import annotations

import asyncio

from tests.calls.test_replacing import replacing as takes_place_of
from tests.calls.test_transfer import refer, replacing
from tests.calls.test_transfer_chains import all_ended, inner_talk
from tests.calls.world import ANN, BOB, EVE, World
from tests.support.watcher import Make
from vpbx.events import CallEnded, Status
from vpbx.history.recorder import HistoryRecorder
from vpbx.history.recordings import Encoding
from vpbx.sim.call import Call


async def consults_eve(world: World, who: str, call: Call) -> tuple[Call, Call]:
    """One of the two holds the other and calls eve (1020 Hz)."""
    eve = await world.phone(EVE)
    assert await call.hold() == 200
    phone = next(agent for agent in world._agents if agent.name == who)
    second = await world.phone_calls(phone, "704", tone_hz=700)
    at_eve = await eve.incoming()
    await at_eve.answer(1020)
    await asyncio.gather(second.heard(1020), at_eve.heard(700))
    return second, at_eve


def said(end: CallEnded) -> tuple[str, str]:
    """From whom and for whom a row says that a call was."""
    assert end.caller is not None
    assert end.user is not None
    return end.caller.login, end.user.login


async def row_of(world: World, callid: str) -> CallEnded:
    await all_ended(world)
    found: CallEnded = next(end for end in world.of(CallEnded) if end.call.callid == callid)
    assert found.status is Status.SUCCESS
    return found


async def lamp_says(phone_of: Make, ext: str, *, talks: bool) -> None:
    """Wait until who watches an employee's line is told so."""
    watcher = await phone_of()
    assert (await watcher.subscribe(ext)).code == 200
    while ("confirmed" in (await watcher.told()).states) is not talks:
        pass


async def test_who_called_puts_a_colleague_through_in_their_place(
    world: World, phone_of: Make
) -> None:
    """Ann has called bob and puts eve through: it was eve who talked to bob."""
    call, at_bob = await inner_talk(world)
    [live] = world.service.active()
    second, at_eve = await consults_eve(world, ANN, call)
    assert await refer(call, replacing(second, "704")) == 202
    await asyncio.gather(at_bob.heard(1020), at_eve.heard(660))
    now = next(each for each in world.service.active() if each.info.callid == live.info.callid)
    assert now.caller is not None
    assert (now.caller.login, now.user.login) == (EVE, BOB)  # type: ignore[union-attr]
    for ext, talks in (("702", False), ("704", True), ("703", True)):
        await lamp_says(phone_of, ext, talks=talks)
    at_eve.hangup()
    await at_bob.ended()
    assert said(await row_of(world, live.info.callid)) == (EVE, BOB)
    await lamp_says(phone_of, "704", talks=False)


async def test_who_was_called_puts_a_colleague_through_in_their_place(world: World) -> None:
    call, at_bob = await inner_talk(world)
    [live] = world.service.active()
    second, at_eve = await consults_eve(world, BOB, at_bob)
    assert await refer(at_bob, replacing(second, "704")) == 202
    await asyncio.gather(call.heard(1020), at_eve.heard(880))
    at_eve.hangup()
    assert said(await row_of(world, live.info.callid)) == (ANN, EVE)


async def test_both_are_replaced_one_after_the_other(world: World) -> None:
    """Eve takes ann's place; then ann, from outside of the call, takes bob's."""
    call, at_bob = await inner_talk(world)
    [live] = world.service.active()
    second, at_eve = await consults_eve(world, ANN, call)
    assert await refer(call, replacing(second, "704")) == 202
    await asyncio.gather(at_bob.heard(1020), call.ended())
    ann = next(agent for agent in world._agents if agent.name == ANN)
    taken = await world.phone_calls(ann, "x", tone_hz=500, headers=takes_place_of(at_bob))
    await asyncio.gather(at_eve.heard(500), taken.heard(1020), at_bob.ended())
    taken.hangup()
    assert said(await row_of(world, live.info.callid)) == (EVE, ANN)


async def test_a_caller_who_is_replaced_while_they_wait_is_not_the_caller_any_more(
    world: World,
) -> None:
    """Ann waits for her department, answered and with music; eve goes on in her place."""
    ann, bob, eve = [await world.phone(login) for login in (ANN, BOB, EVE)]
    await world.edit_group(ext="750")
    at_work = await world.phone_calls(bob, "704")
    at_eve = await eve.incoming()
    await at_eve.answer(1020)
    call = await world.phone_calls(ann, "750", tone_hz=880)
    await call.answered()
    callid = next(c.info.callid for c in world.service.active() if c.group is not None)
    other = await world.agent(EVE)
    taken = await world.phone_calls(other, "x", tone_hz=500, headers=takes_place_of(call))
    await asyncio.gather(taken.answered(), call.ended())
    at_work.hangup()
    at_bob = await bob.incoming()
    await at_bob.answer(660)
    await asyncio.gather(taken.heard(660), at_bob.heard(500))
    taken.hangup()
    assert said(await row_of(world, callid)) == (EVE, BOB)


async def test_a_crash_after_that_tells_the_same(world: World) -> None:
    """What history journals of the call is what would have been told at its end."""
    world.bus.subscribe(HistoryRecorder(0, Encoding()))
    call, _ = await inner_talk(world)
    [live] = world.service.active()
    second, _ = await consults_eve(world, ANN, call)
    assert await refer(call, replacing(second, "704")) == 202
    await call.ended()
    await world.directory.writer.flush()
    again = HistoryRecorder(0, Encoding())
    events = await again.close_open_journal(world.database, world.directory.clock.time())
    [end] = [e for e in events if isinstance(e, CallEnded) and e.call.callid == live.info.callid]
    assert said(end) == (EVE, BOB)
