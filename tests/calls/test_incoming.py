"""A customer's call comes in over a trunk (call-handling.md, "An incoming outside call")."""

from __future__ import annotations

import asyncio

import pytest

from tests.calls.world import ANN, BOB, CUSTOMER, OFFICE, SALES, World
from vpbx.events import (
    Answered,
    CallEnded,
    CallStarted,
    Destination,
    Direction,
    RingEnded,
    Ringing,
    Status,
)
from vpbx.sim.call import CallFailed
from vpbx.sip import AudioCodec


async def test_a_customer_reaches_the_employee_and_both_hear_each_other(world: World) -> None:
    phone = await world.phone(ANN)
    customer = await world.customer_calls(tone_hz=440)
    ringing = await phone.incoming()
    ringing.ring()
    await customer.ringing()
    await ringing.answer(tone_hz=880)
    await customer.answered()
    await asyncio.gather(customer.heard(880), ringing.heard(440))
    customer.hangup()
    assert (await ringing.ended()).cause == "bye"
    end = await world.ended()
    assert world.story() == ["ringing ann", "answered ann", "completed ann"]
    assert end.status is Status.SUCCESS
    assert end.destination is Destination.USER
    assert end.account == ANN
    assert end.recorded
    info = end.call
    assert (info.direction, info.client, info.diversion) == (Direction.IN, CUSTOMER, OFFICE)
    assert info.telnum_name == "Office"
    assert end.sip_code == 0
    await world.quiet()


async def test_the_employee_may_hang_up_first(world: World) -> None:
    phone = await world.phone(ANN)
    customer = await world.customer_calls()
    call = await phone.incoming()
    await call.answer()
    await customer.answered()
    call.hangup()
    assert (await customer.ended()).cause == "bye"
    assert (await world.ended()).status is Status.SUCCESS
    await world.quiet()


async def test_a_department_rings_everybody_and_the_first_answer_wins(world: World) -> None:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    customer = await world.customer_calls(SALES)
    at_ann, at_bob = await ann.incoming(), await bob.incoming()
    at_ann.ring()
    await world.until(Ringing)
    at_bob.ring()
    await world.until(Ringing, 2)
    await at_bob.answer()
    await customer.answered()
    lost = await at_ann.ended()
    assert lost.cause == "cancel"
    customer.hangup()
    end = await world.ended()
    assert world.story() == [
        "ringing ann",
        "ringing bob",
        "ring ended ann",
        "answered bob",
        "completed bob",
    ]
    assert end.user is not None
    assert end.group is not None
    assert (end.user.login, end.group.name, end.account) == (BOB, "Sales", BOB)
    assert all(e.group == end.group for e in world.of(Ringing) + world.of(Answered))


async def test_the_phones_that_lost_are_told_that_somebody_answered(world: World) -> None:
    first, second = await world.phone(ANN), await world.raw_phone(ANN)
    customer = await world.customer_calls()
    call = await first.incoming()
    call.ring()
    invite = await second.expect("INVITE")
    second.answer(invite, "180 Ringing")
    await customer.ringing()
    await call.answer()
    await customer.answered()
    cancel = await second.expect("CANCEL")
    assert 'Reason: SIP;cause=200;text="Call completed elsewhere"' in cancel
    second.answer(cancel, "200 OK")
    second.answer(invite, "487 Request Terminated")
    await second.expect("ACK")
    customer.hangup()
    await world.ended()
    assert world.story() == ["ringing ann", "answered ann", "completed ann"]


async def test_a_caller_who_gives_up_while_it_rings_stops_the_phones(world: World) -> None:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    customer = await world.customer_calls(SALES)
    at_ann, at_bob = await ann.incoming(), await bob.incoming()
    at_ann.ring()
    await customer.ringing()
    at_bob.ring()
    await world.until(Ringing, 2)
    customer.hangup()
    assert (await at_ann.ended()).cause == "cancel"
    assert (await at_bob.ended()).cause == "cancel"
    end = await world.ended()
    assert world.story() == ["ringing ann", "ringing bob", "ring ended ann", "ring ended bob"]
    assert end.status is Status.MISSED
    assert end.destination is Destination.GROUP
    assert end.user is not None
    assert (end.user.login, end.account) == (BOB, world.group_id)
    assert (end.sip_code, end.answered_at, end.recorded) == (487, None, False)
    await world.quiet()


