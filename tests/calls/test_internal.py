"""Employees call each other (call-handling.md, "An internal call")."""

from __future__ import annotations

import asyncio

from tests.calls.world import ANN, BOB, EVE, World
from vpbx.events import Answered, CallStarted, Direction, Status


async def test_one_employee_calls_another_by_ext(world: World) -> None:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    call = await world.phone_calls(ann, "703", tone_hz=440)
    at_bob = await bob.incoming()
    assert at_bob.session is not None
    assert (at_bob.session.from_.name, at_bob.session.from_.uri.user) == ("Ann", "702")
    at_bob.ring()
    await call.ringing()
    await at_bob.answer(880)
    await call.answered()
    await asyncio.gather(call.heard(880), at_bob.heard(440))
    call.hangup()
    await at_bob.ended()
    end = await world.ended()
    assert end.call.direction is Direction.INNER
    assert (end.call.client, end.call.diversion) == ("", "")
    assert end.caller is not None
    assert end.user is not None
    assert (end.caller.login, end.user.login, end.status) == (ANN, BOB, Status.SUCCESS)
    assert not end.recorded
    assert world.of(CallStarted)[0].caller.login == ANN
    assert len(world.of(Answered)) == 1
    await world.quiet()


async def test_by_login(world: World) -> None:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    call = await world.phone_calls(ann, BOB)
    await (await bob.incoming()).answer()
    await call.answered()
    call.hangup()
    await world.ended()


async def test_a_department_by_its_ext_without_the_caller_themselves(world: World) -> None:
    ann, bob, eve = [await world.phone(login) for login in (ANN, BOB, EVE)]
    call = await world.phone_calls(ann, "710")
    await (await bob.incoming()).answer()
    await call.answered()
    assert not ann._untaken
    assert not eve.calls
    call.hangup()
    end = await world.ended()
    assert end.user is not None
    assert end.group is not None
    assert (end.user.login, end.group.name) == (BOB, "Sales")


async def test_a_colleague_who_does_not_answer(world: World) -> None:
    await world.settings(ring_timeout_s=1)
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    call = await world.phone_calls(ann, "703")
    at_bob = await bob.incoming()
    at_bob.ring()
    assert (await at_bob.ended()).cause == "cancel"
    assert (await call.ended()).code == 480
    assert (await world.ended()).status is Status.NOANSWER


async def test_a_colleague_without_a_device_and_one_who_talks(world: World) -> None:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    call = await world.phone_calls(ann, "704")
    assert (await call.ended()).code == 480
    first = await world.phone_calls(ann, "703")
    await (await bob.incoming()).answer()
    await first.answered()
    eve = await world.phone(EVE)
    second = await world.phone_calls(eve, "703")
    assert (await second.ended()).code == 486
    first.hangup()
    await world.ended(3)


async def test_a_caller_who_gives_up(world: World) -> None:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    call = await world.phone_calls(ann, "703")
    at_bob = await bob.incoming()
    at_bob.ring()
    await call.ringing()
    call.hangup()
    assert (await at_bob.ended()).cause == "cancel"
    end = await world.ended()
    assert (end.status, end.sip_code) == (Status.NOANSWER, 487)


async def test_calling_oneself_is_busy(world: World) -> None:
    ann = await world.phone(ANN)
    call = await world.phone_calls(ann, "702")
    assert (await call.ended()).code == 486
    await world.ended()


async def test_an_inner_call_is_recorded_where_that_is_on(world: World) -> None:
    await world.settings(record_inner=True)
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    call = await world.phone_calls(ann, "703", tone_hz=440)
    at_bob = await bob.incoming()
    await at_bob.answer(880)
    await call.heard(880)
    call.hangup()
    assert (await world.ended()).recorded
