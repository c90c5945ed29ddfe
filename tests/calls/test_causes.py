"""Why a call failed is told with its end, for each way to fail."""

from __future__ import annotations

import pytest

from tests.calls.world import ANN, BOB, CUSTOMER, World
from vpbx.causes import CAUSES, Cause, explain
from vpbx.sip import AudioCodec

CARRIER = "carrier"
STRANGE = (AudioCodec("speex", 97, 8000),)


def said(cause: Cause) -> str:
    return explain(cause, lambda text, **values: text.format(**values))[0]


async def causes(world: World, count: int = 1) -> list[tuple[str, str, int]]:
    end = await world.ended(count)
    assert all(cause.kind in CAUSES for cause in end.causes)
    return [(cause.kind, cause.who, cause.code) for cause in end.causes]


async def test_nobody_registered_nobody_there(world: World) -> None:
    await (await world.customer_calls()).ended()
    assert await causes(world) == [("not_registered", "Ann", 0)]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (486, "busy"),
        (603, "declined"),
        (488, "phone_codec"),
        (302, "phone_forwards"),
        (404, "phone_unknown"),
        (480, "phone_refused"),
        (503, "phone_refused"),
    ],
)
async def test_what_a_phone_answers_is_told_with_its_owner(
    world: World, code: int, kind: str
) -> None:
    ann = await world.phone(ANN)
    customer = await world.customer_calls()
    (await ann.incoming()).reject(code)
    await customer.ended()
    assert await causes(world) == [(kind, "Ann", code)]


async def test_who_does_not_pick_up_and_who_gives_up(world: World) -> None:
    ann = await world.phone(ANN)
    customer = await world.customer_calls()
    (await ann.incoming()).ring()
    await customer.ringing()
    customer.hangup()
    assert await causes(world) == [("no_answer", "Ann", 0), ("gave_up", "", 0)]


async def test_who_takes_no_calls(world: World) -> None:
    await world.phone(ANN)
    await world.directory.users.set_dnd(await world.domain(), ANN, False)
    await (await world.customer_calls()).ended()
    assert await causes(world) == [("dnd", "Ann", 0)]


async def test_a_phone_that_answers_without_a_codec_in_common(world: World) -> None:
    ann = await world.phone(ANN, codecs=STRANGE)
    customer = await world.customer_calls()
    await (await ann.incoming()).answer()
    await customer.ended()
    assert await causes(world) == [("phone_codec", "Ann", 488)]


async def test_a_caller_who_offers_nothing_that_is_known(world: World) -> None:
    await world.phone(ANN)
    customer = await world.carrier_invites(codecs=STRANGE)
    assert (await customer.ended()).code == 488
    assert await causes(world) == [("caller_codec", "", 488)]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (401, "trunk_password"),
        (402, "trunk_payment"),
        (403, "trunk_forbids"),
        (404, "far_unknown"),
        (480, "far_away"),
        (486, "far_busy"),
        (488, "trunk_codec"),
        (503, "trunk_fails"),
        (603, "far_declined"),
        (420, "trunk_refused"),
    ],
)
async def test_what_a_trunk_answers_is_told_with_its_name(
    world: World, code: int, kind: str
) -> None:
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    (await world.carrier.incoming()).reject(code)
    await call.ended()
    assert await causes(world) == [(kind, CARRIER, code)]


async def test_a_trunk_that_failed_before_another_one_took_the_call(world: World) -> None:
    second = await world.second_trunk()
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    (await world.carrier.incoming()).reject(500)
    await (await second.incoming()).answer()
    await call.answered()
    call.hangup()
    assert await causes(world) == [("trunk_fails", CARRIER, 500)]


async def test_trunks_that_are_off_or_full(world: World) -> None:
    phone = await world.phone(ANN)
    await world.directory.trunk_rules.edit(CARRIER, {"max_calls": 1})
    first = await world.phone_calls(phone, CUSTOMER)
    await (await world.carrier.incoming()).answer()
    await first.answered()
    bob = await world.phone(BOB)
    await (await world.phone_calls(bob, CUSTOMER)).ended(timeout_s=20)
    assert await causes(world) == [("trunk_full", CARRIER, 0)]
    first.hangup()
    await world.ended(2)
    await world.directory.trunk_rules.edit(CARRIER, {"enabled": False})
    await (await world.phone_calls(bob, CUSTOMER)).ended(timeout_s=20)
    assert await causes(world, 3) == [("trunk_off", CARRIER, 0)]


async def test_what_the_restrictions_forbid(world: World) -> None:
    users = [{"login": ANN, "allowed": []}]
    await world.directory.restrictions.add_users(await world.domain(), users)
    phone = await world.phone(ANN)
    await (await world.phone_calls(phone, CUSTOMER)).ended(timeout_s=20)
    assert await causes(world) == [("restricted", "Ann", 0)]


async def test_a_call_that_succeeds_says_nothing(world: World) -> None:
    ann = await world.phone(ANN)
    customer = await world.customer_calls()
    await (await ann.incoming()).answer()
    await customer.answered()
    customer.hangup()
    assert await causes(world) == []


def test_a_sentence_names_who_and_what() -> None:
    assert said(Cause("trunk_forbids", "sipnet", 403)).startswith("sipnet refused the call (403)")
    assert said(Cause("phone_silent", "Anna")) == (
        "The phone of Anna did not answer the INVITE at all."
    )
    assert said(Cause("gone_in_a_later_release", "x")) == "gone_in_a_later_release"
    assert "an unknown number" in said(Cause("one_way"))