async def test_a_caller_who_gives_up_before_a_phone_rings_leaves_a_missed_call(
    world: World,
) -> None:
    phone = await world.phone(ANN)
    customer = await world.customer_calls()
    call = await phone.incoming()  # has the INVITE, says nothing but 100
    customer.hangup()
    end = await world.ended()
    assert (await call.ended()).cause == "cancel"
    assert world.story() == []
    assert end.status is Status.MISSED
    assert end.user is not None
    assert end.user.login == ANN
    await world.quiet()


async def test_an_employee_who_answers_as_the_caller_gives_up_is_hung_up(world: World) -> None:
    phone = await world.phone(ANN)
    customer = await world.customer_calls()
    call = await phone.incoming()
    call.ring()
    await customer.ringing()
    customer.hangup()
    await call.answer()  # in the same moment: the 200 and the CANCEL cross
    await call.ended()
    end = await world.ended()
    assert end.status in (Status.MISSED, Status.SUCCESS)
    await customer_is_gone(world)


async def test_a_caller_who_gives_up_as_the_employee_answers_ends_cleanly(world: World) -> None:
    phone = await world.phone(ANN)
    customer = await world.customer_calls()
    call = await phone.incoming()
    call.ring()
    await customer.ringing()
    await call.answer()
    customer.hangup()
    await call.ended()
    await world.ended()
    await customer_is_gone(world)


async def customer_is_gone(world: World) -> None:
    await world.quiet()
    async with asyncio.timeout(20):
        while world.carrier.stack.sessions:
            await asyncio.sleep(0.01)


async def test_both_hang_up_at_once(world: World) -> None:
    phone = await world.phone(ANN)
    customer = await world.customer_calls()
    call = await phone.incoming()
    await call.answer()
    await customer.answered()
    await world.until(Answered)
    customer.hangup()
    call.hangup()
    assert (await world.ended()).status is Status.SUCCESS
    await world.quiet()


async def test_a_busy_phone_makes_a_missed_call_without_events(world: World) -> None:
    phone = await world.phone(ANN)
    customer = await world.customer_calls()
    (await phone.incoming()).reject(486)
    assert (await customer.ended()).code == 486
    end = await world.ended()
    assert world.story() == []
    assert (end.status, end.sip_code) == (Status.MISSED, 486)


async def test_a_phone_that_refuses_after_ringing_ends_the_ringing(world: World) -> None:
    phone = await world.phone(ANN)
    customer = await world.customer_calls()
    call = await phone.incoming()
    call.ring()
    await customer.ringing()
    call.reject(603)
    assert (await customer.ended()).code == 480
    assert (await world.ended()).status is Status.MISSED
    assert world.story() == ["ringing ann", "ring ended ann"]


async def test_one_device_that_is_busy_does_not_silence_the_other(world: World) -> None:
    first, second = await world.phone(ANN), await world.phone(ANN)
    customer = await world.customer_calls()
    (await first.incoming()).reject(486)
    call = await second.incoming()
    call.ring()
    await customer.ringing()
    await call.answer()
    await customer.answered()
    customer.hangup()
    assert (await world.ended()).status is Status.SUCCESS


async def test_what_a_caller_is_told_of_two_devices(world: World) -> None:
    """Busy says most of them all (RFC 3261 §16.7, a choice among 4xx); 600 speaks for everybody."""
    first, second = await world.phone(ANN), await world.phone(ANN)
    told = [((486, 480), 486), ((404, 486), 486), ((500, 486), 486), ((480, 404), 480)]
    for count, (codes, code) in enumerate(told, 1):
        customer = await world.customer_calls()
        devices = await first.incoming(), await second.incoming()
        for device, answer in zip(devices, codes, strict=True):
            device.reject(answer)
        assert (await customer.ended()).code == code, codes
        await world.ended(count)
    customer = await world.customer_calls()
    at_first, at_second = await first.incoming(), await second.incoming()
    at_first.reject(600)
    assert (await at_second.ended()).cause == "cancel"
    assert (await customer.ended()).code == 486
    await world.ended(len(told) + 1)


async def test_who_is_busy_at_one_device_and_silent_at_the_other_was_not_reached(
    world: World,
) -> None:
    await world.settings(ring_timeout_s=1)
    first, second = await world.phone(ANN), await world.phone(ANN)
    customer = await world.customer_calls()
    (await first.incoming()).reject(486)
    (await second.incoming()).ring()
    assert (await customer.ended()).code == 480
    await world.ended()


