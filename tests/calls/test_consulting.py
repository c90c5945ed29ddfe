"""An attended transfer that the API asks for: the employee talks to the target first."""

from __future__ import annotations

import asyncio

import pytest

from tests.calls.test_transfer import FRIEND, ends, refer, talking
from tests.calls.world import ANN, BOB, CUSTOMER, EVE, Agent, World
from vpbx.events import CallEnded, Status, Transferred
from vpbx.sim.call import Call

MUSIC_HZ = 620.0


async def asked(world: World, to: str = "703") -> tuple[Agent, Call, Call, str]:
    """A customer (440 Hz) talks to ann (880 Hz), who is asked to pass them on after a talk."""
    file = await world.own_sound("music", "tune", MUSIC_HZ)
    await world.directory.music.set(await world.domain(), "holdmusic", file)
    phone, call, customer = await talking(world)
    [live] = world.service.active()
    callid = live.info.callid
    assert world.service.transfer(await world.domain(), callid, to, attended=True)
    return phone, call, customer, callid


async def consulting(world: World) -> tuple[Call, Call, Call, str]:
    """Ann (880 Hz) and bob (660 Hz) talk, the customer hears music."""
    bob = await world.phone(BOB)
    _, call, customer, callid = await asked(world)
    at_bob = await bob.incoming()
    assert at_bob.session is not None
    assert at_bob.session.from_.uri.user == "702"
    at_bob.ring()
    await at_bob.answer(660)
    await asyncio.gather(call.heard(660), at_bob.heard(880), customer.heard(MUSIC_HZ))
    return call, at_bob, customer, callid


async def test_hanging_up_puts_the_two_through(world: World) -> None:
    call, at_bob, customer, callid = await consulting(world)
    call.hangup()
    await asyncio.gather(customer.heard(660), at_bob.heard(440))
    assert not customer.directions  # the customer's phone was not bothered
    [live] = world.service.active()
    assert (live.info.callid, live.user and live.user.login) == (callid, BOB)
    at_bob.hangup()
    await world.ended(2)
    outer = next(end for end in ends(world) if end.call.callid == callid)
    inner = next(end for end in ends(world) if end.call.callid != callid)
    assert (outer.status, outer.user.login) == (Status.SUCCESS, BOB)  # type: ignore[union-attr]
    assert (inner.call.direction.value, inner.status) == ("inner", Status.SUCCESS)
    [passed] = world.of(Transferred)
    assert (passed.second_callid, passed.user.login, passed.call.callid) == ("", ANN, callid)
    assert (await customer.ended()).cause == "bye"
    await world.quiet()


async def test_whoever_hangs_up_first_of_those_put_through(world: World) -> None:
    call, at_bob, customer, _ = await consulting(world)
    call.hangup()
    await customer.heard(660)
    customer.hangup()
    await at_bob.ended()
    await world.ended(2)
    await world.quiet()


async def test_hanging_up_while_it_rings_is_a_blind_transfer(world: World) -> None:
    bob = await world.phone(BOB)
    _, call, customer, callid = await asked(world)
    at_bob = await bob.incoming()
    at_bob.ring()
    await customer.heard(MUSIC_HZ)
    call.hangup()
    assert (await at_bob.ended()).cause == "cancel"
    again = await bob.incoming()
    assert again.session is not None
    assert again.session.from_.uri.user == CUSTOMER
    await again.answer(660)
    await asyncio.gather(customer.heard(660), again.heard(440))
    customer.hangup()
    await world.ended(3)
    [passed] = world.of(Transferred)
    assert passed.call.callid == callid
    assert passed.second_callid
    await world.quiet()


