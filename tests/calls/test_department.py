"""Departments: who rings in which order, who waits in line; with real SIP and sound."""

from __future__ import annotations

import asyncio

import pytest

from tests.calls.world import ANN, BOB, CUSTOMER, EVE, OFFICE, PASSWORD, SALES, Agent, World
from vpbx.events import Answered, CallEnded, Destination, RingEnded, Ringing, Status
from vpbx.sim.call import Call

SECOND = "79260000002"


async def members(world: World, *logins: str, **values: object) -> None:
    users = [{"login": login, "calls_enable": True} for login in logins]
    await world.edit_group(users=users, **values)


async def talking(world: World, phone: Agent, number: str = OFFICE) -> Call:
    """`phone` is busy with a call from a customer; returns the customer's side."""
    other = await world.customer_calls(number, caller="79990000000")
    await (await phone.incoming()).answer()
    await other.answered()
    return other


async def rings(phone: Agent) -> Call:
    call = await phone.incoming()
    call.ring()
    return call


async def waiting(world: World, **options: object) -> Call:
    """A customer who found nobody free: answered, with music."""
    customer = await world.customer_calls(SALES, **options)  # type: ignore[arg-type]
    await customer.answered()
    return customer


# -- waiting ------------------------------------------------------------------------------------


async def test_who_finds_nobody_free_waits_with_the_music_of_the_company(world: World) -> None:
    await world.directory.music.set(
        await world.domain(), "holdmusic", await world.own_sound("music", "song", 1100)
    )
    customer = await waiting(world)
    await customer.heard(1100, timeout_s=20)
    customer.hangup()
    end = await world.ended()
    assert world.story() == []
    assert (end.status, end.destination, end.account) == (
        Status.MISSED,
        Destination.GROUP,
        world.group_id,
    )
    assert end.user is not None
    assert end.user.login == ANN


async def test_the_place_in_line_is_told_and_told_again(hasty_world: World) -> None:
    world = hasty_world
    await world.edit_group(queue_position=True, timeout={"time": 600, "target": "msg_busy"})
    await world.own_sound("prompt", "queue-position", 600, 0.5)
    await world.own_sound("prompt", "please-wait", 500, 0.3)
    for number, hz in ((1, 900), (2, 1300)):
        await world.own_sound("prompt", f"number-{number}", hz, 0.5)
    first = await waiting(world)
    second = await waiting(world, caller=SECOND)
    await first.heard(600)
    await asyncio.gather(first.heard(900), second.heard(1300))
    first.hangup()
    await world.ended()
    await second.heard(900)
    second.hangup()


async def test_please_call_later_is_offered_while_one_waits(hasty_world: World) -> None:
    world = hasty_world
    await world.edit_group(advanced="msg_busy")
    await world.own_sound("prompt", "call-later", 700)
    customer = await waiting(world)
    await customer.heard(700)
    assert not customer.is_over
    ann = await world.phone(ANN)
    await (await ann.incoming()).answer(880)
    await customer.heard(880)
    customer.hangup()


async def test_a_device_that_registers_is_rung_at_once(world: World) -> None:
    customer = await waiting(world)
    ann = await world.phone(ANN)
    async with asyncio.timeout(20):
        call = await ann.incoming()
    await call.answer(880)
    await customer.heard(880)
    customer.hangup()
    await world.ended()
    assert world.story() == ["ringing ann", "answered ann", "completed ann"]


async def test_who_ends_a_call_is_rung_at_once(world: World) -> None:
    ann = await world.phone(ANN)
    other = await talking(world, ann)
    customer = await waiting(world)
    other.hangup()
    async with asyncio.timeout(20):
        call = await ann.incoming()
    await call.answer()
    await world.until(Answered, 2)
    customer.hangup()


async def test_who_switches_dnd_off_is_rung_at_once(world: World) -> None:
    domain = await world.domain()
    await world.directory.users.set_dnd(domain, ANN, False)
    ann = await world.phone(ANN)
    customer = await waiting(world)
    await world.directory.users.set_dnd(domain, ANN, True)
    async with asyncio.timeout(20):
        await (await ann.incoming()).answer()
    await world.until(Answered)
    customer.hangup()


