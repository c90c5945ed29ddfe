"""Which number is seen where a call leaves the house: ours, the customer's, or none."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import pytest

from tests.calls.world import ANN, BOB, CUSTOMER, EVE, OFFICE, Agent, World
from vpbx.calls.ways import Way, identity_headers
from vpbx.directory import Identity
from vpbx.events import Status
from vpbx.sip import Request

MOBILE = "79160000000"


PETERSBURG = "57"
"""The id of a region (crm-api §12): the city and its region, codes 812 and 813."""


async def test_each_region_that_is_called_sees_its_number_unless_the_caller_has_one(
    world: World,
) -> None:
    """The employee's number, then their department's, the region's, the company's."""
    directory = world.directory
    shown = {
        name: f"7495000001{place}" for place, name in enumerate(["region", "main", "user", "group"])
    }
    for telnum in shown.values():
        await directory.telnums.add(await world.domain(), telnum, trunk="carrier", user=EVE)
    await directory.caller_ids.set_main(await world.domain(), {"telnum": shown["main"]})
    values = {"id": PETERSBURG, "telnum": shown["region"]}
    await directory.caller_ids.set_region(await world.domain(), values)
    ann, eve = await world.phone(ANN), await world.phone(EVE)
    assert await seen_by(world, eve, "78121234567") == shown["region"]
    assert await seen_by(world, eve, "8 (813) 123-45-67") == shown["region"], "as it was dialled"
    assert await seen_by(world, eve, "74951234567") == shown["main"], "another region"
    assert await seen_by(world, eve, CUSTOMER) == shown["main"], "a mobile lies in no region"
    values = {"id": world.group_id, "telnum": shown["group"]}
    await directory.caller_ids.set_group(await world.domain(), values)
    assert await seen_by(world, ann, "78121234567") == shown["group"], "ann is in the department"
    assert await seen_by(world, eve, "78121234567") == shown["region"]
    values = {"login": ANN, "telnum": shown["user"]}
    await directory.caller_ids.set_user(await world.domain(), values)
    assert await seen_by(world, ann, "78121234567") == shown["user"]
    await directory.caller_ids.delete_region(await world.domain(), PETERSBURG)
    assert await seen_by(world, eve, "78121234567") == shown["main"]


async def test_the_number_of_a_region_leaves_by_its_own_trunk_unless_it_is_closed(
    world: World,
) -> None:
    second, directory = await world.second_trunk(), world.directory
    telnum = "78120000001"
    await directory.telnums.add(await world.domain(), telnum, trunk="second", user=EVE)
    values = {"id": PETERSBURG, "telnum": telnum}
    await directory.caller_ids.set_region(await world.domain(), values)
    eve = await world.phone(EVE)
    assert await seen_by(world, eve, "78121234567", second) == telnum
    assert await seen_by(world, eve, CUSTOMER) == OFFICE
    await directory.telnums.configure(await world.domain(), telnum, {"outgoing": False})
    assert await seen_by(world, eve, "78121234567") == OFFICE


async def seen_by(world: World, phone: Agent, called: str, carrier: Agent | None = None) -> str:
    """Call outside, and return the number that is shown there."""
    call = await world.phone_calls(phone, quote(called))
    customer = await (carrier or world.carrier).incoming()
    assert customer.session is not None
    seen: str = customer.session.from_.uri.user
    call.hangup()
    await world.quiet()
    return seen


async def redirected(world: World, **more: object) -> None:
    values = {"mobile": MOBILE, "mobile_redirect": {"enabled": True, "forward": True, **more}}
    await world.directory.users.edit(await world.domain(), ANN, values)


async def mobile_rings(world: World) -> Request:
    customer = await world.customer_calls()
    mobile = await world.carrier.incoming()
    assert mobile.session is not None
    assert mobile.session.request.uri.user == MOBILE
    customer.hangup()
    await world.ended()
    return mobile.session.request


async def test_a_mobile_sees_our_number(world: World) -> None:
    await redirected(world)
    request = await mobile_rings(world)
    assert request.from_address.uri.user == OFFICE
    assert "Diversion" not in request.headers


async def test_and_the_customers_where_the_trunk_lets_it(world: World) -> None:
    await redirected(world)
    await world.directory.trunk_rules.edit("carrier", {"customers_numbers": True})
    request = await mobile_rings(world)
    assert request.from_address.uri.user == CUSTOMER
    assert CUSTOMER in (request.headers.get("P-Asserted-Identity") or "")
    assert f"sip:{OFFICE}@" in (request.headers.get("Diversion") or "")


async def test_a_mobile_is_reached_by_another_trunk_when_the_first_fails(world: World) -> None:
    await redirected(world)
    second = await world.second_trunk()
    customer = await world.customer_calls()
    (await world.carrier.incoming()).reject(503)
    mobile = await second.incoming()
    await mobile.answer(880)
    await customer.heard(880)
    customer.hangup()
    assert (await world.ended()).status is Status.SUCCESS
    assert world.story() == ["ringing ann", "answered ann", "completed ann"]
    await world.quiet()


async def test_a_mobile_is_reached_by_another_trunk_when_the_first_is_silent(
    impatient_world: World,
) -> None:
    world = impatient_world
    await redirected(world)
    second = await world.second_trunk()
    hole = await world.raw_phone(BOB)  # takes what it is sent, and says nothing
    await world.directory.trunk_rules.edit("carrier", {"address": f"127.0.0.1:{hole.port}"})
    customer = await second.invite(
        f"sip:{OFFICE}@127.0.0.1", world.hop(), from_=f"<sip:{CUSTOMER}@carrier.example>"
    )
    await (await second.incoming()).answer(880)
    await customer.heard(880)
    customer.hangup()
    assert (await world.ended()).status is Status.SUCCESS


async def test_a_trunk_by_which_mobiles_are_not_reached_rests(world: World) -> None:
    await redirected(world)
    second = await world.second_trunk()
    for count in range(1, 5):
        customer = await world.customer_calls()
        if count < 4:
            (await world.carrier.incoming()).reject(503)
        await (await second.incoming()).answer()
        await customer.answered()
        customer.hangup()
        await world.ended(count)
        await second.calls[-1].ended()
    states = {each.name: each.state for each in world.service.connections.carriers.states()}
    assert states["carrier"] == "resting"


async def test_a_mobile_that_refuses_is_not_tried_by_another_trunk(world: World) -> None:
    await redirected(world)
    second = await world.second_trunk()
    customer = await world.customer_calls()
    (await world.carrier.incoming()).reject(486)
    assert (await customer.ended()).code == 486
    assert not second.calls
    await world.ended()


@pytest.mark.parametrize("privacy", ["id", "header;id", "user"])
async def test_an_employee_who_hides_the_number_is_hidden(world: World, privacy: str) -> None:
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER, headers=[("Privacy", privacy)])
    customer = await world.carrier.incoming()
    assert customer.session is not None
    request = customer.session.request
    assert request.from_address.uri.user == "anonymous"
    assert request.headers.get("Privacy") == "id"
    assert OFFICE in (request.headers.get("P-Asserted-Identity") or "")  # the carrier may know
    call.hangup()
    await asyncio.gather(call.ended(), world.ended())


async def test_privacy_none_hides_nothing(world: World) -> None:
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER, headers=[("Privacy", "none")])
    customer = await world.carrier.incoming()
    assert customer.session is not None
    assert customer.session.request.from_address.uri.user == OFFICE
    call.hangup()
    await world.ended()


@pytest.mark.parametrize("identity", Identity)
def test_diversion_names_our_number_whatever_tells_the_caller(identity: Identity) -> None:
    way = Way("t", "carrier.example", (), identity=identity, customers_numbers=True)
    from_, headers = identity_headers(way, OFFICE, "acme.example", customer=CUSTOMER)
    assert CUSTOMER in from_
    told = dict(headers)
    assert told["Diversion"] == f"<sip:{OFFICE}@acme.example>;reason=unconditional;counter=1"
    assert all(CUSTOMER in value for name, value in headers if name != "Diversion")
