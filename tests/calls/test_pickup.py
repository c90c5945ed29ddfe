"""Picking up a colleague's ringing call: `*8` and an ext, or `*8` alone; with real SIP."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tests.calls.world import ANN, BOB, EVE, OFFICE, SALES, Agent, World
from vpbx.events import Destination, Direction, Ringing, Status
from vpbx.sim.call import Call, CallFailed


async def rings(phone: Agent) -> Call:
    call = await phone.incoming()
    call.ring()
    return call


async def test_a_call_that_rings_at_a_colleague_is_picked_up(world: World) -> None:
    ann, eve = await world.phone(ANN), await world.phone(EVE)
    customer = await world.customer_calls(tone_hz=440)
    at_ann = await rings(ann)
    await world.until(Ringing)
    taken = await world.phone_calls(eve, "*8702", tone_hz=880)
    await taken.answered()
    await customer.heard(880)
    await taken.heard(440)
    assert (await at_ann.ended()).cause == "cancel"
    customer.hangup()
    end = await world.ended()
    assert world.story() == [
        *("ringing ann", "ringing eve"),
        *("ring ended ann", "answered eve", "completed eve"),
    ]
    assert (end.status, end.destination, end.account) == (Status.SUCCESS, Destination.USER, EVE)
    assert (await taken.ended()).cause == "bye"
    await world.quiet()


async def test_who_picked_up_may_hang_up(world: World) -> None:
    ann, eve = await world.phone(ANN), await world.phone(EVE)
    customer = await world.customer_calls()
    await rings(ann)
    await world.until(Ringing)
    taken = await world.phone_calls(eve, "*8702")
    await taken.answered()
    await customer.answered()
    taken.hangup()
    assert (await customer.ended()).cause == "bye"
    assert (await world.ended()).account == EVE


async def test_star_8_picks_up_in_a_department_of_ones_own(world: World) -> None:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    customer = await world.customer_calls(SALES, tone_hz=440)
    at_ann, at_bob = await rings(ann), await rings(bob)
    await world.until(Ringing, 2)
    second = await world.phone(BOB)
    taken = await world.phone_calls(second, "*8", tone_hz=880)
    await taken.answered()
    await customer.heard(880)
    assert (await at_ann.ended()).cause == "cancel"
    assert (await at_bob.ended()).cause == "cancel"
    customer.hangup()
    end = await world.ended()
    assert (end.account, end.group.id) == (BOB, world.group_id)  # type: ignore[union-attr]
    assert world.story()[-3:] == ["ring ended ann", "answered bob", "completed bob"]


async def test_star_8_picks_up_what_rings_at_a_member_alone(world: World) -> None:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    customer = await world.customer_calls(OFFICE)
    await rings(ann)
    await world.until(Ringing)
    taken = await world.phone_calls(bob, "*8")
    await taken.answered()
    await customer.answered()
    customer.hangup()
    assert (await world.ended()).account == BOB


async def test_a_call_that_waited_in_line_leaves_it_when_it_is_picked_up(world: World) -> None:
    await world.edit_group(call_order="BYORDER", call_duration=30)
    ann, eve = await world.phone(ANN), await world.phone(EVE)
    first = await world.customer_calls(SALES)
    await rings(ann)
    await world.until(Ringing)
    second = await world.customer_calls(SALES, caller="79260000002")
    await second.answered()
    taken = await world.phone_calls(eve, "*8702")
    await taken.answered()
    again = await rings(ann)
    assert again.caller[1] == "79260000002"
    for customer in (first, second):
        customer.hangup()


async def test_an_inner_call_is_picked_up_too(world: World) -> None:
    ann, bob, eve = [await world.phone(login) for login in (ANN, BOB, EVE)]
    call = await world.phone_calls(bob, "702", tone_hz=440)
    await rings(ann)
    await world.until(Ringing)
    taken = await world.phone_calls(eve, "*8702", tone_hz=880)
    await call.heard(880)
    await taken.heard(440)
    call.hangup()
    end = await world.ended()
    assert end.call.direction is Direction.INNER
    assert (end.caller.login, end.user.login) == (BOB, EVE)  # type: ignore[union-attr]


@pytest.mark.parametrize("code", ["*8", "*8702", "*8710", "*8999"])
async def test_who_finds_nothing_that_rings_is_told_so(world: World, code: str) -> None:
    eve = await world.phone(EVE)  # no member of Sales (710)
    await world.own_sound("prompt", "pickup-none", 700)
    call = await world.phone_calls(eve, code)
    await call.heard(700)
    assert (await call.ended()).cause == "bye"
    await world.ended()


async def test_a_strangers_department_is_none_of_ones_business(world: World) -> None:
    ann, eve = await world.phone(ANN), await world.phone(EVE)
    customer = await world.customer_calls(SALES)
    await rings(ann)
    await world.until(Ringing)
    await world.own_sound("prompt", "pickup-none", 700)
    for code in ("*8", "*8710"):
        call = await world.phone_calls(eve, code)
        await call.heard(700)
        call.hangup()
    assert not customer.is_answered
    customer.hangup()


async def test_two_who_pick_up_at_once_are_one_who_has_the_call(world: World) -> None:
    ann, bob, eve = [await world.phone(login) for login in (ANN, BOB, EVE)]
    customer = await world.customer_calls(OFFICE)
    await rings(ann)
    await world.until(Ringing)
    calls = await asyncio.gather(
        world.phone_calls(bob, "*8702"), world.phone_calls(eve, "*8702"), return_exceptions=True
    )
    assert all(isinstance(call, Call) for call in calls)
    await customer.answered()
    customer.hangup()
    await asyncio.gather(*(call.ended(20) for call in calls))  # type: ignore[union-attr]
    assert sum(1 for line in world.story() if line.startswith("answered")) == 1
    await world.quiet()


async def test_who_answers_in_the_moment_of_a_pick_up_or_not_one_of_them_has_it(
    world: World,
) -> None:
    ann, eve = await world.phone(ANN), await world.phone(EVE)
    customer = await world.customer_calls(OFFICE)
    at_ann = await rings(ann)
    await world.until(Ringing)
    picking = asyncio.create_task(world.phone_calls(eve, "*8702"))
    await asyncio.sleep(0.003)
    with contextlib.suppress(CallFailed):  # she was too late already
        await at_ann.answer()
    taken = await picking
    await customer.answered()
    customer.hangup()
    await taken.ended(20)
    await at_ann.ended()
    assert sum(1 for line in world.story() if line.startswith("answered")) == 1
    await world.quiet()
