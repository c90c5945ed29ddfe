"""Click to call (crm-api §5)."""

from __future__ import annotations

import asyncio

import pytest

from tests.calls.world import ANN, BOB, CUSTOMER, EVE, OFFICE, SALES, World
from vpbx.directory import Invalid
from vpbx.events import CallStarted, Direction, Status
from vpbx.sim.call import G711


async def test_the_employee_is_rung_then_the_customer_called(world: World) -> None:
    phone = await world.phone(ANN)
    made = await world.service.make_call(await world.domain(), phone="8 (910) 123-45-67", user=ANN)
    call = await phone.incoming()
    assert call.session is not None
    assert call.session.from_.uri.user == OFFICE
    assert world.story() == []
    await call.answer(880)
    customer = await world.carrier.incoming()
    assert world.story() == ["dialing ann"]
    assert customer.session is not None
    assert customer.session.request.uri.user == CUSTOMER
    assert customer.session.from_.uri.user == OFFICE
    customer.ring()
    await customer.answer(440)
    await asyncio.gather(call.heard(440), customer.heard(880))
    customer.hangup()
    await call.ended()
    end = await world.ended()
    assert world.story() == ["dialing ann", "answered ann", "completed ann"]
    assert (made.callid, made.clid) == (end.call.callid, None)
    assert (end.call.direction, end.call.client) == (Direction.OUT, CUSTOMER)
    assert (end.status, end.account) == (Status.SUCCESS, ANN)
    await world.quiet()


async def test_the_waiting_employee_hears_ringing(world: World) -> None:
    phone = await world.phone(ANN)
    await world.service.make_call(await world.domain(), phone=CUSTOMER, user="702")
    call = await phone.incoming()
    await call.answer(880)
    (await world.carrier.incoming()).ring()
    await call.heard(425)
    call.hangup()
    await world.ended()


async def test_the_waiting_employee_hears_the_carriers_early_media(world: World) -> None:
    phone = await world.phone(ANN)
    await world.service.make_call(await world.domain(), phone=CUSTOMER, user=ANN)
    call = await phone.incoming()
    await call.answer(880)
    customer = await world.carrier.incoming()
    await customer.early_media(620)
    await call.heard(620)
    await customer.answer(440)
    await call.heard(440)
    call.hangup()
    await world.ended()


async def test_the_employee_may_see_the_customers_number(world: World) -> None:
    phone = await world.phone(ANN)
    domain = await world.domain()
    await world.service.make_call(domain, phone=CUSTOMER, user=ANN, show_phone=True)
    call = await phone.incoming()
    assert call.session is not None
    assert call.session.from_.uri.user == CUSTOMER
    call.reject(486)
    await world.ended()


async def test_a_number_asked_for_is_shown_if_it_is_ours(world: World) -> None:
    phone = await world.phone(ANN)
    domain = await world.domain()
    for asked, shown, answer in ((SALES, SALES, SALES), ("79990000000", OFFICE, None)):
        made = await world.service.make_call(domain, phone=CUSTOMER, user=ANN, clid=asked)
        assert made.clid == answer
        await (await phone.incoming()).answer()
        customer = await world.carrier.incoming()
        assert customer.session is not None
        assert customer.session.from_.uri.user == shown
        customer.reject(486)
        phone.calls[-1].hangup()
        await world.ended(len(world.of(CallStarted)))


async def test_an_employee_who_does_not_pick_up_has_cancelled(world: World) -> None:
    phone = await world.phone(ANN)
    await world.service.make_call(await world.domain(), phone=CUSTOMER, user=ANN)
    call = await phone.incoming()
    call.ring()
    call.reject(486)
    end = await world.ended()
    assert end.status is Status.CANCEL
    assert world.story() == []
    assert not world.carrier.calls
    await world.quiet()


async def test_an_employee_who_hangs_up_while_the_customer_rings(world: World) -> None:
    phone = await world.phone(ANN)
    await world.service.make_call(await world.domain(), phone=CUSTOMER, user=ANN)
    call = await phone.incoming()
    await call.answer()
    customer = await world.carrier.incoming()
    customer.ring()
    call.hangup()
    assert (await customer.ended()).cause == "cancel"
    end = await world.ended()
    assert end.status is Status.CANCEL
    assert world.story() == ["dialing ann", "attempt ended ann"]
    await world.quiet()


