"""Re-INVITEs that meet each other, or a transfer that is under way (RFC 3261 §14, RFC 5407)."""

from __future__ import annotations

import asyncio
import random
from types import SimpleNamespace

import pytest

from tests.calls.test_transfer import consulting, note, refer, replacing, talking
from tests.calls.test_transfer_chains import all_ended, inner_talk
from tests.calls.world import BOB, EVE, World
from vpbx.calls.inbox import Inbox
from vpbx.calls.leg import Digit, Leg
from vpbx.events import Transferred
from vpbx.media import Side
from vpbx.sim.call import Call


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who meets the other side's re-INVITE waits a tenth of what RFC 3261 §14.1 says; still the
    one of them longer than the other."""
    wait = SimpleNamespace(randint=lambda low, high: random.randint(low // 10, high // 10))
    monkeypatch.setattr("vpbx.sip.reinvite.random", wait)


async def hear_each_other(one: Call, one_hz: float, other: Call, other_hz: float) -> None:
    await asyncio.gather(one.heard(other_hz), other.heard(one_hz))


async def consulted(world: World) -> tuple[Call, Call, Call, Call]:
    """Ann holds the customer (440 Hz) and talks to bob (660 Hz)."""
    call, customer, second, at_bob = await consulting(world)
    await at_bob.answer(660)
    await asyncio.gather(second.heard(660), at_bob.heard(700))
    return call, customer, second, at_bob


@pytest.mark.parametrize("who", ["customer", "bob", "ann to the customer", "ann to bob"])
async def test_a_reinvite_in_the_moment_of_an_attended_transfer(world: World, who: str) -> None:
    """Whoever says something of their sound just then is answered, and all is well after."""
    call, customer, second, at_bob = await consulted(world)
    calls = {"customer": customer, "bob": at_bob, "ann to the customer": call, "ann to bob": second}
    one = calls[who]
    code, _ = await asyncio.gather(
        refer(call, replacing(second, "703")), asyncio.gather(one.hold(), return_exceptions=True)
    )
    assert code == 202
    await note(call, "SIP/2.0 200 OK")
    if one in (customer, at_bob):
        assert await one.resume() == 200
    await hear_each_other(customer, 440, at_bob, 660)
    customer.hangup()
    await all_ended(world)
    assert len(world.of(Transferred)) == 1


async def test_both_hold_at_once_and_both_come_back_at_once(world: World) -> None:
    call, at_bob = await inner_talk(world)
    assert set(await asyncio.gather(call.hold(), at_bob.hold())) == {200}
    assert set(await asyncio.gather(call.resume(), at_bob.resume())) == {200}
    await hear_each_other(call, 880, at_bob, 660)
    call.hangup()
    await all_ended(world)


@pytest.mark.parametrize("first", ["hold", "REFER"])
async def test_a_phone_that_holds_and_refers_at_once(world: World, first: str) -> None:
    """It does not wait for the answer to either."""
    _, call, customer = await talking(world)
    bob = await world.phone(BOB)
    wishes = [call.hold(), refer(call, "<sip:703@acme.example>")]
    codes = await asyncio.gather(*(wishes if first == "hold" else reversed(wishes)))
    assert sorted(codes) == [200, 202]
    at_bob = await bob.incoming()
    await at_bob.answer(660)
    await hear_each_other(customer, 440, at_bob, 660)
    customer.hangup()
    await world.ended(2)
    assert not customer.directions


async def test_who_passed_on_says_where_they_are_as_the_next_one_answers(world: World) -> None:
    """A re-INVITE of the phone that waits for its NOTIFY takes no sound from who talks now."""
    _, call, customer = await talking(world)
    bob = await world.phone(BOB)
    assert await refer(call, "<sip:703@acme.example>") == 202
    at_bob = await bob.incoming()
    call.answers_notify = False
    await at_bob.answer(660)
    await note(call, "SIP/2.0 200 OK")
    assert await call.hold() == 200
    await hear_each_other(customer, 440, at_bob, 660)
    assert await call.resume() == 200
    await hear_each_other(customer, 440, at_bob, 660)
    customer.hangup()
    await world.ended(2)


async def test_two_refers_at_once(world: World) -> None:
    """The first one counts."""
    _, call, customer = await talking(world)
    bob, eve = await world.phone(BOB), await world.phone(EVE)
    codes = await asyncio.gather(
        refer(call, "<sip:703@acme.example>"), refer(call, "<sip:704@acme.example>")
    )
    assert sorted(codes) == [202, 603]
    first = bob if codes[0] == 202 else eve
    taken = await first.incoming()
    await taken.answer(660)
    await hear_each_other(customer, 440, taken, 660)
    customer.hangup()
    await world.ended(2)


async def test_what_a_leg_has_said_and_nobody_has_heard_goes_with_it_to_another_call() -> None:
    """An offer that nobody answered would let the phone, and all offers of ours, wait."""
    before, after = Inbox(lambda event: False), Inbox(lambda event: False)
    leg, other = Leg(Side.A, before), Leg(Side.B, before)
    for digit in "12":
        leg.pressed(digit)
        other.pressed(digit)
    leg.report_to(after)
    leg.pressed("3")
    assert [await after.get() for _ in range(3)] == [Digit(leg, digit) for digit in "123"]
    assert [await before.get() for _ in range(2)] == [Digit(other, digit) for digit in "12"]