async def test_one_who_gets_free_is_offered_the_longest_waiting_alone(world: World) -> None:
    ann = await world.phone(ANN)
    other = await talking(world, ann)
    first = await waiting(world, tone_hz=440)
    second = await waiting(world, caller=SECOND, tone_hz=560)
    other.hangup()
    call = await ann.incoming()
    assert call.caller[1] == CUSTOMER
    await call.answer(880)
    await call.heard(440)
    await asyncio.sleep(0.3)
    assert len(world.of(Ringing)) == 2  # the call of before, and this one
    first.hangup()
    call = await ann.incoming()
    assert call.caller[1] == SECOND
    await call.answer(880)
    await call.heard(560)
    second.hangup()


async def test_two_callers_ring_two_people(world: World) -> None:
    await world.edit_group(call_order="BYORDER")
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    first = await world.customer_calls(SALES)
    at_ann = await rings(ann)
    second = await world.customer_calls(SALES, caller=SECOND)
    at_bob = await rings(bob)
    assert (at_ann.caller[1], at_bob.caller[1]) == (CUSTOMER, SECOND)
    for customer in (first, second):
        customer.hangup()


async def test_who_leaves_the_line_is_not_rung_for_again(world: World) -> None:
    customer = await waiting(world)
    customer.hangup()
    await world.ended()
    ann = await world.phone(ANN)
    other = await talking(world, ann)
    other.hangup()
    await world.ended(2)
    assert [event.user.login for event in world.of(Ringing)] == [ANN]


# -- the orders -----------------------------------------------------------------------------------


async def test_one_by_one_from_the_top(hasty_world: World) -> None:
    world = hasty_world
    await members(world, BOB, ANN, call_order="BYORDER", call_duration=5)
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    customer = await world.customer_calls(SALES)
    await rings(bob)
    await (await rings(ann)).answer()
    await customer.answered()
    customer.hangup()
    end = await world.ended()
    assert world.story() == [
        *("ringing bob", "ring ended bob"),
        *("ringing ann", "answered ann", "completed ann"),
    ]
    assert (end.account, end.group.id) == (ANN, world.group_id)  # type: ignore[union-attr]


@pytest.mark.parametrize("code", [486, 600, 603])
async def test_a_refusal_moves_the_hunt_on_at_once(world: World, code: int) -> None:
    await members(world, ANN, BOB, call_order="BYORDER", call_duration=30)
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    customer = await world.customer_calls(SALES)
    (await rings(ann)).reject(code)
    async with asyncio.timeout(20):
        await (await rings(bob)).answer()
    await customer.answered()
    customer.hangup()
    await world.ended()
    assert world.story()[:3] == ["ringing ann", "ring ended ann", "ringing bob"]


async def test_one_busy_device_of_two_moves_the_hunt_on(world: World) -> None:
    await members(world, ANN, BOB, call_order="BYORDER", call_duration=30)
    desk, mobile, bob = await world.phone(ANN), await world.phone(ANN), await world.phone(BOB)
    customer = await world.customer_calls(SALES)
    at_mobile = await rings(mobile)
    (await rings(desk)).reject(486)
    async with asyncio.timeout(20):
        await (await rings(bob)).answer()
    assert (await at_mobile.ended()).cause == "cancel"
    customer.hangup()


async def test_in_waterfall_the_next_joins(hasty_world: World) -> None:
    world = hasty_world
    await members(world, ANN, BOB, call_order="WATERFALL", call_duration=5)
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    customer = await world.customer_calls(SALES)
    at_ann = await rings(ann)
    await (await rings(bob)).answer()
    await customer.answered()
    assert (await at_ann.ended()).cause == "cancel"
    customer.hangup()
    await world.ended()
    assert world.story() == [
        *("ringing ann", "ringing bob"),
        *("ring ended ann", "answered bob", "completed bob"),
    ]


async def test_evenly_begins_with_who_has_gone_longest_without_a_call(world: World) -> None:
    await members(world, ANN, BOB, call_order="EVENLY")
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    for turn, (phone, other) in enumerate([(ann, bob), (bob, ann), (ann, bob)], 1):
        customer = await world.customer_calls(SALES)
        await (await phone.incoming()).answer()
        await customer.answered()
        customer.hangup()
        await world.ended(turn)
        assert len(other.calls) == turn // 2 if other is bob else len(other.calls) == 1