async def test_the_employee_hears_why_and_is_hung_up(world: World) -> None:
    phone = await world.phone(ANN)
    await world.service.make_call(await world.domain(), phone=CUSTOMER, user=ANN)
    call = await phone.incoming()
    await call.answer(880)
    (await world.carrier.incoming()).reject(486)
    assert call.rtp is not None
    await call.rtp.hear(10, 5)
    assert not call.is_over
    assert (await call.ended(15)).cause == "bye"
    assert (await world.ended()).status is Status.BUSY
    assert world.story() == ["dialing ann", "attempt ended ann"]


async def test_an_employee_who_heard_enough_does_not_change_the_status(world: World) -> None:
    phone = await world.phone(ANN)
    await world.service.make_call(await world.domain(), phone=CUSTOMER, user=ANN)
    call = await phone.incoming()
    await call.answer(880)
    (await world.carrier.incoming()).reject(404)
    assert call.rtp is not None
    await call.rtp.hear(10, 5)  # "there is no such number"
    call.hangup()
    end = await world.ended()
    assert (end.status, end.sip_code) == (Status.NOTFOUND, 404)


async def test_the_first_free_employee_of_a_department(world: World) -> None:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    domain = await world.domain()
    first = await world.service.make_call(domain, phone=CUSTOMER, group=world.group_id)
    second = await world.service.make_call(domain, phone=CUSTOMER, group="710")
    with pytest.raises(Invalid):
        await world.service.make_call(domain, phone=CUSTOMER, group="710")
    assert first.callid != second.callid
    (await ann.incoming()).reject(486)
    (await bob.incoming()).reject(486)
    await world.ended(2)


async def test_an_employee_on_the_mobile_only_is_rung_there(world: World) -> None:
    mobile = {"mobile": "79165550001", "mobile_redirect": {"enabled": True, "forward": True}}
    await world.directory.users.edit(await world.domain(), ANN, mobile)
    phone = await world.phone(ANN)
    await world.service.make_call(await world.domain(), phone=CUSTOMER, user=ANN)
    at_mobile = await world.carrier.incoming()
    assert at_mobile.session is not None
    assert at_mobile.session.request.uri.user == "79165550001"
    await at_mobile.answer(880)
    customer = await world.carrier.incoming()
    assert customer.session is not None
    assert customer.session.request.uri.user == CUSTOMER
    await customer.answer(440)
    await asyncio.gather(at_mobile.heard(440), customer.heard(880))
    assert not phone.calls
    customer.hangup()
    await at_mobile.ended()
    end = await world.ended()
    assert (end.status, end.account) == (Status.SUCCESS, ANN)


async def test_an_employee_without_a_device_is_rung_on_the_mobile(world: World) -> None:
    mobile = {"mobile": "79165550001", "mobile_redirect": {"enabled": True, "delay": 0}}
    await world.directory.users.edit(await world.domain(), ANN, mobile)
    await world.service.make_call(await world.domain(), phone=CUSTOMER, user=ANN)
    at_mobile = await world.carrier.incoming()
    assert at_mobile.session is not None
    assert at_mobile.session.request.uri.user == "79165550001"
    at_mobile.reject(486)
    assert (await world.ended()).status is Status.CANCEL


@pytest.mark.parametrize("phone", ["\u202a703\u202c", " 703 ", "tel:703"])
async def test_an_internal_number_may_be_pasted_too(world: World, phone: str) -> None:
    ann = await world.phone(ANN)
    await world.service.make_call(await world.domain(), phone=phone, user=ANN)
    (await ann.incoming()).reject(486)
    assert (await world.ended()).call.direction is Direction.INNER


async def test_a_colleague_is_called_inside(world: World) -> None:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    await world.service.make_call(await world.domain(), phone="703", user=ANN)
    call = await ann.incoming()
    await call.answer(440)
    at_bob = await bob.incoming()
    assert at_bob.session is not None
    assert at_bob.session.from_.uri.user == "702"
    at_bob.ring()
    await call.heard(425)
    await at_bob.answer(880)
    await call.heard(880)
    call.hangup()
    end = await world.ended()
    assert end.call.direction is Direction.INNER
    assert end.caller is not None
    assert end.user is not None
    assert (end.caller.login, end.user.login, end.status) == (ANN, BOB, Status.SUCCESS)


