"""`*2` while something else happens in the talk: a re-INVITE, another phone, the other keypad."""

from __future__ import annotations

import asyncio

import pytest

from tests.calls.test_during import send
from tests.calls.test_replacing import replacing
from tests.calls.test_transfer import ends, talking
from tests.calls.test_transfer_chains import inner_talk
from tests.calls.world import ANN, BOB, EVE, World
from vpbx.events import Transferred
from vpbx.sim.call import Call
from vpbx.sip import AudioCodec

MUSIC_HZ, TONE_HZ = 620, 440


async def dialling(world: World) -> tuple[Call, Call]:
    """Ann has pressed *2: the customer hears music."""
    file = await world.own_sound("music", "tune", MUSIC_HZ)
    await world.directory.music.set(await world.domain(), "holdmusic", file)
    _, call, customer = await talking(world)
    call.dial("*2")
    await customer.heard(MUSIC_HZ)
    return call, customer


async def moves(call: Call) -> None:
    old, call.rtp = call.rtp, None
    await call.open_sound()
    call.say(880)
    assert await call.resume() == 200
    assert old is not None
    old.close()


async def speaks_mulaw_and_other_events(call: Call) -> None:
    call._codecs = (AudioCodec("PCMU", 0), AudioCodec("telephone-event", 97, fmtp="0-15"))
    assert await call.resume() == 200


async def refreshes(call: Call) -> None:
    assert await call.resume() == 200


@pytest.mark.parametrize("what", [refreshes, moves, speaks_mulaw_and_other_events])
async def test_a_reinvite_amid_the_dialling_loses_no_digit(world: World, what: object) -> None:
    """A session refresh, another socket of the phone, other payload numbers."""
    call, customer = await dialling(world)
    bob = await world.phone(BOB)
    before = customer.digits
    await what(call)  # type: ignore[operator]
    call.dial("703")
    at_bob = await bob.incoming()
    assert customer.digits == before
    await at_bob.answer(660)
    await asyncio.gather(customer.heard(660), at_bob.heard(TONE_HZ))
    customer.hangup()
    await world.ended(2)


async def test_the_other_sides_reinvite_loses_none_either(world: World) -> None:
    """The customer's phone holds and comes back meanwhile."""
    call, customer = await dialling(world)
    bob = await world.phone(BOB)
    call.dial("7")
    assert await customer.hold() == 200
    call.dial("0")
    assert await customer.resume() == 200
    call.dial("3")
    await (await bob.incoming()).answer(660)
    await customer.heard(660)
    customer.hangup()
    await world.ended(2)


async def test_who_comes_back_after_a_reinvite_is_heard_again(world: World) -> None:
    call, customer = await dialling(world)
    await refreshes(call)
    call.dial("*2")
    await asyncio.gather(customer.heard(880), call.heard(TONE_HZ))
    call.dial("5")
    await customer.heard_digits(customer.digits + "5")
    customer.hangup()
    await world.ended()


async def test_another_phone_that_takes_the_talk_ends_the_dialling(hasty_world: World) -> None:
    """Ann goes on at her second phone: the customer hears that, and nothing is passed on."""
    world = hasty_world
    call, customer = await dialling(world)
    call.dial("70")  # a number, once nothing more has come for 3 s
    second = await world.agent(ANN)
    taken = await world.phone_calls(second, "702", tone_hz=660, headers=replacing(call))
    await asyncio.gather(customer.heard(660), taken.heard(TONE_HZ), call.ended())
    await asyncio.sleep(4 / world.speed)
    await asyncio.gather(customer.heard(660), taken.heard(TONE_HZ))
    taken.hangup()
    await world.ended()
    assert world.of(Transferred) == []
    await world.quiet()


async def test_digits_by_info_are_dialled_and_not_passed_on(world: World) -> None:
    call, customer = await dialling(world)
    bob = await world.phone(BOB)
    before = customer.digits
    for digit in "703":
        body = b"Signal=" + digit.encode()
        await send(call, "INFO", body=body, content_type="application/dtmf-relay")
    await (await bob.incoming()).answer(660)
    await customer.heard(660)
    assert customer.digits == before
    customer.hangup()
    await world.ended(2)


async def test_what_the_colleague_presses_meanwhile_stops_nothing(world: World) -> None:
    """In a talk of two employees each has a keypad of their own."""
    eve = await world.phone(EVE)
    call, at_bob = await inner_talk(world)
    call.dial("*2")
    await at_bob.heard_digits("*2")
    at_bob.dial("9")
    call.dial("704")
    at_eve = await eve.incoming()
    await at_eve.answer(1020)
    await at_bob.heard(1020)
    at_eve.hangup()
    await world.ended(2)
    assert [end.user.login for end in ends(world)] == [BOB, EVE]  # type: ignore[union-attr]
