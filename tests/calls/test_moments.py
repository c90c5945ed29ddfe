"""Who hangs up, or is gone, in the moment of a pick-up, at a parking place, in a consultation."""

from __future__ import annotations

import asyncio

import pytest

from tests.calls.test_parking import music, parked, place
from tests.calls.test_pickup import rings
from tests.calls.test_transfer import FRIEND, consulting, ends, refer, talking
from tests.calls.test_transfer_chains import all_ended
from tests.calls.world import ANN, BOB, CUSTOMER, EVE, World
from vpbx.events import CallEnded, Status, Transferred

PAUSES = (0.0, 0.001, 0.003, 0.01)
"""How long after what begins it somebody hangs up, in seconds: before, amid and after it."""
TUNE_HZ = 620.0


# -- pick-up --------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["customer", "who picks up"])
async def test_somebody_hangs_up_amid_a_pick_up(world: World, who: str) -> None:
    """Whatever came first: nothing is left, each call has one end, and all that rang is stopped."""
    ann, eve = await world.phone(ANN), await world.phone(EVE)
    for count, pause in enumerate(PAUSES, 1):
        customer = await world.customer_calls()
        at_ann = await rings(ann)
        async with asyncio.timeout(30):
            while all(party.login != ANN for call in world.service.active() for party in call.rung):
                await asyncio.sleep(0.001)
        taken = await world.phone_calls(eve, "*8702")
        await asyncio.sleep(pause)
        (customer if who == "customer" else taken).hangup()
        await at_ann.ended(30) if who == "customer" else None
        customer.hangup()
        await taken.ended(30)
        await all_ended(world)
        assert len({end.call.callid for end in ends(world)}) == len(ends(world))
        outside = [end for end in ends(world) if end.call.direction.value == "in"]
        assert len(outside) == count


# -- parking --------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["customer", "ann"])
async def test_somebody_hangs_up_amid_parking(world: World, who: str) -> None:
    """Before, while and after the place is found; two rows or one, and none twice."""
    for pause in PAUSES:
        before = len(ends(world))
        phone, call, customer = await talking(world)
        referring = asyncio.create_task(refer(call, "<sip:*5@acme.example>"))
        await asyncio.sleep(pause)
        (customer if who == "customer" else call).hangup()
        await asyncio.gather(referring, return_exceptions=True)
        customer.hangup()
        call.hangup()
        await all_ended(world)
        assert 1 <= len(ends(world)) - before <= 2
        await world.register(phone, headers=[("Contact", "*"), ("Expires", "0")])
    _, _, customer, place = await parked(world)
    assert place == "51", "the first place is free again"
    customer.hangup()
    await all_ended(world)


async def test_the_customer_hangs_up_while_the_place_is_told(world: World) -> None:
    """Who parked them is let go: there is nobody to take back."""
    _, call, customer, _ = await parked(world)
    async with asyncio.timeout(30):
        while call.hears_hz < 100:  # "to take it back, dial"
            await asyncio.sleep(0.02)
    customer.hangup()
    assert (await call.ended(30)).cause == "bye"
    await world.ended(2)
    assert [end.status for end in ends(world)] == [Status.SUCCESS, Status.MISSED]
    assert world.story() == ["ringing ann", "answered ann", "completed ann"]
    await world.quiet()


@pytest.mark.parametrize("how", ["without a phone", "deleted", "does not receive calls"])
async def test_nobody_takes_it_back_and_who_parked_is_gone(hasty_world: World, how: str) -> None:
    """Without a phone it is missed. Who was deleted is followed by the first administrator, as
    wherever an employee was named; who passed a call on is rung though they receive none."""
    world = hasty_world
    phone, call, customer = await talking(world)
    assert await refer(call, "<sip:*5@acme.example>") == 202
    await place(world)
    match how:
        case "without a phone":
            await world.register(phone, headers=[("Contact", "*"), ("Expires", "0")])
            await customer.ended(40)
            assert world.story() == ["ringing ann", "answered ann", "completed ann"]
        case "deleted":
            boss = await world.phone((await world.domain()).first_admin().login)
            await world.directory.users.delete(await world.domain(), ANN)
            again = await boss.incoming(40)
            await again.answer(1020)
            await asyncio.gather(customer.heard(1020), again.heard(440))
            customer.hangup()
        case _:
            await world.directory.users.set_dnd(await world.domain(), ANN, False)
            again = await phone.incoming(40)
            await again.answer(1020)
            await asyncio.gather(customer.heard(1020), again.heard(440))
            customer.hangup()
    await world.ended(2)
    first, second = ends(world)
    missed = how == "without a phone"
    assert (first.status, second.status) == (
        Status.SUCCESS,
        Status.MISSED if missed else Status.SUCCESS,
    )
    await world.quiet()


