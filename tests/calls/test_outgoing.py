"""An employee's phone calls the outside (call-handling.md, "An outgoing call")."""

from __future__ import annotations

import asyncio

import pytest

from tests.calls.conftest import running
from tests.calls.world import ANN, BOB, CUSTOMER, DOMAIN, EVE, OFFICE, World
from vpbx.events import AttemptEnded, Destination, Dialing, Direction, Status
from vpbx.sim.call import CallFailed
from vpbx.sip import AudioCodec


async def test_an_employee_calls_a_customer_and_both_hear_each_other(world: World) -> None:
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, "89101234567", tone_hz=440)
    customer = await world.carrier.incoming()
    assert world.story() == ["dialing ann"]
    customer.ring()
    await call.ringing()
    await customer.answer(880)
    await call.answered()
    await asyncio.gather(call.heard(880), customer.heard(440))
    call.hangup()
    assert (await customer.ended()).cause == "bye"
    end = await world.ended()
    assert world.story() == ["dialing ann", "answered ann", "completed ann"]
    info = end.call
    assert (info.direction, info.client, info.diversion) == (Direction.OUT, CUSTOMER, OFFICE)
    assert (end.status, end.account, end.destination) == (Status.SUCCESS, ANN, Destination.NONE)
    await world.quiet()


async def test_the_carrier_sees_our_number_asserted_and_the_customers_in_e164(
    world: World,
) -> None:
    phone = await world.phone(BOB)
    call = await world.phone_calls(phone, "+7 (910) 123-45-67".replace(" ", ""))
    customer = await world.carrier.incoming()
    assert customer.session is not None
    request = customer.session.request
    assert request.uri.user == CUSTOMER
    assert request.from_address.uri.user == OFFICE  # the main number: bob has none of his own
    assert request.headers.get("P-Asserted-Identity") == f"<sip:{OFFICE}@{DOMAIN}>"
    assert "703" not in bytes(request).decode()
    assert "bob" not in bytes(request).decode().lower()
    call.hangup()
    await world.ended()


async def test_early_media_of_the_carrier_reaches_the_employee(world: World) -> None:
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    customer = await world.carrier.incoming()
    await customer.early_media(620)
    await call.ringing()
    assert call.progress == [183]
    await call.heard(620)
    await customer.answer(880)
    await call.answered()
    await call.heard(880)
    customer.hangup()
    assert (await call.ended()).cause == "bye"
    assert (await world.ended()).status is Status.SUCCESS


async def test_early_media_reaches_a_phone_that_wants_reliable_answers(world: World) -> None:
    """RFC 3262: our 183 is acknowledged by PRACK and not repeated in the 200."""
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER, headers=[("Require", "100rel")])
    customer = await world.carrier.incoming()
    await customer.early_media(620)
    await call.ringing()
    await call.heard(620)
    await customer.answer(880)
    await call.answered()
    await call.heard(880)
    call.hangup()
    await world.ended()


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (486, Status.BUSY),
        (600, Status.BUSY),
        (480, Status.NOTAVAILABLE),
        (408, Status.NOTAVAILABLE),
        (503, Status.NOTAVAILABLE),
        (403, Status.NOTALLOWED),
        (603, Status.NOTALLOWED),
        (404, Status.NOTFOUND),
        (484, Status.NOTFOUND),
        (604, Status.NOTFOUND),
    ],
)
async def test_the_phone_is_told_what_the_carrier_says(
    world: World, code: int, status: Status
) -> None:
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    (await world.carrier.incoming()).reject(code)
    assert (await call.ended()).code == code
    end = await world.ended()
    assert (end.status, end.sip_code) == (status, code)
    assert world.story() == ["dialing ann", "attempt ended ann"]
    await world.quiet()


async def test_an_employee_who_gives_up_cancels_the_call(world: World) -> None:
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    customer = await world.carrier.incoming()
    customer.ring()
    await call.ringing()
    call.hangup()
    assert (await customer.ended()).cause == "cancel"
    end = await world.ended()
    assert end.status is Status.CANCEL
    assert world.story() == ["dialing ann", "attempt ended ann"]
    await world.quiet()


