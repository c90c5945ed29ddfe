"""Parking: `*5`, a place that any phone of the company dials, and the way back."""

from __future__ import annotations

import asyncio

import pytest

from tests.calls.test_transfer import differs, ends, notes, refer, replacing, talking
from tests.calls.world import ANN, BOB, CUSTOMER, EVE, PASSWORD, Agent, World
from vpbx.events import CallStarted, Status, Transferred
from vpbx.sim.call import Call

MUSIC_HZ = 620.0


async def music(world: World) -> None:
    """Let the company's hold music be a tone."""
    file = await world.own_sound("music", "tune", MUSIC_HZ)
    await world.directory.music.set(await world.domain(), "holdmusic", file)


async def place(world: World) -> str:
    """Wait until a call waits at a parking place, and return that."""
    async with asyncio.timeout(20):
        while True:
            for call in world.service.active():
                if call.parked:
                    return call.parked
            await asyncio.sleep(0.02)


async def parked(world: World) -> tuple[Agent, Call, Call, str]:
    """Ann has parked a customer by `*5`."""
    phone, call, customer = await talking(world)
    call.dial("*5")
    return phone, call, customer, await place(world)


async def test_star_five_parks_and_any_phone_takes_it_back(world: World) -> None:
    await music(world)
    _, call, customer, where = await parked(world)
    assert where == "51"
    await asyncio.gather(customer.heard(MUSIC_HZ), differs(call, 440))  # "to take it back, dial"
    assert (await call.ended(15)).cause == "bye"  # when the place was told
    eve = await world.phone(EVE)
    taken = await world.phone_calls(eve, where, tone_hz=660)
    await taken.answered()
    await asyncio.gather(customer.heard(660), taken.heard(440))
    assert not customer.directions  # the customer's phone was not bothered
    customer.hangup()
    await world.ended(2)
    first, second = ends(world)
    [passed] = world.of(Transferred)
    assert passed.second_callid == second.call.callid
    assert (first.user.login, second.user.login) == (ANN, EVE)  # type: ignore[union-attr]
    assert first.status is second.status is Status.SUCCESS
    assert world.story() == [
        *("ringing ann", "answered ann", "completed ann"),
        *("ringing eve", "answered eve", "completed eve"),
    ]
    await world.quiet()


async def test_it_can_be_taken_back_while_the_place_is_still_told(world: World) -> None:
    _, call, customer, where = await parked(world)
    bob = await world.phone(BOB)
    taken = await world.phone_calls(bob, f"*5{where}", tone_hz=660)
    await asyncio.gather(customer.heard(660), taken.heard(440))
    await call.ended()
    taken.hangup()
    await world.ended(2)
    assert (await customer.ended()).cause == "bye"
    await world.quiet()


async def test_who_parked_may_hang_up_at_once(world: World) -> None:
    phone, call, customer, where = await parked(world)
    call.hangup()
    taken = await world.phone_calls(phone, where, tone_hz=660)
    await asyncio.gather(customer.heard(660), taken.heard(440))
    taken.hangup()
    await world.ended(2)
    await world.quiet()


async def test_a_customer_whom_they_called_is_parked_too(world: World) -> None:
    """The employee's end is the call's, but for the moment in which they have parked."""
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER, tone_hz=880)
    customer = await world.carrier.incoming()
    await customer.answer(440)
    await call.heard(440)
    call.dial("*5")
    where = await place(world)
    call.hangup()
    bob = await world.phone(BOB)
    taken = await world.phone_calls(bob, where, tone_hz=660)
    await asyncio.gather(customer.heard(660), taken.heard(440))
    customer.hangup()
    await world.ended(2)
    assert [end.call.direction.value for end in ends(world)] == ["out", "out"]
    await world.quiet()


@pytest.mark.parametrize("how", ["blind", "attended"])
async def test_the_transfer_key_parks_as_well(world: World, how: str) -> None:
    phone, call, customer = await talking(world)
    if how == "blind":
        assert await refer(call, "<sip:*5@acme.example>") == 202
        where = await place(world)
    else:  # "*5" is called first, and says the place
        assert await call.hold() == 200
        second = await world.phone_calls(phone, "*5")
        where = await place(world)
        await second.answered()
        assert await refer(call, replacing(second, "*5")) == 202
        await second.ended()
    await call.ended(15)  # the place is told before that
    assert notes(call)[-1] == ("SIP/2.0 200 OK", "terminated")
    bob = await world.phone(BOB)
    taken = await world.phone_calls(bob, where, tone_hz=660)
    await asyncio.gather(customer.heard(660), taken.heard(440))
    customer.hangup()
    async with asyncio.timeout(20):
        while world.service.active():
            await asyncio.sleep(0.02)
    outside = [end for end in ends(world) if end.call.client == CUSTOMER]
    assert [end.user.login for end in outside] == [ANN, BOB]  # type: ignore[union-attr]
    await world.quiet()


async def test_two_are_parked_at_two_places(world: World) -> None:
    phone, call, customer, where = await parked(world)
    call.hangup()
    other = await world.customer_calls(caller="79260000002", tone_hz=500)
    second = await phone.incoming()
    await second.answer(880)
    await other.heard(880)
    assert await refer(second, "<sip:*5@acme.example>") == 202
    await second.ended(15)
    both = sorted(each.parked for each in world.service.active())
    assert both == [where, "52"]
    bob = await world.phone(BOB)
    taken = await world.phone_calls(bob, "52", tone_hz=660)
    await asyncio.gather(other.heard(660), taken.heard(500))
    taken.hangup()
    customer.hangup()
    await world.ended(4)
    await world.quiet()