async def test_decline_on_one_device_is_meant_for_all_of_them(world: World) -> None:
    first, second = await world.phone(ANN), await world.phone(ANN)
    customer = await world.customer_calls()
    at_first, at_second = await first.incoming(), await second.incoming()
    at_second.ring()
    await customer.ringing()
    at_first.reject(603)
    assert (await at_second.ended()).cause == "cancel"
    assert (await customer.ended()).code == 480
    await world.ended()
    assert world.story() == ["ringing ann", "ring ended ann"]


async def test_nobody_answers_in_time(world: World) -> None:
    await world.settings(ring_timeout_s=1)
    phone = await world.phone(ANN)
    customer = await world.customer_calls()
    call = await phone.incoming()
    call.ring()
    await customer.ringing()
    assert (await call.ended()).cause == "cancel"
    assert (await customer.ended()).code == 480
    end = await world.ended()
    assert end.status is Status.MISSED
    assert world.story() == ["ringing ann", "ring ended ann"]


async def test_no_device_registered_is_unreachable(world: World) -> None:
    customer = await world.customer_calls()
    assert (await customer.ended()).code == 480
    end = await world.ended()
    assert end.status is Status.MISSED
    assert end.user is not None
    assert end.user.login == ANN


async def test_who_does_not_receive_calls_is_not_rung(world: World) -> None:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    await world.directory.users.set_dnd(await world.domain(), ANN, False)
    customer = await world.customer_calls(SALES)
    call = await bob.incoming()
    await call.answer()
    await customer.answered()
    assert not ann.calls
    customer.hangup()
    await world.ended()
    assert (await (await world.customer_calls(OFFICE)).ended()).code == 480


async def test_who_talks_is_busy(world: World) -> None:
    phone = await world.phone(ANN)
    first = await world.customer_calls(caller="79100000001")
    call = await phone.incoming()
    await call.answer()
    await first.answered()
    second = await world.customer_calls(caller="79100000002")
    assert (await second.ended()).code == 486
    assert len(phone.calls) == 1
    await world.ended()
    first.hangup()
    await world.ended(2)
    third = await world.customer_calls()
    (await phone.incoming(), third.hangup())
    await world.ended(3)


async def test_who_has_call_waiting_is_rung_again(world: World) -> None:
    await world.directory.users.set_call_waiting(await world.domain(), ANN, True)
    phone = await world.phone(ANN)
    first = await world.customer_calls(caller="79100000001")
    await (await phone.incoming()).answer()
    await first.answered()
    second = await world.customer_calls(caller="79100000002")
    await (await phone.incoming()).answer()
    await second.answered()
    first.hangup()
    second.hangup()
    await world.ended(2)


async def test_a_number_nobody_has_is_not_found(world: World) -> None:
    customer = await world.customer_calls("74951111111")
    assert (await customer.ended()).code == 404
    assert world.events == []


async def test_a_trunk_cannot_reach_extensions_nor_the_outside(world: World) -> None:
    await world.phone(ANN)
    for number in ("702", ANN, "710", "79107654321", "112"):
        assert (await (await world.customer_calls(number)).ended()).code == 404
    assert world.events == []


async def test_a_number_that_is_off_and_a_domain_that_is_off_are_unavailable(
    world: World,
) -> None:
    await world.directory.telnums.set_enabled(await world.domain(), OFFICE, False)
    assert (await (await world.customer_calls(OFFICE)).ended()).code == 480
    await world.settings(enabled=False)
    assert (await (await world.customer_calls(SALES)).ended()).code == 480
    assert world.events == []


@pytest.mark.parametrize("dialled", ["+74950000001", "84950000001", "4950000001"])
async def test_carriers_may_spell_our_number_in_their_own_way(world: World, dialled: str) -> None:
    customer = await world.customer_calls(dialled)
    assert (await customer.ended()).code == 480
    assert (await world.ended()).call.diversion == OFFICE


@pytest.mark.parametrize(
    "uri",
    [
        "tel:+74950000001",
        "tel:+7-495-000-00-01",
        "tel:495-000-00-01;phone-context=+7",
        "tel:0000001;phone-context=+7495;npdi",
        "sip:+7(495)0000001@127.0.0.1;user=phone",
        "sip:+7.495.000.00.01@127.0.0.1;user=phone",
        "sip:+74950000001;npdi@127.0.0.1;user=phone",
        "sip:+74950000001;rn=+74990000000;npdi@127.0.0.1;user=phone",
        "sip:+74950000001;tgrp=grp1;trunk-context=carrier.example@127.0.0.1",
        "sip:+74950000001;cpc=ordinary;oli=0@127.0.0.1",
        "sip:0074950000001@127.0.0.1",
        "sip:+74950000001;ext=12@127.0.0.1",
    ],
)
async def test_a_called_number_is_known_in_every_form_of_a_uri(world: World, uri: str) -> None:
    customer = await world.carrier_invites(uri=uri, to="<sip:trunk17@x.example>")
    assert (await customer.ended()).code == 480
    assert (await world.ended()).call.diversion == OFFICE