async def test_a_customer_who_answers_as_the_employee_gives_up_is_hung_up(world: World) -> None:
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    customer = await world.carrier.incoming()
    customer.ring()
    await call.ringing()
    call.hangup()
    await customer.answer()
    await customer.ended()
    assert (await world.ended()).status in (Status.CANCEL, Status.SUCCESS)
    await world.quiet()


async def test_nobody_answers_for_too_long(impatient_world: World) -> None:
    world = impatient_world
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    customer = await world.carrier.incoming()
    customer.ring()
    assert (await customer.ended()).cause == "cancel"
    assert (await call.ended()).code == 480
    assert (await world.ended()).status is Status.NOTAVAILABLE


async def test_the_next_trunk_is_tried_when_one_fails(world: World) -> None:
    second = await world.second_trunk()
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    (await world.carrier.incoming()).reject(503)
    customer = await second.incoming()
    await customer.answer()
    await call.answered()
    call.hangup()
    end = await world.ended()
    assert end.status is Status.SUCCESS
    assert world.story() == ["dialing ann", "answered ann", "completed ann"]


async def test_the_next_trunk_is_tried_when_one_is_silent(impatient_world: World) -> None:
    world = impatient_world
    second = await world.second_trunk()
    await world.carrier.stack.layer.stop()  # nothing listens there any more
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    await (await second.incoming()).answer()
    await call.answered()
    call.hangup()
    assert (await world.ended()).status is Status.SUCCESS


async def test_a_customer_who_is_busy_is_not_tried_again(world: World) -> None:
    second = await world.second_trunk()
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    (await world.carrier.incoming()).reject(486)
    assert (await call.ended()).code == 486
    assert not second.calls
    await world.ended()


async def test_a_trunk_that_rings_and_then_fails_is_followed_by_the_next(world: World) -> None:
    """A gateway says 180 before it finds its lines full; the phone hears ringing go on."""
    second = await world.second_trunk()
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    customer = await world.carrier.incoming()
    customer.ring()
    await call.ringing()
    customer.reject(503)
    await (await second.incoming()).answer(880)
    await call.answered()
    await call.heard(880)
    call.hangup()
    assert (await world.ended()).status is Status.SUCCESS
    assert world.story() == ["dialing ann", "answered ann", "completed ann"]


async def test_it_rings_audibly_after_early_media_of_a_trunk_that_fails(world: World) -> None:
    second = await world.second_trunk()
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    customer = await world.carrier.incoming()
    await customer.early_media(620)
    await call.heard(620)
    customer.reject(500)
    (await second.incoming()).ring()
    await call.heard(425)
    call.hangup()
    await world.ended()


async def test_who_does_not_answer_in_the_carriers_time_is_not_rung_again(world: World) -> None:
    """408 after 180 is what a carrier says of somebody who lets it ring."""
    second = await world.second_trunk()
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    customer = await world.carrier.incoming()
    customer.ring()
    await call.ringing()
    customer.reject(408)
    assert (await call.ended()).code == 408
    assert not second.calls
    await world.ended()


async def test_the_next_trunk_is_tried_when_one_says_nothing_but_100(new_world: World) -> None:
    world = new_world
    async with running(world, trunk_silence_s=0.2, trunk_trying_s=0.4):
        second = await world.second_trunk()
        phone = await world.phone(ANN)
        call = await world.phone_calls(phone, CUSTOMER)
        first = await world.carrier.incoming()
        await (await second.incoming()).answer()
        await call.answered()
        assert (await first.ended()).cause == "cancel"
        call.hangup()
        assert (await world.ended()).status is Status.SUCCESS


async def test_all_trunks_down_is_not_available(world: World) -> None:
    second = await world.second_trunk()
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    (await world.carrier.incoming()).reject(500)
    (await second.incoming()).reject(503)
    assert (await call.ended()).code == 503
    assert (await world.ended()).status is Status.NOTAVAILABLE
    assert world.story() == ["dialing ann", "attempt ended ann"]