async def test_several_devices_of_the_employee_ring(world: World) -> None:
    first, second = await world.phone(ANN), await world.phone(ANN)
    await world.service.make_call(await world.domain(), phone=CUSTOMER, user=ANN)
    at_first, at_second = await first.incoming(), await second.incoming()
    at_first.ring()
    await at_second.answer()
    assert (await at_first.ended()).cause == "cancel"
    (await world.carrier.incoming()).reject(404)
    at_second.hangup()
    assert (await world.ended()).status in (Status.NOTFOUND, Status.CANCEL)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"phone": CUSTOMER, "user": "nobody"}, "user"),
        ({"phone": CUSTOMER, "user": ""}, "user"),
        ({"phone": CUSTOMER, "user": EVE}, "user"),
        ({"phone": "call me", "user": ANN}, "phone"),
        ({"phone": "", "user": ANN}, "phone"),
        ({"phone": "702", "user": ANN}, "phone"),
        ({"phone": CUSTOMER, "group": "nothing"}, "group"),
    ],
)
async def test_what_cannot_be_is_told_by_field(
    world: World, values: dict[str, str], field: str
) -> None:
    await world.phone(ANN)
    with pytest.raises(Invalid) as caught:
        await world.service.make_call(await world.domain(), **values)  # type: ignore[arg-type]
    assert [error.field for error in caught.value.errors] == [field]
    assert world.events == []


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"phone": "call me", "user": "nobody"}, ["user", "phone"]),
        ({"phone": "", "group": "nothing"}, ["group", "phone"]),
        ({"phone": "call me", "user": EVE}, ["phone"]),
        ({"phone": "+442071234567", "user": EVE}, ["user", "phone"]),
    ],
)
async def test_all_that_cannot_be_is_told_at_once(
    world: World, values: dict[str, str], fields: list[str]
) -> None:
    domain = await world.domain()
    await world.directory.restrictions.add_users(domain, [{"login": EVE, "allowed": ["RU"]}])
    with pytest.raises(Invalid) as caught:
        await world.service.make_call(await world.domain(), **values)  # type: ignore[arg-type]
    assert [error.field for error in caught.value.errors] == fields


@pytest.mark.parametrize("phone", ["+79101234567#4048", "8 910 123-45-67 доб. 4048"])
async def test_an_extension_is_dialled_after_the_answer(world: World, phone: str) -> None:
    ann = await world.phone(ANN)
    await world.service.make_call(await world.domain(), phone=phone, user=ANN)
    call = await ann.incoming()
    await call.answer(880)
    customer = await world.carrier.incoming()
    assert customer.called == CUSTOMER
    await customer.answer(440)
    await customer.heard_digits("4048")
    assert (customer.digits, call.digits) == ("4048", "")
    customer.hangup()
    assert (await world.ended()).call.client == CUSTOMER


async def test_an_extension_goes_by_info_to_a_side_that_takes_no_rfc_4733(world: World) -> None:
    """A carrier that agrees on no telephone-event: the menu behind it hears of each digit."""
    ann = await world.phone(ANN)
    await world.service.make_call(await world.domain(), phone=f"{CUSTOMER}#40*", user=ANN)
    call = await ann.incoming()
    await call.answer(880)
    customer = await world.carrier.incoming()
    customer._codecs = tuple(codec for codec in G711 if codec.name != "telephone-event")
    await customer.answer(440)
    got = customer.requests
    async with asyncio.timeout(20):
        while len(got) < 3:
            await asyncio.sleep(0.02)
    assert [info.body.split()[0] for info in got] == [b"Signal=4", b"Signal=0", b"Signal=*"]
    assert {info.headers.get("Content-Type") for info in got} == {"application/dtmf-relay"}
    assert (customer.digits, call.digits) == ("", "")
    await customer.heard(880)
    customer.hangup()
    await world.ended()


async def test_a_call_that_ends_while_its_extension_is_dialled_ends_cleanly(world: World) -> None:
    ann = await world.phone(ANN)
    phone = f"{CUSTOMER}#" + "1" * 30
    await world.service.make_call(await world.domain(), phone=phone, user=ANN)
    call = await ann.incoming()
    await call.answer(880)
    customer = await world.carrier.incoming()
    await customer.answer(440)
    await customer.heard_digits("11")
    call.hangup()
    await customer.ended()
    assert (await world.ended()).status is Status.SUCCESS
