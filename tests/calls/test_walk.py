"""Where goals lead: schedules, messages, outside numbers, chains; with real SIP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.calls.world import ANN, BOB, CUSTOMER, EVE, OFFICE, SALES, World
from vpbx.calls.outcome import Onward
from vpbx.calls.steps import table
from vpbx.directory.goals import (
    ByHours,
    ToDepartment,
    ToEmployee,
    ToFax,
    ToMenu,
    ToMessage,
    ToOutside,
    ToVoicemail,
    of_item,
    of_number,
    of_route,
    of_timeout,
)
from vpbx.directory.routes import Menu, MenuItem, Route, Subtype
from vpbx.events import Destination, Status

FRIEND = "79260000000"


async def scheduled(
    world: World, work: dict[str, Any], other: dict[str, Any], *, now: bool
) -> None:
    """OFFICE follows a schedule that says it is (not) open at this moment, whenever that is."""
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    hours = {"start": 0, "end": 86_400} if now else {"holiday": True}
    await world.directory.telnums.edit(
        await world.domain(),
        OFFICE,
        {
            "type": "scheduler",
            "greeting": False,
            "work": work,
            "other": other,
            "schedule": dict.fromkeys(days, hours),
        },
    )


async def test_in_business_hours_the_route_of_work_holds(world: World) -> None:
    await scheduled(world, {"subtype": "user", "user": EVE}, {"subtype": "message"}, now=True)
    eve = await world.phone(EVE)
    customer = await world.customer_calls()
    await (await eve.incoming()).answer()
    await customer.answered()
    customer.hangup()
    end = await world.ended()
    assert (end.status, end.destination, end.account) == (Status.SUCCESS, Destination.USER, EVE)


async def test_a_message_outside_business_hours_is_heard_to_its_end(world: World) -> None:
    await scheduled(world, {"subtype": "user", "user": EVE}, {"subtype": "message"}, now=False)
    customer = await world.customer_calls()
    await customer.answered()
    await customer.rtp.hear(50)  # type: ignore[union-attr]
    assert (await customer.ended(timeout_s=20)).cause == "bye"
    end = await world.ended()
    assert (end.status, end.destination) == (Status.MISSED, Destination.OFFTIME)
    assert end.user.login == EVE  # type: ignore[union-attr]
    assert world.story() == []


async def test_who_attends_outside_business_hours_and_misses_it_was_on_duty(world: World) -> None:
    other = {"subtype": "user", "user": BOB}
    await scheduled(world, {"subtype": "message"}, other, now=False)
    bob = await world.phone(BOB)
    customer = await world.customer_calls()
    call = await bob.incoming()
    call.ring()
    await customer.ringing()
    customer.hangup()
    end = await world.ended()
    assert (end.status, end.destination) == (Status.MISSED, Destination.ONDUTY)
    assert world.story() == ["ringing bob", "ring ended bob"]


async def test_and_who_takes_it_is_an_employee_like_others(world: World) -> None:
    other = {"subtype": "group", "group": world.group_id}
    await scheduled(world, {"subtype": "message"}, other, now=False)
    ann = await world.phone(ANN)
    customer = await world.customer_calls()
    await (await ann.incoming()).answer()
    await customer.answered()
    customer.hangup()
    end = await world.ended()
    assert (end.status, end.destination, end.account) == (Status.SUCCESS, Destination.USER, ANN)
    assert end.group.name == "Sales"  # type: ignore[union-attr]


async def test_a_schedule_sends_a_call_to_an_outside_number(world: World) -> None:
    await scheduled(
        world, {"subtype": "telnum", "telnum": FRIEND}, {"subtype": "message"}, now=True
    )
    customer = await world.customer_calls(tone_hz=440)
    friend = await world.carrier.incoming()
    assert friend.session is not None
    assert friend.session.request.uri.user == FRIEND
    await friend.answer(880)
    await customer.heard(880)
    await friend.heard(440)
    customer.hangup()
    end = await world.ended()
    assert world.story() == []
    assert (end.status, end.destination) == (Status.SUCCESS, Destination.TELNUM)
    assert end.user is not None
    assert end.call.client == CUSTOMER


async def test_an_outside_number_that_does_not_answer_is_missed_there(world: World) -> None:
    await scheduled(
        world, {"subtype": "telnum", "telnum": FRIEND}, {"subtype": "message"}, now=True
    )
    customer = await world.customer_calls()
    (await world.carrier.incoming()).reject(486)
    assert (await customer.ended()).code == 486
    end = await world.ended()
    assert (end.status, end.destination) == (Status.MISSED, Destination.TELNUM)


async def test_a_chain_without_end_is_cut(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Companies cannot set a circle; one that arises all the same ends the call, missed."""
    entered: list[str] = []

    async def turn(call: object, goal: ToEmployee) -> Onward:
        entered.append(goal.login)
        return Onward(ToEmployee(BOB if goal.login == ANN else ANN))

    monkeypatch.setitem(table.STEPS, ToEmployee, turn)
    customer = await world.customer_calls()
    assert (await customer.ended()).code == 480
    end = await world.ended()
    assert entered == [ANN, BOB, ANN, BOB, ANN, BOB]
    assert end.status is Status.MISSED