async def test_a_number_leaves_by_the_trunk_it_belongs_to(world: World) -> None:
    second = await world.second_trunk()
    domain = await world.domain()
    await world.directory.telnums.add(domain, "74950000003", user=ANN, trunk="second")
    await world.directory.caller_ids.set_user(domain, {"login": EVE, "telnum": "74950000003"})
    phone = await world.phone(EVE)
    call = await world.phone_calls(phone, CUSTOMER)
    customer = await second.incoming()
    assert customer.session is not None
    assert customer.session.from_.uri.user == "74950000003"
    assert not world.carrier.calls
    call.hangup()
    await world.ended()


async def test_a_direct_number_is_not_shown_unless_it_was_set_for_outgoing(world: World) -> None:
    await world.directory.telnums.add(await world.domain(), "74950000003", user=EVE)
    phone = await world.phone(EVE)
    assert (await world.directory.users.get(await world.domain(), EVE)).telnum == "74950000003"
    call = await world.phone_calls(phone, CUSTOMER)
    customer = await world.carrier.incoming()
    assert customer.session is not None
    assert customer.session.from_.uri.user == OFFICE
    call.hangup()
    await world.ended()


@pytest.mark.parametrize(
    "dialled",
    ["8(910)123-45-67", "+7-910-123-45-67", "79101234567%23", "9101234567;phone-context=+7"],
)
async def test_an_employee_may_dial_in_any_spelling(world: World, dialled: str) -> None:
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, dialled)
    customer = await world.carrier.incoming()
    assert customer.session is not None
    assert customer.session.request.uri.user == "79101234567"
    call.hangup()
    await world.ended()


async def test_without_any_trunk_the_phone_gets_503(world: World) -> None:
    await world.directory.trunk_rules.delete("carrier")
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    assert (await call.ended()).code == 503
    end = await world.ended()
    assert end.status is Status.NOTAVAILABLE
    assert world.story() == []


async def test_an_emergency_number_leaves_as_it_is(world: World) -> None:
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, "112")
    customer = await world.carrier.incoming()
    assert customer.session is not None
    assert customer.session.request.uri.user == "112"
    call.hangup()
    await world.ended()


async def test_what_is_no_number_is_not_found(world: World) -> None:
    phone = await world.phone(ANN)
    for called in ("nobody", "*96", "%22;x", "7910-abc"):
        call = await world.phone_calls(phone, called)
        assert (await call.ended()).code == 404
    assert world.events == []


async def test_a_wrong_password_makes_no_call(world: World) -> None:
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER, password="wrong")
    assert (await call.ended()).code == 401
    assert world.events == []
    assert not world.carrier.calls


async def test_nobody_speaks_for_a_colleague(world: World) -> None:
    phone = await world.phone(ANN)
    call = await phone.invite(
        f"sip:{CUSTOMER}@{DOMAIN}",
        world.hop(),
        from_=f"<sip:{BOB}@{DOMAIN}>",
        credentials=world.credentials(ANN),
    )
    assert (await call.ended()).code == 403
    assert world.events == []


async def test_an_employee_may_call_as_their_ext(world: World) -> None:
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER, login="702")
    await (await world.carrier.incoming()).answer()
    await call.answered()
    call.hangup()
    assert (await world.ended()).account == ANN


async def test_an_employee_who_dials_is_busy_for_others(world: World) -> None:
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    await world.carrier.incoming()
    other = await world.customer_calls(caller="79100000009")
    assert (await other.ended()).code == 486
    call.hangup()
    await world.ended(2)