async def test_a_call_to_the_account_names_the_number_in_p_called_party_id(world: World) -> None:
    customer = await world.customer_calls(
        "trunk17", headers=[("P-Called-Party-ID", "<tel:+7-495-000-00-01>")]
    )
    assert (await customer.ended()).code == 480
    assert (await world.ended()).call.diversion == OFFICE


async def test_a_called_number_is_read_by_the_country_of_whose_number_it_is(world: World) -> None:
    berlin = (await world.directory.companies.add("berlin.example", country="DE")).domain
    await world.directory.telnums.add(berlin, "+49 30 12345678")
    for number in ("030 12345678", "03012345678", "4930-12345678"):
        customer = await world.customer_calls(number.replace(" ", "%20"))
        assert (await customer.ended()).code == 480
    assert {(end.call.domain, end.call.diversion) for end in world.of(CallEnded)} == {
        ("berlin.example", "493012345678")
    }


@pytest.mark.parametrize(
    ("from_", "client"),
    [
        ("<tel:+7-910-555-00-01>", "79105550001"),
        ("<tel:910-555-00-01;phone-context=+7>", "79105550001"),
        ("<sip:+79105550001;cpc=ordinary@carrier.example;user=phone>", "79105550001"),
        ("<sip:8(910)555-00-01@carrier.example>", "79105550001"),
        ("<sip:00442071234567@carrier.example>", "442071234567"),
    ],
)
async def test_a_caller_is_known_in_every_form_of_a_uri(
    world: World, from_: str, client: str
) -> None:
    customer = await world.customer_calls(from_=from_)
    assert (await customer.ended()).code == 480
    assert (await world.ended()).call.client == client


async def test_the_called_number_may_stand_in_to_alone(world: World) -> None:
    customer = await world.carrier_invites(
        uri="sip:trunk17@127.0.0.1", to=f"<sip:{OFFICE}@x.example>"
    )
    assert (await customer.ended()).code == 480
    assert (await world.ended()).call.diversion == OFFICE


async def test_the_caller_is_who_the_carrier_asserts(world: World) -> None:
    phone = await world.phone(ANN)
    customer = await world.customer_calls(
        caller="pbx", headers=[("P-Asserted-Identity", '"Zoe" <sip:+79105550001@carrier.example>')]
    )
    call = await phone.incoming()
    assert call.session is not None
    assert call.session.from_.uri.user == "79105550001"
    customer.hangup()
    assert (await world.ended()).call.client == "79105550001"


@pytest.mark.parametrize(
    "options",
    [
        {"from_": '"Anonymous" <sip:anonymous@anonymous.invalid>'},
        {
            "headers": [
                ("Privacy", "id"),
                ("P-Asserted-Identity", f"<sip:{CUSTOMER}@carrier.example>"),
            ]
        },
    ],
)
async def test_an_anonymous_caller_stays_anonymous(world: World, options: dict[str, str]) -> None:
    await world.crm(nobody)
    phone = await world.phone(ANN)
    customer = await world.customer_calls(**options)
    call = await phone.incoming()
    assert call.session is not None
    assert str(call.session.from_.uri) == "sip:anonymous@anonymous.invalid"
    assert CUSTOMER not in bytes(call.session.request).decode()
    customer.hangup()
    assert (await world.ended()).call.client == ""
    assert world.asked == []


async def nobody(*_: object) -> None:
    return None


async def test_a_name_cannot_break_out_of_its_quotes(world: World) -> None:
    phone = await world.phone(ANN)
    evil = r"\"Eve\" <sip:666@evil>\\"
    customer = await world.customer_calls(name=evil)
    call = await phone.incoming()
    assert call.session is not None
    assert call.session.from_.uri.user == CUSTOMER
    assert call.session.from_.name == '"Eve" <sip:666@evil>\\'
    customer.hangup()
    await world.ended()