async def test_callers_of_a_department_hear_the_ringback_the_company_chose(world: World) -> None:
    await world.directory.music.set(await world.domain(), "ringback", "calm")
    ann = await world.phone(ANN)
    customer = await world.customer_calls(SALES)
    call = await ann.incoming()
    call.ring()
    await customer.ringing()
    assert customer.progress == [183]
    await customer.rtp.hear(50)  # type: ignore[union-attr]
    await call.answer(880)
    await customer.heard(880)
    customer.hangup()
    assert (await world.ended()).status is Status.SUCCESS


async def test_where_a_company_sends_calls_is_read_as_goals(world: World) -> None:
    domain = await world.domain()
    menu = Menu("Main", items=(MenuItem("1", "user", user=ANN),))
    routes = {
        Route(Subtype.USER, user=ANN): ToEmployee(ANN),
        Route(Subtype.GROUP, group="g_1"): ToDepartment("g_1"),
        Route(Subtype.IVR, ivr=menu): ToMenu(menu),
        Route(Subtype.TELNUM, telnum=FRIEND): ToOutside(FRIEND),
        Route(Subtype.VOICEMAIL): ToVoicemail(),
        Route(Subtype.MESSAGE): ToMessage(closed=True),
    }
    assert {route: of_route(route) for route in routes} == routes
    items = {
        MenuItem("1", "user", user=ANN): ToEmployee(ANN),
        MenuItem("2", "group", group="g_1"): ToDepartment("g_1"),
        MenuItem("3", "ivr", ivr=menu): ToMenu(menu),
    }
    assert {item: of_item(item) for item in items} == items
    assert of_number(domain, domain.numbers[OFFICE]) == ToEmployee(ANN)
    assert of_number(domain, domain.numbers[SALES]) == ToDepartment(world.group_id)
    department = domain.departments[world.group_id]
    assert of_timeout(department) == ToVoicemail(group=world.group_id)
    await world.directory.telnums.edit(
        domain, OFFICE, {"type": "fax", "user": ANN, "greeting": False}
    )
    domain = await world.domain()
    assert of_number(domain, domain.numbers[OFFICE]) == ToFax(ANN)
    await scheduled(world, {"subtype": "message"}, {"subtype": "message"}, now=True)
    domain = await world.domain()
    assert of_number(domain, domain.numbers[OFFICE]) == ByHours(OFFICE)


async def test_another_number_of_the_company_is_reached_without_leaving_the_house(
    world: World,
) -> None:
    await scheduled(world, {"subtype": "telnum", "telnum": SALES}, {"subtype": "message"}, now=True)
    bob = await world.phone(BOB)
    customer = await world.customer_calls()
    await (await bob.incoming()).answer()
    await customer.answered()
    customer.hangup()
    end = await world.ended()
    assert (end.status, end.destination) == (Status.SUCCESS, Destination.USER)
    assert len(world.carrier.calls) == 1


async def test_another_number_of_the_company_that_is_off_takes_no_call_this_way_either(
    world: World,
) -> None:
    await scheduled(world, {"subtype": "telnum", "telnum": SALES}, {"subtype": "message"}, now=True)
    await world.directory.telnums.set_enabled(await world.domain(), SALES, False)
    bob = await world.phone(BOB)
    customer = await world.customer_calls()
    assert (await customer.ended()).code == 480
    end = await world.ended()
    assert (end.status, end.destination) == (Status.MISSED, Destination.TELNUM)
    assert not bob.calls