async def test_two_companies_cannot_reach_each_other(world: World) -> None:
    """b.example's employee tries acme's ext by name, acme's realm, acme's From."""
    await world.directory.companies.add("b.example", "Europe/Moscow", "other password 1")
    target = await world.phone(ANN)
    own = await world.agent("admin")
    from_own = "<sip:admin@b.example>"
    tries = [
        (f"sip:702@{DOMAIN}", from_own),
        ("sip:702@b.example", from_own),
        (f"sip:702@{DOMAIN}", f"<sip:admin@{DOMAIN}>"),
        (f"sip:702@{DOMAIN}", f"<sip:{ANN}@{DOMAIN}>"),
    ]
    codes = []
    for uri, from_ in tries:
        credentials = world.credentials("admin", "other password 1")
        call = await own.invite(uri, world.hop(), from_=from_, credentials=credentials)
        with pytest.raises((CallFailed, TimeoutError)):
            await call.answered(2)
        assert call.ending is not None
        codes.append(call.ending.code)
    assert codes[:2] == [403, 404], "702 is an ext nobody has at b.example"
    assert all(code in (401, 403) for code in codes[2:])
    assert not target.calls
    assert world.events == []


async def test_another_domains_name_is_not_dialled_as_a_number(world: World) -> None:
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER, host="elsewhere.example")
    assert (await call.ended()).code == 404
    assert world.events == []


async def test_a_phone_that_knows_only_the_servers_address_may_call(world: World) -> None:
    phone = await world.agent(ANN)
    call = await phone.invite(
        f"sip:{CUSTOMER}@127.0.0.1",
        world.hop(),
        from_=f"<sip:{ANN}@127.0.0.1>",
        credentials=world.credentials(ANN),
    )
    await (await world.carrier.incoming()).answer()
    await call.answered()
    call.hangup()
    await world.ended()


async def test_with_two_companies_an_address_names_neither(world: World) -> None:
    await world.directory.companies.add("b.example", "Europe/Moscow", "other password 1")
    phone = await world.agent(ANN)
    call = await phone.invite(
        f"sip:{CUSTOMER}@127.0.0.1",
        world.hop(),
        from_=f"<sip:{ANN}@127.0.0.1>",
        credentials=world.credentials(ANN),
    )
    assert (await call.ended()).code == 401, "as any company that is not here"


async def test_a_phone_by_tcp_calls_a_carrier_by_udp(world: World) -> None:
    phone = await world.phone(ANN, transport="tcp")
    call = await world.phone_calls(phone, CUSTOMER)
    customer = await world.carrier.incoming()
    await customer.answer(880)
    await call.answered()
    await call.heard(880)
    customer.hangup()
    await call.ended()
    await world.ended()


async def test_many_calls_at_once_keep_their_events_apart(world: World) -> None:
    await world.directory.users.set_call_waiting(await world.domain(), ANN, True)
    phone = await world.phone(ANN)
    calls = [await world.phone_calls(phone, f"7910000{n:04d}") for n in range(20)]
    customers = [await world.carrier.incoming() for _ in calls]
    for number, customer in enumerate(customers):
        await customer.answer() if number % 2 else customer.reject(486)
    await asyncio.gather(*(call.answered() for call in calls), return_exceptions=True)
    await world.until(AttemptEnded, 10)
    for call in calls:
        call.hangup()
    await world.ended(20)
    assert len(world.of(Dialing)) == 20
    await world.quiet()


async def test_a_second_trunk_with_another_codec_than_the_first_ones_early_media(
    world: World,
) -> None:
    """The phone was told PCMU with the early media and holds on to that (RFC 3261 §13.2.1): it
    is asked for PCMA by a re-INVITE when the second carrier takes the call with it."""
    second = await world.second_trunk()
    digits = AudioCodec("telephone-event", 101, fmtp="0-15")
    world.carrier._codecs = (AudioCodec("PCMU", 0), digits)
    second._codecs = (AudioCodec("PCMA", 8), digits)
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER, tone_hz=440)
    first = await world.carrier.incoming()
    await first.early_media(620)
    await call.heard(620)
    first.reject(503)
    customer = await second.incoming()
    await customer.answer(880)
    await call.answered()
    assert call.session is not None
    await asyncio.gather(call.heard(880), customer.heard(440))
    assert call.directions  # by a re-INVITE
    call.hangup()
    await world.ended()