async def test_an_invite_without_an_offer_gets_ours_and_both_hear(world: World) -> None:
    phone = await world.phone(ANN)
    customer = await world.customer_calls(tone_hz=440, offer=False)
    call = await phone.incoming()
    await call.answer(880)
    await customer.answered()
    await asyncio.gather(customer.heard(880), call.heard(440))
    customer.hangup()
    await world.ended()


async def test_nothing_in_common_is_not_acceptable(world: World) -> None:
    await world.phone(ANN)
    customer = await world.carrier_invites(codecs=[AudioCodec("iLBC", 97)])
    assert (await customer.ended()).code == 488
    end = await world.ended()
    assert (end.status, end.sip_code) == (Status.MISSED, 488)
    await world.quiet()


async def test_video_is_refused_in_its_place(world: World) -> None:
    phone = await world.phone(ANN)
    video = "m=video 40000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    customer = await world.carrier_invites(first_media=video)
    call = await phone.incoming()
    await call.answer()
    await customer.answered()
    assert customer.session is not None
    answer = customer.session.remote_sdp or ""
    assert "m=video 0 RTP/AVP 96" in answer
    assert answer.index("m=video") < answer.index("m=audio")
    customer.hangup()
    await world.ended()


async def test_phones_are_offered_what_the_caller_speaks(world: World) -> None:
    phone = await world.phone(ANN)
    wideband = [AudioCodec("G722", 9), AudioCodec("PCMU", 0)]
    customer = await world.carrier_invites(codecs=wideband)
    call = await phone.incoming()
    assert call.session is not None
    assert "m=audio " in (call.session.remote_sdp or "")
    assert "RTP/AVP 9 0 101\r\n" in (call.session.remote_sdp or "")
    await call.answer()
    await customer.answered()
    assert customer.session is not None
    assert "RTP/AVP 0\r\n" in (customer.session.remote_sdp or "")
    customer.hangup()
    await world.ended()


async def test_a_strange_payload_number_for_digits_is_kept(world: World) -> None:
    phone = await world.phone(ANN)
    codecs = [AudioCodec("PCMA", 8), AudioCodec("telephone-event", 120, fmtp="0-15")]
    customer = await world.carrier_invites(codecs=codecs)
    call = await phone.incoming()
    await call.answer(880)
    await customer.answered()
    await customer.heard(880)
    call.dial("12#")
    await customer.heard_digits("12#")
    customer.hangup()
    await world.ended()


async def test_more_calls_than_a_company_may_have_are_turned_away(small_world: World) -> None:
    world = small_world
    phone = await world.phone(ANN)
    customers = [await world.customer_calls() for _ in range(2)]
    await phone.incoming()
    await phone.incoming()
    third = await world.customer_calls()
    assert (await third.ended()).code == 503
    for customer in customers:
        customer.hangup()
    await world.ended(2)
    assert len(world.of(CallStarted)) == 2


async def test_a_call_that_went_round_too_often_is_stopped(world: World) -> None:
    await world.phone(ANN)
    customer = await world.customer_calls(headers=[("Max-Forwards", "0")])
    assert (await customer.ended()).code == 483
    assert world.events == []


async def test_legs_to_phones_count_the_hops_down(world: World) -> None:
    phone = await world.phone(ANN)
    customer = await world.customer_calls(headers=[("Max-Forwards", "12")])
    call = await phone.incoming()
    assert call.session is not None
    assert call.session.request.headers.get("Max-Forwards") == "11"
    customer.hangup()
    await world.ended()


async def test_nobody_but_a_known_trunk_brings_calls(world: World) -> None:
    await world.phone(ANN)
    stranger = await world.agent("stranger")
    call = await stranger.invite(
        f"sip:{OFFICE}@127.0.0.1", world.hop(), from_=f"<sip:{CUSTOMER}@carrier.example>"
    )
    with pytest.raises(CallFailed):
        await call.answered()
    assert call.ending is not None
    assert call.ending.code in (401, 403)
    assert world.events == []


async def test_ringing_of_one_employee_ends_alone(world: World) -> None:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    customer = await world.customer_calls(SALES)
    at_ann, at_bob = await ann.incoming(), await bob.incoming()
    at_ann.ring()
    at_bob.ring()
    await world.until(Ringing, 2)
    at_ann.reject(486)
    ended = await world.until(RingEnded)
    assert ended.user.login == ANN
    await at_bob.answer()
    await customer.answered()
    customer.hangup()
    await world.ended()
