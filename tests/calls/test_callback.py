"""Customers who press 1 in a queue are called back; with real SIP and sound."""

from __future__ import annotations

import asyncio

import pytest

from tests.calls.world import ANN, BOB, CUSTOMER, SALES, Agent, World
from vpbx.directory import PromisedCall
from vpbx.events import CallStarted, Dialing, Direction, Status
from vpbx.sim.call import Call

OFFER, CONFIRMED = 600, 800


async def offers(world: World, *logins: str) -> None:
    """Sales offers to call back; what it says are tones."""
    users = [{"login": login, "calls_enable": True} for login in logins or (ANN, BOB)]
    await world.edit_group(advanced="callback", users=users)
    await world.own_sound("prompt", "please-wait", 500, 0.3)
    await world.own_sound("prompt", "callback-offer", OFFER, 0.6)
    await world.own_sound("prompt", "callback-confirmed", CONFIRMED, 0.6)


async def asks_back(world: World) -> None:
    """A customer waits, presses 1, is told that they will be called, and the call ends."""
    customer = await world.customer_calls(SALES)
    await customer.answered()
    await customer.rtp.hear(5)  # type: ignore[union-attr]
    customer.dial("1")
    await customer.heard(CONFIRMED)
    assert (await customer.ended()).cause == "bye"


async def called_back(phone: Agent) -> Call:
    call = await phone.incoming()
    assert call.caller[1] == CUSTOMER
    call.ring()
    return call


async def test_a_customer_is_called_back_when_an_employee_is_free(world: World) -> None:
    await offers(world)
    await asks_back(world)
    end = await world.ended()
    assert (end.status, end.user.login) == (Status.MISSED, ANN)  # type: ignore[union-attr]
    assert world.story() == []
    ann = await world.phone(ANN)
    await (await called_back(ann)).answer(880)
    customer = await world.carrier.incoming()
    assert customer.session is not None
    assert customer.session.request.uri.user == CUSTOMER
    await customer.answer(440)
    await customer.heard(880)
    await ann.calls[0].heard(440)
    await world.directory.writer.flush()
    assert await world.directory.callbacks.all() == []  # kept: a crash now must not repeat it
    customer.hangup()
    end = await world.ended(2)
    assert world.story() == ["dialing ann", "answered ann", "completed ann"]
    assert (end.call.direction, end.status, end.account) == (Direction.OUT, Status.SUCCESS, ANN)
    assert (end.call.client, end.call.diversion) == (CUSTOMER, SALES)
    assert end.group.id == world.group_id  # type: ignore[union-attr]
    assert all(e.group is not None for e in world.of(Dialing))


async def test_it_is_offered_by_voice(hasty_world: World) -> None:
    world = hasty_world
    await offers(world)
    customer = await world.customer_calls(SALES)
    await customer.heard(OFFER)
    customer.hangup()


async def test_a_promise_is_written_before_it_is_spoken(world: World) -> None:
    await offers(world)
    customer = await world.customer_calls(SALES)
    await customer.answered()
    await customer.rtp.hear(5)  # type: ignore[union-attr]
    customer.dial("1")
    await customer.heard(CONFIRMED)
    (promised,) = await world.directory.callbacks.all()
    assert (promised.client, promised.gid, promised.diversion) == (CUSTOMER, world.group_id, SALES)
    customer.hangup()  # in the middle of the sentence: it was promised all the same
    await world.ended()
    ann = await world.phone(ANN)
    await (await called_back(ann)).answer()
    (await world.carrier.incoming()).reject(486)
    await world.ended(2)


async def test_who_has_waited_longer_comes_first_in_line_or_promised(world: World) -> None:
    await offers(world)
    await asks_back(world)
    await world.ended()
    other = await world.customer_calls(SALES, caller="79260000002")
    await other.answered()
    ann = await world.phone(ANN)
    call = await called_back(ann)
    assert not other.is_over
    call.reject(486)
    await world.ended(2)
    second = await ann.incoming()  # she did not take it; the next in line is offered her
    assert second.caller[1] == "79260000002"
    other.hangup()


async def test_an_employee_who_does_not_take_it_leaves_it_to_another(world: World) -> None:
    await offers(world)
    await asks_back(world)
    ann = await world.phone(ANN)
    bob = await world.phone(BOB)
    (await called_back(ann)).reject(486)
    await (await called_back(bob)).answer()
    await (await world.carrier.incoming()).answer()
    await world.until(Dialing)
    bob.calls[0].hangup()
    end = await world.ended(3)
    assert (end.status, end.account) == (Status.SUCCESS, BOB)