@pytest.mark.parametrize("how", ["refuses", "hangs up", "is not there", "is ended by the API"])
async def test_the_employee_is_back_when_the_target(world: World, how: str) -> None:
    if how == "is not there":
        _, call, customer, callid = await asked(world)
    elif how == "refuses":
        bob = await world.phone(BOB)
        _, call, customer, callid = await asked(world)
        (await bob.incoming()).reject(486)
    else:
        call, at_bob, customer, callid = await consulting(world)
        if how == "hangs up":
            at_bob.hangup()
        else:
            [inner] = [c for c in world.service.active() if c.info.callid != callid]
            assert world.service.hang_up("acme.example", inner.info.callid)
    await asyncio.gather(customer.heard(880), call.heard(440))
    await world.until(CallEnded)
    call.hangup()
    await customer.ended()
    await world.ended(2)
    assert world.of(Transferred) == []
    outer = next(end for end in ends(world) if end.call.callid == callid)
    assert outer.user.login == ANN  # type: ignore[union-attr]
    await world.quiet()


async def test_the_customer_does_not_wait_and_the_colleagues_talk_on(world: World) -> None:
    call, at_bob, customer, callid = await consulting(world)
    customer.hangup()
    end = await world.ended()
    assert (end.call.callid, end.status) == (callid, Status.SUCCESS)
    await asyncio.gather(call.heard(660), at_bob.heard(880))
    at_bob.hangup()
    await call.ended()
    await world.ended(2)
    await world.quiet()


async def test_the_customer_has_gone_and_then_the_employee_hangs_up(world: World) -> None:
    call, at_bob, customer, _ = await consulting(world)
    customer.hangup()
    await world.ended()
    call.hangup()
    assert (await at_bob.ended()).cause == "bye"
    await world.ended(2)
    await world.quiet()


async def test_who_was_called_by_the_employee_is_passed_on_too(world: World) -> None:
    phone, bob = await world.phone(ANN), await world.phone(BOB)
    call = await world.phone_calls(phone, CUSTOMER, tone_hz=880)
    customer = await world.carrier.incoming()
    await customer.answer(440)
    await call.heard(440)
    [live] = world.service.active()
    callid = live.info.callid
    assert world.service.transfer(await world.domain(), callid, "bob", attended=True)
    at_bob = await bob.incoming()
    await at_bob.answer(660)
    await call.heard(660)
    call.hangup()
    await asyncio.gather(customer.heard(660), at_bob.heard(440))
    customer.hangup()
    await world.ended(2)
    outer = next(end for end in ends(world) if end.call.callid == callid)
    assert (outer.call.direction.value, outer.user.login) == ("out", BOB)  # type: ignore[union-attr]
    await world.quiet()


async def test_an_outside_number_is_asked_first(world: World) -> None:
    _, call, customer, callid = await asked(world, FRIEND)
    friend = await world.carrier.incoming()
    await friend.answer(660)
    await asyncio.gather(call.heard(660), friend.heard(880), customer.heard(MUSIC_HZ))
    call.hangup()
    await asyncio.gather(customer.heard(660), friend.heard(440))
    friend.hangup()
    await world.ended(2)
    by_id = {end.call.callid: end for end in ends(world)}
    asked_first = next(end for key, end in by_id.items() if key != callid)
    assert (asked_first.call.direction.value, asked_first.call.client) == ("out", FRIEND)
    assert by_id[callid].destination.value == "telnum"
    await world.quiet()


async def test_who_passes_the_colleague_on_instead_is_rung_for_the_customer(world: World) -> None:
    """The customer is not forgotten: they are the employee's again."""
    eve = await world.phone(EVE)
    call, at_bob, customer, _ = await consulting(world)
    assert await refer(call, "<sip:704@acme.example>") == 202
    at_eve = await eve.incoming()
    await at_eve.answer(1020)
    await at_bob.heard(1020)
    phone = next(agent for agent in world._agents if agent.name == ANN)
    again = await phone.incoming()
    await again.answer(880)
    await asyncio.gather(customer.heard(880), again.heard(440))
    customer.hangup()
    at_bob.hangup()
    await at_eve.ended()
    await world.ended(4)
    await world.quiet()