# -- transfers ------------------------------------------------------------------------------------


async def test_a_transferrer_who_was_deleted_is_followed_by_the_first_administrator(
    world: World,
) -> None:
    _, call, customer = await talking(world)
    bob = await world.phone(BOB)
    boss = await world.phone((await world.domain()).first_admin().login)
    assert await refer(call, "<sip:703@acme.example>") == 202
    at_bob = await rings(bob)
    await world.directory.users.delete(await world.domain(), ANN)
    at_bob.reject(486)
    again = await boss.incoming(30)
    await again.answer(1020)
    await asyncio.gather(customer.heard(1020), again.heard(440))
    customer.hangup()
    await world.ended(2)
    assert ends(world)[1].user.login == boss.name  # type: ignore[union-attr]


@pytest.mark.parametrize("called", ["by the customer", "by ann"])
async def test_nobody_is_passed_on_to_their_own_number(world: World, called: str) -> None:
    """They would be busy: refused, as for a colleague."""
    if called == "by ann":
        phone = await world.phone(ANN)
        call = await world.phone_calls(phone, CUSTOMER, tone_hz=880)
        customer = await world.carrier.incoming()
        await customer.answer(440)
        await customer.heard(880)
    else:
        _, call, customer = await talking(world)
    assert await refer(call, f"<sip:8{CUSTOMER[1:]}@acme.example>") == 400
    await asyncio.gather(customer.heard(880), call.heard(440))
    customer.hangup()
    await world.ended()
    assert world.of(Transferred) == []


async def test_whom_they_consult_holds_and_hangs_up(world: World) -> None:
    """Both hold ann, and bob goes: the customer is hers as before."""
    await music(world)
    call, customer, second, at_bob = await consulting(world)
    await at_bob.answer(660)
    await second.heard(660)
    assert await at_bob.hold() == 200
    await asyncio.gather(second.heard(TUNE_HZ), customer.heard(TUNE_HZ))
    at_bob.hangup()
    assert (await second.ended()).cause == "bye"
    await world.until(CallEnded)
    assert await call.resume() == 200
    await asyncio.gather(customer.heard(880), call.heard(440))
    assert await refer(call, f"<sip:{FRIEND}@acme.example>") == 202  # and can be passed on
    await (await world.carrier.incoming()).answer(1020)
    await customer.heard(1020)
    customer.hangup()
    await all_ended(world)
    assert len(ends(world)) == 3


async def test_to_a_department_that_runs_into_voicemail(hasty_world: World) -> None:
    """Nobody takes it in the department, and its mailbox does: nobody is rung back."""
    world = hasty_world
    domain = await world.domain()
    users = [{"login": BOB, "calls_enable": True}]
    await world.edit_group(timeout={"time": 15, "target": "voicemail"}, users=users)
    await world.directory.am_groups.add(domain, [world.group_id])
    await world.own_sound("prompt", "voicemail-greeting", 900)
    ann, call, customer = await talking(world)
    bob = await world.phone(BOB)
    assert await refer(call, "<sip:710@acme.example>") == 202
    at_bob = await rings(bob)
    await customer.heard(900, timeout_s=30)
    assert at_bob.is_over
    customer.hangup()
    await world.ended(2)
    assert len(ann.calls) == 1
    assert world.story()[3:] == ["ringing bob", "ring ended bob"]
    second = ends(world)[1]
    assert (second.status, second.destination.value) == (Status.MISSED, "am")
