"""Asking the CRM who calls, and the responsible employee first (crm-api §2 contact)."""

from __future__ import annotations

import asyncio

from tests.calls.world import ANN, BOB, CUSTOMER, EVE, OFFICE, SALES, World
from vpbx.directory import Contact
from vpbx.events import Status


async def test_the_customers_name_is_shown_on_the_phones(world: World) -> None:
    async def contact(*_: object) -> Contact:
        return Contact(name='Joe "Big"\r\nX-Evil: 1')

    await world.crm(contact)
    phone = await world.phone(ANN)
    customer = await world.customer_calls(name="from the carrier")
    call = await phone.incoming()
    assert call.session is not None
    assert call.session.from_.name == 'Joe "Big" X-Evil: 1'
    assert "X-Evil" not in call.session.request.headers
    customer.hangup()
    end = await world.ended()
    assert world.asked == [(CUSTOMER, end.call.callid, OFFICE)]


async def test_nobody_is_rung_before_the_answer(world: World) -> None:
    go = asyncio.Event()

    async def contact(*_: object) -> Contact:
        await go.wait()
        return Contact(name="Joe")

    await world.crm(contact)
    phone = await world.phone(ANN)
    customer = await world.customer_calls()
    await world.crm_asked()
    assert not phone.calls
    go.set()
    call = await phone.incoming()
    assert call.session is not None
    assert call.session.from_.name == "Joe"
    customer.hangup()
    await world.ended()


async def test_a_slow_crm_holds_the_call_up_no_longer_than_the_limit(world: World) -> None:
    cancelled = asyncio.Event()

    async def contact(*_: object) -> Contact:
        try:
            await asyncio.sleep(90)
        finally:
            cancelled.set()
        return Contact(name="too late")

    await world.settings(contact_timeout_s=0.2)
    await world.crm(contact)
    phone = await world.phone(ANN)
    customer = await world.customer_calls(name="Joe")
    call = await phone.incoming()  # before the CRM has said a word
    assert call.session is not None
    assert call.session.from_.name == "Joe"
    await asyncio.wait_for(cancelled.wait(), 20)
    customer.hangup()
    await world.ended()


async def test_a_crm_that_fails_changes_nothing(world: World) -> None:
    async def contact(*_: object) -> Contact:
        raise ConnectionError("refused")

    await world.crm(contact)
    phone = await world.phone(ANN)
    customer = await world.customer_calls()
    await (await phone.incoming()).answer()
    await customer.answered()
    customer.hangup()
    assert (await world.ended()).status is Status.SUCCESS


async def test_a_caller_who_gives_up_while_the_crm_thinks_rings_nobody(world: World) -> None:
    async def contact(*_: object) -> Contact:
        await asyncio.sleep(30)
        return Contact()

    await world.crm(contact)
    phone = await world.phone(ANN)
    customer = await world.customer_calls()
    await world.crm_asked()
    customer.hangup()
    end = await world.ended()
    assert (end.status, end.sip_code) == (Status.MISSED, 487)
    assert not phone.calls
    await world.quiet()


async def test_the_responsible_employee_is_rung_first(world: World) -> None:
    async def contact(*_: object) -> Contact:
        return Contact(responsible="704")

    await world.crm(contact)
    await world.responsible_first(SALES)
    ann, eve = await world.phone(ANN), await world.phone(EVE)
    customer = await world.customer_calls(SALES)
    call = await eve.incoming()
    assert not ann.calls
    await call.answer()
    await customer.answered()
    customer.hangup()
    end = await world.ended()
    assert end.user is not None
    assert (end.user.login, end.group) == (EVE, None)


async def test_then_the_numbers_own_route(world: World) -> None:
    async def contact(*_: object) -> Contact:
        return Contact(responsible=EVE)

    await world.crm(contact)
    await world.responsible_first(SALES)
    ann, eve = await world.phone(ANN), await world.phone(EVE)
    customer = await world.customer_calls(SALES)
    at_eve = await eve.incoming()
    at_eve.ring()
    await customer.ringing()
    at_eve.reject(486)
    at_ann = await ann.incoming()
    at_ann.ring()
    await at_ann.answer()
    await customer.answered()
    customer.hangup()
    end = await world.ended()
    assert end.group is not None
    assert world.story() == [
        *("ringing eve", "ring ended eve"),
        *("ringing ann", "answered ann", "completed ann"),
    ]


async def test_or_who_is_set_for_when_they_do_not_answer(world: World) -> None:
    async def contact(*_: object) -> Contact:
        return Contact(responsible=OFFICE)  # ann's direct number

    await world.crm(contact)
    await world.responsible_first(SALES, fallback=EVE)
    eve, bob = await world.phone(EVE), await world.phone(BOB)
    customer = await world.customer_calls(SALES)  # ann has no device
    await (await eve.incoming()).answer()
    await customer.answered()
    assert not bob.calls
    customer.hangup()
    await world.ended()


async def test_without_the_function_the_route_stays(world: World) -> None:
    async def contact(*_: object) -> Contact:
        return Contact(responsible=EVE)

    await world.crm(contact)
    ann, eve = await world.phone(ANN), await world.phone(EVE)
    customer = await world.customer_calls(OFFICE)
    await (await ann.incoming()).answer()
    await customer.answered()
    assert not eve.calls
    customer.hangup()
    await world.ended()


async def test_a_responsible_nobody_knows_changes_nothing(world: World) -> None:
    async def contact(*_: object) -> Contact:
        return Contact(responsible="nobody")

    await world.crm(contact)
    await world.responsible_first(OFFICE)
    ann = await world.phone(ANN)
    customer = await world.customer_calls(OFFICE)
    await (await ann.incoming()).answer()
    await customer.answered()
    customer.hangup()
    await world.ended()