async def test_evenly_takes_nobody_for_who_had_their_login_before(world: World) -> None:
    await members(world, ANN, BOB, call_order="EVENLY")
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    for turn, phone in enumerate((ann, bob), 1):
        customer = await world.customer_calls(SALES)
        await (await phone.incoming()).answer()
        await customer.answered()
        customer.hangup()
        await world.ended(turn)
    users = world.directory.users
    await users.delete(await world.domain(), BOB)
    domain = await world.domain()
    await users.add(domain, {"login": BOB, "name": "Another Bob", "password": PASSWORD})
    await members(world, ANN, BOB)  # ann was called first, and the new bob never
    another = await world.phone(BOB)
    customer = await world.customer_calls(SALES)
    await rings(another)
    assert len(ann.calls) == 1
    customer.hangup()


async def test_evenly_asks_history_what_was_before_the_start(world: World) -> None:
    world.talked_before = {ANN: 2000.0, BOB: 1000.0}
    await members(world, ANN, BOB, call_order="EVENLY")
    bob = await world.phone(BOB)
    await world.phone(ANN)
    customer = await world.customer_calls(SALES)
    await rings(bob)
    customer.hangup()


# -- the time is over ---------------------------------------------------------------------------


async def test_after_its_time_the_call_goes_to_an_employee(hasty_world: World) -> None:
    world = hasty_world
    await world.edit_group(timeout={"time": 15, "target": "user", "user": EVE})
    ann, eve = await world.phone(ANN), await world.phone(EVE)
    customer = await world.customer_calls(SALES)
    await rings(ann)
    await (await rings(eve)).answer()
    await customer.answered()
    customer.hangup()
    end = await world.ended()
    assert world.story() == [
        *("ringing ann", "ring ended ann"),
        *("ringing eve", "answered eve", "completed eve"),
    ]
    assert (end.status, end.destination, end.group) == (Status.SUCCESS, Destination.USER, None)


async def test_after_its_time_the_call_goes_to_another_department(hasty_world: World) -> None:
    world = hasty_world
    users = [{"login": EVE, "calls_enable": True}]
    night = await world.directory.groups.add(
        await world.domain(), {"name": "Night", "users": users}
    )
    await world.edit_group(timeout={"time": 15, "target": "group", "group": night.id})
    eve = await world.phone(EVE)
    customer = await waiting(world)
    call = await rings(eve)
    customer.hangup()
    end = await world.ended()
    assert (await call.ended()).cause == "cancel"
    assert (end.status, end.destination, end.account) == (
        Status.MISSED,
        Destination.GROUP,
        night.id,
    )
    assert end.group.name == "Night"  # type: ignore[union-attr]


async def test_after_its_time_the_call_goes_to_an_outside_number(hasty_world: World) -> None:
    world = hasty_world
    await world.edit_group(timeout={"time": 15, "target": "telnum", "telnum": SECOND})
    customer = await waiting(world, tone_hz=440)
    friend = await world.carrier.incoming()
    await friend.answer(880)
    await customer.heard(880)
    await friend.heard(440)
    customer.hangup()
    end = await world.ended()
    assert (end.status, end.destination) == (Status.SUCCESS, Destination.TELNUM)
    assert world.story() == []


async def test_after_its_time_the_caller_is_asked_to_call_later(hasty_world: World) -> None:
    world = hasty_world
    await world.edit_group(timeout={"time": 15, "target": "msg_busy"})
    await world.own_sound("prompt", "call-later", 700)
    customer = await waiting(world)
    await customer.heard(700)
    assert (await customer.ended()).cause == "bye"
    end = await world.ended()
    assert (end.status, end.destination) == (Status.MISSED, Destination.GROUP)


async def test_a_department_of_nobody_goes_on_at_once(world: World) -> None:
    await members(world, timeout={"time": 600, "target": "user", "user": EVE})
    eve = await world.phone(EVE)
    customer = await world.customer_calls(SALES)
    async with asyncio.timeout(20):
        await (await eve.incoming()).answer()
    await customer.answered()
    customer.hangup()


# -- races --------------------------------------------------------------------------------------


