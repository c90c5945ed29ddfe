"""Transfers that meet each other, chains of them, and whoever vanishes in the middle."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tests.calls.test_parking import place
from tests.calls.test_transfer import ends, note, refer, replacing, talking
from tests.calls.world import ANN, BOB, CUSTOMER, EVE, OFFICE, World
from vpbx.events import CallEnded, Ringing, Status, Transferred
from vpbx.sim.call import Call
from vpbx.sip import Response


async def inner_talk(world: World) -> tuple[Call, Call]:
    """Ann (880 Hz) has called bob (660 Hz)."""
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    call = await world.phone_calls(ann, "703", tone_hz=880)
    at_bob = await bob.incoming()
    await at_bob.answer(660)
    await asyncio.gather(call.heard(660), at_bob.heard(880))
    return call, at_bob


async def all_ended(world: World) -> None:
    async with asyncio.timeout(20):
        while world.service.active():
            await asyncio.sleep(0.02)
    await world.quiet()
    world.check_balance()


# -- at the same time -----------------------------------------------------------------------------


async def test_both_sides_transfer_at_once(world: World) -> None:
    """One of them is served, the other is told that it cannot be; nobody is left in the air."""
    eve = await world.phone(EVE)
    call, at_bob = await inner_talk(world)
    codes = await asyncio.gather(
        refer(call, "<sip:704@acme.example>"), refer(at_bob, "<sip:704@acme.example>")
    )
    assert sorted(codes) == [202, 603]
    stays = at_bob if codes[0] == 202 else call
    at_eve = await eve.incoming()
    await at_eve.answer(1020)
    await stays.heard(1020)
    at_eve.hangup()
    await stays.ended()
    await all_ended(world)
    assert len(world.of(Transferred)) == 1


async def test_one_parks_and_the_other_passes_on_at_once(world: World) -> None:
    eve = await world.phone(EVE)
    call, at_bob = await inner_talk(world)
    codes = await asyncio.gather(
        refer(call, "<sip:*5@acme.example>"), refer(at_bob, "<sip:704@acme.example>")
    )
    assert sorted(codes) == [202, 603]
    if codes[0] == 202:
        where = await place(world)
        taken = await world.phone_calls(eve, where, tone_hz=1020)
        await at_bob.heard(1020)
        taken.hangup()
    else:
        at_eve = await eve.incoming()
        await at_eve.answer(1020)
        await call.heard(1020)
        at_eve.hangup()
    await all_ended(world)


async def test_a_second_refer_while_the_first_is_under_way(world: World) -> None:
    """A phone that repeats itself is declined, and the first one goes on."""
    _, call, customer = await talking(world)
    bob = await world.phone(BOB)
    assert await refer(call, "<sip:703@acme.example>") == 202
    at_bob = await bob.incoming()
    at_bob.ring()
    assert await refer(call, "<sip:704@acme.example>") == 603
    await at_bob.answer(660)
    await asyncio.gather(customer.heard(660), at_bob.heard(440))
    customer.hangup()
    await world.ended(2)


async def test_the_customer_hangs_up_in_the_moment_of_a_transfer(world: World) -> None:
    bob = await world.phone(BOB)
    for pause in (0.0, 0.002, 0.01):
        before = len(ends(world))
        phone, call, customer = await talking(world)
        referring = asyncio.create_task(refer(call, "<sip:703@acme.example>"))
        await asyncio.sleep(pause)
        customer.hangup()
        with contextlib.suppress(TimeoutError):
            await referring
        call.hangup()
        await all_ended(world)
        assert 1 <= len(ends(world)) - before <= 2
        for each in bob.calls:
            if not each.is_over:
                await each.ended()
        await world.register(phone, headers=[("Contact", "*"), ("Expires", "0")])


# -- who vanishes ---------------------------------------------------------------------------------


async def test_the_transferrer_vanishes_between_refer_and_notify(world: World) -> None:
    """Its phone answers no NOTIFY and no BYE any more: nobody else notices."""
    phone, call, customer = await talking(world)
    bob = await world.phone(BOB)
    assert call.session is not None
    done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    call.session.send(
        "REFER", headers=[("Refer-To", "<sip:703@acme.example>")], on_response=done.set_result
    )
    assert (await asyncio.wait_for(done, 20)).code == 202
    await phone.stack.layer.stop()
    at_bob = await bob.incoming()
    await at_bob.answer(660)
    await asyncio.gather(customer.heard(660), at_bob.heard(440))
    customer.hangup()
    await world.ended(2)
    assert [end.user.login for end in ends(world)] == [ANN, BOB]  # type: ignore[union-attr]


async def test_a_transferrer_who_has_vanished_is_not_rung_for_ever(hasty_world: World) -> None:
    """Bob refuses, ann's phone does not answer: the customer is let go, and missed."""
    world = hasty_world
    phone, call, customer = await talking(world)
    bob = await world.phone(BOB)
    assert await refer(call, "<sip:703@acme.example>") == 202
    await phone.stack.layer.stop()
    (await bob.incoming()).reject(486)
    await customer.ended(40)
    await world.ended(2)
    assert ends(world)[1].status is Status.MISSED