async def test_a_customer_who_does_not_answer_is_tried_three_times(world: World) -> None:
    fast = world
    await offers(fast, ANN)
    await asks_back(fast)
    await fast.ended()
    ann = await fast.phone(ANN)
    for times in (1, 2, 3):
        await (await called_back(ann)).answer()
        (await fast.carrier.incoming()).reject(486)
        await fast.ended(1 + times)
        if times < 3:
            (promised,) = await _promised(fast, times)
            assert promised.not_before > promised.since + 290
            for ticket in fast.service._callbacks._promised:
                ticket.not_before = 0.0  # five minutes later
    await asyncio.sleep(0.1)
    assert await fast.directory.callbacks.all() == []
    assert [event.call.direction for event in fast.of(CallStarted)][1:] == [Direction.OUT] * 3


async def _promised(world: World, tries: int) -> list[object]:
    async with asyncio.timeout(20):
        while True:
            found = await world.directory.callbacks.all()
            if found and found[0].tries == tries:
                return list(found)
            await asyncio.sleep(0.02)


async def test_a_customer_who_calls_in_again_is_not_called_back(world: World) -> None:
    await offers(world)
    await asks_back(world)
    await world.ended()
    again = await world.customer_calls(SALES)
    await again.answered()
    async with asyncio.timeout(20):
        while await world.directory.callbacks.all():
            await asyncio.sleep(0.02)
    again.hangup()
    await world.ended(2)
    ann = await world.phone(ANN)
    await asyncio.sleep(1.5)
    assert ann.calls == []


async def test_a_customer_who_calls_in_while_an_employee_is_rung_for_them_stops_that(
    world: World,
) -> None:
    await offers(world, ANN)
    await asks_back(world)
    ann = await world.phone(ANN)
    call = await called_back(ann)
    again = await world.customer_calls(SALES)
    assert (await call.ended()).cause == "cancel"
    await (await ann.incoming()).answer(880)
    await again.heard(880)
    again.hangup()


async def test_what_was_promised_is_kept_over_a_restart(world: World) -> None:
    await offers(world)
    await asks_back(world)
    await world.ended()
    await world.restart()
    ann = await world.phone(ANN)
    await (await called_back(ann)).answer()
    await (await world.carrier.incoming()).answer()
    await world.until(Dialing)
    ann.calls[0].hangup()
    await world.ended(2)


async def test_what_nobody_has_taken_for_a_day_is_dropped(world: World) -> None:
    yesterday = world.directory.clock.time() - 25 * 3600
    domain = await world.domain()
    promised = PromisedCall("1", domain.id, world.group_id, CUSTOMER, SALES, yesterday)
    await world.directory.callbacks.promise(promised)
    await world.service._callbacks.resume()
    ann = await world.phone(ANN)
    async with asyncio.timeout(20):
        while world.service._callbacks._promised:
            await asyncio.sleep(0.02)
    await world.directory.writer.flush()
    assert await world.directory.callbacks.all() == []
    assert not ann.calls


@pytest.mark.parametrize("caller", ["anonymous"])
async def test_who_hides_their_number_is_not_offered_it(world: World, caller: str) -> None:
    await offers(world)
    customer = await world.customer_calls(SALES, caller=caller)
    await customer.answered()
    await customer.rtp.hear(5)  # type: ignore[union-attr]
    customer.dial("1")
    await asyncio.sleep(0.5)
    assert not customer.is_over
    assert await world.directory.callbacks.all() == []
    customer.hangup()


async def test_a_number_the_department_may_not_call_is_not_offered_it(world: World) -> None:
    """Who calls in may show any number: a dear one is not called at the company's expense."""
    await offers(world)
    rules = world.directory.restrictions
    await rules.set_main(await world.domain(), ["RU", "179"])
    customer = await world.customer_calls(SALES, caller="442079460958")
    await customer.answered()
    await customer.rtp.hear(5)  # type: ignore[union-attr]
    customer.dial("1")
    rule = {"id": world.group_id, "allowed": ["EURO"]}
    await customer.rtp.hear(25)  # type: ignore[union-attr]
    assert await world.directory.callbacks.all() == []
    await rules.add_groups(await world.domain(), [rule])  # the department's own rule comes first
    await world.domain()
    customer.dial("1")
    await customer.heard(CONFIRMED)
    await customer.ended()
    assert len(await world.directory.callbacks.all()) == 1


async def test_a_deleted_department_calls_nobody_back(world: World) -> None:
    await offers(world)
    await asks_back(world)
    await world.ended()
    await world.directory.groups.delete(await world.domain(), world.group_id)
    await world.phone(ANN)
    async with asyncio.timeout(20):
        while world.service._callbacks._promised:
            await asyncio.sleep(0.02)
    assert await world.directory.callbacks.all() == []