async def test_two_who_answer_at_once_are_one_who_has_the_call(world: World) -> None:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    customer = await world.customer_calls(SALES, tone_hz=440)
    calls = [await rings(ann), await rings(bob)]
    await asyncio.gather(*(call.answer(880) for call in calls))
    await world.until(Answered)
    loser = next(call for call in calls if call.called != world.of(Answered)[0].user.login)
    customer.hangup()
    end = await world.ended()
    await loser.ended()
    winner = world.of(Answered)[0].user.login
    assert len(world.of(Answered)) == 1
    assert end.account == winner


async def test_an_employee_deleted_while_rung_is_stopped_and_the_others_ring_on(
    world: World,
) -> None:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    customer = await world.customer_calls(SALES)
    at_ann, at_bob = await rings(ann), await rings(bob)
    await world.until(Ringing, 2)
    await world.directory.writer.flush()
    await world.directory.users.delete(await world.domain(), ANN)
    assert (await at_ann.ended()).cause == "cancel"
    await at_bob.answer()
    await customer.answered()
    customer.hangup()
    end = await world.ended()
    assert (end.status, end.account) == (Status.SUCCESS, BOB)


async def test_dnd_switched_on_while_rung_stops_the_phone(world: World) -> None:
    ann = await world.phone(ANN)
    customer = await world.customer_calls(SALES)
    at_ann = await rings(ann)
    await world.until(Ringing)
    await world.directory.users.set_dnd(await world.domain(), ANN, False)
    assert (await at_ann.ended()).cause == "cancel"
    await world.until(RingEnded)
    await customer.answered()  # to wait with music
    customer.hangup()
    end = await world.ended()
    assert end.destination is Destination.GROUP


async def test_a_member_who_is_added_while_it_rings_is_rung(world: World) -> None:
    ann, eve = await world.phone(ANN), await world.phone(EVE)
    customer = await world.customer_calls(SALES)
    await rings(ann)
    await world.directory.groups.change_users(await world.domain(), world.group_id, {"add": [EVE]})
    async with asyncio.timeout(20):
        await (await eve.incoming()).answer()
    await customer.answered()
    customer.hangup()


async def test_a_department_deleted_while_one_waits_hands_them_on(world: World) -> None:
    domain = await world.domain()
    admin = domain.first_admin().login
    phone = await world.phone(admin)
    customer = await waiting(world)
    await world.directory.groups.delete(domain, world.group_id)
    async with asyncio.timeout(20):
        await (await phone.incoming()).answer(880)
    await customer.heard(880)
    customer.hangup()


async def test_a_department_deleted_before_anybody_is_rung_hands_the_caller_on(
    world: World,
) -> None:
    await members(world, ANN, BOB, call_order="EVENLY")
    domain = await world.domain()
    admin = await world.phone(domain.first_admin().login)

    async def deleted() -> None:
        await world.directory.groups.delete(domain, world.group_id)
        await world.domain()  # somebody reads what is set now

    world.while_history_is_asked = deleted
    customer = await world.customer_calls(SALES)
    await (await admin.incoming()).answer()
    await customer.answered()
    customer.hangup()
    assert (await world.ended()).account == admin.name


async def test_a_customer_who_hangs_up_while_the_call_moves_on_ends_it(hasty_world: World) -> None:
    world = hasty_world
    await world.edit_group(timeout={"time": 15, "target": "user", "user": EVE})
    ann, eve = await world.phone(ANN), await world.phone(EVE)
    for _ in range(6):
        customer = await world.customer_calls(SALES)
        await rings(ann)
        await asyncio.sleep(1.47 + 0.01 * len(world.of(CallEnded)))
        customer.hangup()
        await world.ended(len(world.of(CallEnded)) + 1)
    await world.quiet()
    assert all(call.is_over for call in (*ann.calls, *eve.calls))


async def test_an_employee_is_not_rung_for_the_call_they_place(world: World) -> None:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    call = await world.phone_calls(ann, "710")
    await (await rings(bob)).answer()
    await call.answered()
    assert len(ann.calls) == 1
    call.hangup()


async def test_who_talks_is_not_rung_unless_call_waiting_is_on(world: World) -> None:
    ann = await world.phone(ANN)
    other = await talking(world, ann)
    customer = await waiting(world)
    await world.directory.users.set_call_waiting(await world.domain(), ANN, True)
    async with asyncio.timeout(20):
        await ann.incoming()
    for call in (other, customer):
        call.hangup()