async def test_the_target_of_a_consultation_hangs_up_before_the_refer_comes(world: World) -> None:
    """There is nobody to put through: the REFER is declined, the customer is still hers."""
    phone, call, customer = await talking(world)
    bob = await world.phone(BOB)
    assert await call.hold() == 200
    second = await world.phone_calls(phone, "703", tone_hz=700)
    at_bob = await bob.incoming()
    await at_bob.answer(660)
    await second.heard(660)
    refer_to = replacing(second, "703")
    at_bob.hangup()
    await second.ended()
    await world.until(CallEnded)
    assert await refer(call, refer_to) == 603
    assert await call.resume() == 200
    await asyncio.gather(customer.heard(880), call.heard(440))
    customer.hangup()
    await world.ended(2)


# -- chains ---------------------------------------------------------------------------------------


async def test_a_transfer_of_a_transfer_comes_back_to_who_passed_on_last(world: World) -> None:
    _, call, customer = await talking(world)
    bob, eve = await world.phone(BOB), await world.phone(EVE)
    assert await refer(call, "<sip:703@acme.example>") == 202
    at_bob = await bob.incoming()
    await at_bob.answer(660)
    await customer.heard(660)
    assert await refer(at_bob, "<sip:704@acme.example>") == 202
    (await eve.incoming()).reject(486)
    again = await bob.incoming()
    await again.answer(1020)
    await asyncio.gather(customer.heard(1020), again.heard(440))
    customer.hangup()
    await world.ended(3)
    first, second, third = ends(world)
    passed = world.of(Transferred)
    assert [each.second_callid for each in passed] == [second.call.callid, third.call.callid]
    assert [end.user.login for end in (first, second, third)] == [ANN, BOB, BOB]  # type: ignore[union-attr]
    await world.quiet()


async def test_a_call_that_is_passed_on_is_picked_up(world: World) -> None:
    _, call, customer = await talking(world)
    bob, eve = await world.phone(BOB), await world.phone(EVE)
    assert await refer(call, "<sip:703@acme.example>") == 202
    at_bob = await bob.incoming()
    at_bob.ring()
    await world.until(Ringing, 2)
    taken = await world.phone_calls(eve, "*8703", tone_hz=1020)
    await asyncio.gather(customer.heard(1020), taken.heard(440))
    assert (await at_bob.ended()).cause == "cancel"
    await note(call, "SIP/2.0 200 OK")
    customer.hangup()
    await world.ended(2)
    assert ends(world)[1].user.login == EVE  # type: ignore[union-attr]
    await world.quiet()


async def test_into_a_queue_and_out_of_it(world: World) -> None:
    """Nobody of the department is free: the customer waits in its line, then is taken."""
    await world.edit_group(users=[{"login": BOB, "calls_enable": True}])
    _, call, customer = await talking(world)
    bob, eve = await world.phone(BOB), await world.phone(EVE)
    busy = await world.phone_calls(bob, "704")
    at_eve = await eve.incoming()
    await at_eve.answer(700)
    await busy.answered()
    assert await refer(call, "<sip:710@acme.example>") == 202
    async with asyncio.timeout(20):
        while not [c for c in world.service.active() if c.group is not None]:
            await asyncio.sleep(0.02)
    assert [each for each in bob.calls if each is not busy] == []
    busy.hangup()
    at_bob = await bob.incoming()
    await at_bob.answer(660)
    await asyncio.gather(customer.heard(660), at_bob.heard(440))
    customer.hangup()
    await all_ended(world)
    outer = [end for end in ends(world) if end.call.client]
    assert [end.user.login for end in outer] == [ANN, BOB]  # type: ignore[union-attr]
    assert outer[1].group is not None


