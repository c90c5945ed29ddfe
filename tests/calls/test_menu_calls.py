"""Menus in real calls: prompts, digits by RFC 4733 and INFO, exts; with real SIP and sound."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.calls.world import ANN, BOB, EVE, OFFICE, World
from vpbx.events import Destination, Status
from vpbx.sim.call import Call

PROMPT, WRONG, NO_EXT = 600, 800, 1000


async def menu(world: World, *items: dict[str, Any], **values: Any) -> None:
    """OFFICE is a menu with a prompt of the company's own, a tone of 600 Hz."""
    file = await world.own_sound("ivr", "main-menu", PROMPT, 2.0)
    await world.own_sound("prompt", "menu-wrong-button", WRONG, 0.5)
    await world.own_sound("prompt", "no-such-ext", NO_EXT, 0.5)
    ivr = {
        "name": "Main",
        "greeting": True,
        "greeting_custom": True,
        "greeting_file": file,
        "items": [*items],
        **values,
    }
    edit = {"type": "ivr", "greeting": False, "ivr": ivr}
    await world.directory.telnums.edit(await world.domain(), OFFICE, edit)


def button(key: str, login: str) -> dict[str, Any]:
    return {"button": key, "type": "user", "user": login}


async def in_menu(world: World) -> Call:
    customer = await world.customer_calls(tone_hz=440)
    await customer.answered()
    await customer.heard(PROMPT)
    return customer


def press(customer: Call, digit: str, by: str) -> None:
    if by == "rfc4733":
        customer.dial(digit)
    else:
        body = f"Signal={digit}\r\nDuration=160\r\n".encode()
        assert customer.session is not None
        customer.session.send("INFO", body=body, content_type="application/dtmf-relay")


@pytest.mark.parametrize("by", ["rfc4733", "info"])
async def test_a_button_leads_to_its_employee_while_the_prompt_plays(world: World, by: str) -> None:
    await menu(world, button("1", ANN), button("2", BOB))
    bob = await world.phone(BOB)
    customer = await in_menu(world)
    press(customer, "2", by)
    await (await bob.incoming()).answer(880)
    await customer.heard(880)
    customer.hangup()
    end = await world.ended()
    assert (end.status, end.destination, end.account) == (Status.SUCCESS, Destination.USER, BOB)
    assert world.story() == ["ringing bob", "answered bob", "completed bob"]


@pytest.mark.parametrize("by", ["rfc4733", "info"])
async def test_a_menu_that_says_nothing_hears_all_the_same(world: World, by: str) -> None:
    await menu(world, button("2", BOB), greeting=False, greeting_custom=False, greeting_file="")
    bob = await world.phone(BOB)
    customer = await world.customer_calls(tone_hz=440)
    await customer.answered()
    press(customer, "2", by)
    await (await bob.incoming()).answer(880)
    await customer.heard(880)


async def test_a_button_leads_to_a_department(world: World) -> None:
    await menu(world, {"button": "*", "type": "group", "group": world.group_id})
    bob = await world.phone(BOB)
    customer = await in_menu(world)
    customer.dial("*")
    await (await bob.incoming()).answer()
    customer.hangup()
    end = await world.ended()
    assert end.group.id == world.group_id  # type: ignore[union-attr]


async def test_a_menu_within_the_menu(world: World) -> None:
    file = await world.own_sound("ivr", "inner-menu", 1200, 2.0)
    inner = {
        "name": "Inner",
        "greeting": True,
        "greeting_custom": True,
        "greeting_file": file,
        "items": [button("5", EVE)],
    }
    await menu(world, {"button": "3", "type": "ivr", "ivr": inner})
    eve = await world.phone(EVE)
    customer = await in_menu(world)
    customer.dial("3")
    await customer.heard(1200)
    customer.dial("5")
    await (await eve.incoming()).answer(880)
    await customer.heard(880)
    customer.hangup()


async def test_a_wrong_button_is_said_and_the_prompt_comes_again(world: World) -> None:
    await menu(world, button("1", ANN))
    ann = await world.phone(ANN)
    customer = await in_menu(world)
    customer.dial("9")
    await customer.heard(WRONG)
    await customer.heard(PROMPT)
    customer.dial("1")
    await (await ann.incoming()).answer(880)
    await customer.heard(880)
    customer.hangup()


