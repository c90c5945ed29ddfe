"""Whom an employee may call (crm-api §13), and that nothing is dialled for who may not."""

from __future__ import annotations

import pytest

from tests.calls.conftest import running
from tests.calls.world import ANN, BOB, CUSTOMER, EVE, OFFICE, SALES, World
from vpbx.directory import Invalid
from vpbx.events import Status

ABROAD = "4930123456"


async def test_a_refused_call_is_explained_and_never_dialled(world: World) -> None:
    await world.directory.restrictions.add_users(
        await world.domain(), [{"login": ANN, "allowed": ["RU"]}]
    )
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, f"+{ABROAD}")
    assert (await call.ended(timeout_s=20)).code == 403
    assert call.progress == [183]
    assert call.rtp is not None
    assert call.rtp.received > 50  # a voice says why, before any answer
    end = await world.ended()
    assert (end.status, end.sip_code) == (Status.NOTALLOWED, 403)
    assert world.story() == []
    assert not world.carrier.calls


async def test_who_hangs_up_while_it_is_explained_was_refused_all_the_same(world: World) -> None:
    await world.directory.restrictions.delete_main(await world.domain(), ["ALL"])
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    await call.ringing()
    call.hangup()
    assert (await world.ended()).status is Status.NOTALLOWED
    await world.quiet()


async def test_an_emergency_passes_every_restriction(world: World) -> None:
    await world.directory.restrictions.delete_main(await world.domain(), ["ALL"])
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, "112")
    rescue = await world.carrier.incoming()
    assert rescue.session is not None
    assert rescue.session.request.uri.user == "112"
    await rescue.answer()
    await call.answered()
    call.hangup()
    assert (await world.ended()).status is Status.SUCCESS


async def test_an_emergency_is_called_whatever_number_there_is_and_however_full_it_is(
    new_world: World,
) -> None:
    """No number may be used for outgoing calls, company and trunk have as many as they may."""
    world = new_world
    async with running(world, max_calls_per_domain=1):
        await world.directory.trunk_rules.edit("carrier", {"max_calls": 1})
        ann, bob = await world.phone(ANN), await world.phone(BOB)
        busy = await world.phone_calls(bob, CUSTOMER)
        await (await world.carrier.incoming()).answer()
        await busy.answered()
        domain = await world.domain()
        for telnum in (OFFICE, SALES):
            await world.directory.telnums.configure(domain, telnum, {"outgoing": False})
        call = await world.phone_calls(ann, "112")
        rescue = await world.carrier.incoming()
        assert rescue.session is not None
        assert rescue.session.request.from_address.uri.user == OFFICE
        await rescue.answer()
        await call.answered()
        another = await world.phone_calls(ann, CUSTOMER)
        assert (await another.ended()).code in (403, 503)
        call.hangup()
        busy.hangup()
        await world.ended(2)


async def test_own_rule_then_departments_then_main(world: World) -> None:
    domain = await world.domain()
    rules = world.directory.restrictions
    await rules.delete_main(domain, ["ALL"])  # main: nobody may
    await rules.add_groups(domain, [{"id": world.group_id, "allowed": ["179"]}])  # Sales: mobiles
    ann, eve = await world.phone(ANN), await world.phone(EVE)
    refused = await world.phone_calls(eve, CUSTOMER)  # eve is in no department
    assert (await refused.ended(timeout_s=20)).code == 403
    allowed = await world.phone_calls(ann, CUSTOMER)
    await (await world.carrier.incoming()).answer()
    await allowed.answered()
    allowed.hangup()
    await world.ended(2)
    await rules.add_users(domain, [{"login": ANN, "allowed": []}])  # a personal "nothing" wins
    refused = await world.phone_calls(ann, CUSTOMER)
    assert (await refused.ended(timeout_s=20)).code == 403
    await world.ended(3)


async def test_makecall_says_so_before_anybody_is_rung(world: World) -> None:
    domain = await world.domain()
    await world.directory.restrictions.add_users(domain, [{"login": ANN, "allowed": []}])
    phone = await world.phone(ANN)
    with pytest.raises(Invalid) as caught:
        await world.service.make_call(await world.domain(), phone=CUSTOMER, user=ANN)
    assert [error.field for error in caught.value.errors] == ["phone"]
    assert not phone.calls
    assert world.events == []


async def test_colleagues_are_no_direction(world: World) -> None:
    await world.directory.restrictions.delete_main(await world.domain(), ["ALL"])
    ann, eve = await world.phone(ANN), await world.phone(EVE)
    call = await world.phone_calls(ann, "704")
    await (await eve.incoming()).answer()
    await call.answered()
    call.hangup()
    await world.ended()
    assert OFFICE in (await world.domain()).numbers