async def test_a_parked_call_is_parked_again_and_passed_on(world: World) -> None:
    _, call, customer = await talking(world)
    bob, eve = await world.phone(BOB), await world.phone(EVE)
    assert await refer(call, "<sip:*5@acme.example>") == 202
    first = await place(world)
    at_bob = await world.phone_calls(bob, first, tone_hz=660)
    await customer.heard(660)
    assert await refer(at_bob, "<sip:*5@acme.example>") == 202
    second = await place(world)
    at_eve = await world.phone_calls(eve, second, tone_hz=1020)
    await customer.heard(1020)
    assert await refer(at_eve, "<sip:703@acme.example>") == 202
    again = await bob.incoming()
    await again.answer(660)
    await customer.heard(660)
    customer.hangup()
    await all_ended(world)
    assert [end.user.login for end in ends(world)] == [ANN, BOB, EVE, BOB]  # type: ignore[union-attr]
    assert len({end.call.callid for end in ends(world)}) == 4


async def test_attended_after_blind_after_attended(world: World) -> None:
    """The callid changes with the blind one only, and every phone but the last is free."""
    phone, call, customer = await talking(world)
    bob, eve = await world.phone(BOB), await world.phone(EVE)
    second = await world.phone_calls(phone, "703", tone_hz=700)
    at_bob = await bob.incoming()
    await at_bob.answer(660)
    await second.heard(660)
    assert await refer(call, replacing(second, "703")) == 202
    await customer.heard(660)
    assert await refer(at_bob, "<sip:704@acme.example>") == 202
    at_eve = await eve.incoming()
    await at_eve.answer(1020)
    await customer.heard(1020)
    third = await world.phone_calls(eve, "702", tone_hz=700)
    at_ann = await phone.incoming()
    await at_ann.answer(500)
    await third.heard(500)
    assert await refer(at_eve, replacing(third, "702")) == 202
    await asyncio.gather(customer.heard(500), at_ann.heard(440))
    customer.hangup()
    await all_ended(world)
    outer = [end for end in ends(world) if end.call.client]
    assert [end.user.login for end in outer] == [BOB, ANN]  # type: ignore[union-attr]


async def test_three_are_put_together_by_who_talks_to_two_customers(world: World) -> None:
    """Two outside parties: the second one takes the employee's place in the first call."""
    phone, call, customer = await talking(world)
    assert await call.hold() == 200
    other = await world.phone_calls(phone, "79260000000", tone_hz=700)
    friend = await world.carrier.incoming()
    await friend.answer(1020)
    await other.heard(1020)
    assert await refer(call, replacing(other, "79260000000")) == 202
    await asyncio.gather(customer.heard(1020), friend.heard(440))
    friend.hangup()
    await all_ended(world)
    rows = {end.call.client: end.destination.value for end in ends(world)}
    assert rows[CUSTOMER] == "telnum"


async def test_who_talks_to_another_one_by_now_is_rung_back_all_the_same(world: World) -> None:
    """The customer is theirs: better a second call than a customer who is lost."""
    phone, call, customer = await talking(world)
    bob, eve = await world.phone(BOB), await world.phone(EVE)
    assert await call.hold() == 200
    second = await world.phone_calls(phone, "704", tone_hz=700)
    at_eve = await eve.incoming()
    await at_eve.answer(1020)
    await second.heard(1020)
    assert await refer(call, "<sip:703@acme.example>") == 202
    (await bob.incoming()).reject(486)
    again = await phone.incoming()
    await again.answer(880)
    await asyncio.gather(customer.heard(880), again.heard(440))
    customer.hangup()
    second.hangup()
    await all_ended(world)


# -- to oneself -----------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["702", "ann", "ANN", OFFICE])
async def test_nobody_passes_a_call_on_to_themselves(world: World, to: str) -> None:
    _, call, customer = await talking(world)
    assert await refer(call, f"<sip:{to}@acme.example>") == 400
    await asyncio.gather(customer.heard(880), call.heard(440))
    customer.hangup()
    await world.ended()


async def test_who_passes_on_to_whom_they_talk_to_is_refused(world: World) -> None:
    """Ann talks to bob and passes bob on to bob: he cannot be rung for himself."""
    call, at_bob = await inner_talk(world)
    code = await refer(call, "<sip:703@acme.example>")
    assert code == 400
    await asyncio.gather(call.heard(660), at_bob.heard(880))
    call.hangup()
    await all_ended(world)


async def test_a_refer_with_replaces_of_its_own_dialog_is_refused(world: World) -> None:
    _, call, customer = await talking(world)
    assert await refer(call, replacing(call, "702")) == 603
    await asyncio.gather(customer.heard(880), call.heard(440))
    customer.hangup()
    await world.ended()