@pytest.mark.parametrize("number", ["51", "*551", "*5599"])
async def test_an_empty_place_is_said_to_be_empty(world: World, number: str) -> None:
    eve = await world.phone(EVE)
    await world.own_sound("prompt", "park-empty", 700)
    call = await world.phone_calls(eve, number)
    await call.heard(700)
    await call.ended()
    await world.ended()


async def test_no_place_is_an_internal_number(world: World) -> None:
    """51 and 52 are colleagues here: they are called, and nobody is parked there."""
    for ext in ("51", "52"):
        values = {"name": ext, "login": f"u{ext}", "ext": ext, "password": PASSWORD}
        await world.directory.users.add(await world.domain(), values)
    _, call, customer, where = await parked(world)
    assert where == "53"
    fifty_one = await world.phone("u51")
    eve = await world.phone(EVE)
    hers = await world.phone_calls(eve, "51")
    await (await fifty_one.incoming()).answer()
    await hers.answered()
    hers.hangup()
    call.hangup()
    customer.hangup()
    await world.ended(3)


async def test_another_company_has_places_of_its_own(world: World) -> None:
    new = await world.directory.companies.add("other.example", "Europe/Moscow", PASSWORD)
    values = {"name": "Zed", "login": "zed", "ext": "702", "password": PASSWORD}
    await world.directory.users.add(new.domain, values)
    _, call, customer, where = await parked(world)
    zed = await world.agent("zed")
    theirs = await zed.invite(
        f"sip:{where}@other.example",
        world.hop(),
        from_="<sip:zed@other.example>",
        credentials=world.credentials("zed"),
    )
    await theirs.ended(15)  # "there is no call at this place"
    assert await place(world) == where
    call.hangup()
    customer.hangup()
    await world.ended(3)


async def test_two_who_dial_the_place_at_once(world: World) -> None:
    _, call, customer, where = await parked(world)
    call.hangup()
    bob, eve = await world.phone(BOB), await world.phone(EVE)
    calls = await asyncio.gather(
        world.phone_calls(bob, where), world.phone_calls(eve, where), return_exceptions=True
    )
    assert all(isinstance(each, Call) for each in calls)
    async with asyncio.timeout(20):
        while "answered" not in " ".join(world.story()[3:]):
            await asyncio.sleep(0.02)
    customer.hangup()
    await asyncio.gather(*(each.ended(20) for each in calls))  # type: ignore[union-attr]
    told = [line for line in world.story()[3:] if line.startswith("answered")]
    assert len(told) == 1
    await world.quiet()


async def test_the_customer_gives_up_at_the_place(world: World) -> None:
    """Missed, and it was the call of who parked them."""
    _, call, customer, where = await parked(world)
    customer.hangup()
    await call.ended()
    await world.ended(2)
    first, second = ends(world)
    assert (first.status, second.status) == (Status.SUCCESS, Status.MISSED)
    assert (second.user.login, second.account) == (ANN, ANN)  # type: ignore[union-attr]
    assert (await world.domain()).id
    assert world.service.active() == []
    eve = await world.phone(EVE)
    late = await world.phone_calls(eve, where)
    await late.ended(15)
    await world.quiet()


async def test_somebody_who_calls_star_five_waits_there_themselves(world: World) -> None:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    call = await world.phone_calls(ann, "*5", tone_hz=880)
    where = await place(world)
    taken = await world.phone_calls(bob, where, tone_hz=660)
    await asyncio.gather(call.heard(660), taken.heard(880))
    taken.hangup()
    await call.ended()
    await world.quiet()


async def test_a_customer_presses_star_five_in_vain(world: World) -> None:
    _, call, customer = await talking(world)
    customer.dial("*5")
    await call.heard_digits("*5")
    await customer.heard(880)
    customer.hangup()
    await world.ended()
    assert world.of(Transferred) == []
    assert len(world.of(CallStarted)) == 1


async def test_nobody_having_taken_it_back_it_rings_at_who_parked(hasty_world: World) -> None:
    world = hasty_world
    phone, call, customer = await talking(world)
    assert await refer(call, "<sip:*5@acme.example>") == 202
    await place(world)
    again = await phone.incoming(timeout_s=30)
    assert again.session is not None
    assert again.session.from_.uri.user == CUSTOMER
    await again.answer(1020)
    await asyncio.gather(customer.heard(1020), again.heard(440))
    assert not any(each.parked for each in world.service.active())
    customer.hangup()
    await world.ended(2)
    assert world.story()[3:] == ["ringing ann", "answered ann", "completed ann"]
    await world.quiet()


async def test_what_came_back_and_is_not_taken_is_missed(hasty_world: World) -> None:
    world = hasty_world
    phone, call, customer = await talking(world)
    assert await refer(call, "<sip:*5@acme.example>") == 202
    await place(world)
    again = await phone.incoming(timeout_s=20)
    again.ring()
    again.reject(486)
    await customer.ended(20)
    await world.ended(2)
    assert ends(world)[1].status is Status.MISSED
    assert world.story()[3:] == ["ringing ann", "ring ended ann"]
    await world.quiet()