async def test_an_ext_dialled_in_full_is_reached_without_waiting_for_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vpbx.calls.menu.INTERDIGIT_S", 90.0)
    await menu(world, button("7", ANN))
    bob = await world.phone(BOB)
    customer = await in_menu(world)
    customer.dial("703")
    async with asyncio.timeout(20):
        await (await bob.incoming()).answer(880)
    await customer.heard(880)
    customer.hangup()


async def test_the_ext_of_a_department_is_reached(world: World) -> None:
    await menu(world, button("1", ANN))
    ann = await world.phone(ANN)
    customer = await in_menu(world)
    customer.dial("710")
    await (await ann.incoming()).answer(880)
    await customer.heard(880)
    customer.hangup()
    end = await world.ended()
    assert end.group.id == world.group_id  # type: ignore[union-attr]


async def test_an_ext_nobody_has_is_said(hasty_world: World) -> None:
    world = hasty_world
    await menu(world, button("1", ANN))
    customer = await in_menu(world)
    customer.dial("779")
    await customer.heard(NO_EXT)
    await customer.heard(PROMPT)
    customer.hangup()


async def test_who_presses_nothing_is_led_by_the_timeout_item(hasty_world: World) -> None:
    world = hasty_world
    await menu(world, button("1", ANN), button("timeout", BOB))
    bob = await world.phone(BOB)
    customer = await in_menu(world)
    await (await bob.incoming()).answer(880)
    await customer.heard(880)
    customer.hangup()


async def test_who_presses_nothing_hears_the_prompt_three_times_and_the_call_ends(
    hasty_world: World,
) -> None:
    world = hasty_world
    await menu(world, button("1", ANN))
    customer = await in_menu(world)
    assert (await customer.ended(timeout_s=20)).cause == "bye"
    assert customer.rtp is not None
    end = await world.ended()
    assert world.story() == []
    assert (end.status, end.destination, end.account) == (
        Status.MISSED,
        Destination.IVR,
        "ivr",
    )
    assert end.user is not None
    assert end.user.login == (await world.domain()).first_admin().login


async def test_who_hangs_up_in_a_menu_was_missed_there(world: World) -> None:
    await menu(world, button("1", ANN))
    customer = await in_menu(world)
    customer.hangup()
    end = await world.ended()
    assert (end.status, end.destination, end.account) == (Status.MISSED, Destination.IVR, "ivr")
    await world.quiet()


async def test_a_built_in_prompt_is_heard_where_the_company_has_none(world: World) -> None:
    await menu(world, button("1", ANN), greeting_custom=False, greeting_file="")
    ann = await world.phone(ANN)
    customer = await world.customer_calls()
    await customer.answered()
    await customer.rtp.hear(30)  # type: ignore[union-attr]
    customer.dial("1")
    await (await ann.incoming()).answer(880)
    await customer.heard(880)
    customer.hangup()


async def test_an_employee_who_does_not_take_it_was_missed_there(world: World) -> None:
    await menu(world, button("1", ANN))
    ann = await world.phone(ANN)
    customer = await in_menu(world)
    customer.dial("1")
    (await ann.incoming()).reject(486)
    await customer.ended()
    end = await world.ended()
    assert (end.status, end.destination, end.account) == (Status.MISSED, Destination.USER, ANN)


async def test_after_a_menu_the_company_s_ringback_is_heard_while_it_rings(world: World) -> None:
    """crm-api §11 music: for callers of departments and menus, in place of the plain tone."""
    tune = await world.own_sound("music", "tune", 1300)
    await world.directory.music.set(await world.domain(), "ringback", tune)
    await menu(world, button("2", BOB))
    bob = await world.phone(BOB)
    customer = await in_menu(world)
    press(customer, "2", "rfc4733")
    at_bob = await bob.incoming()
    at_bob.ring()
    await customer.heard(1300)
    await at_bob.answer(880)
    await customer.heard(880)
    customer.hangup()
    await world.ended()
