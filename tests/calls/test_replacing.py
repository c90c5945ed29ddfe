"""INVITE with Replaces (RFC 3891): another one takes the place of who talks or is rung."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from tests.calls.test_transfer import consulting, note, refer, talking
from tests.calls.world import ANN, BOB, CUSTOMER, DOMAIN, EVE, PASSWORD, SALES, World
from vpbx.events import Answered, CallEnded, Ringing, Status, Transferred
from vpbx.sim.call import G711, Call, CallFailed
from vpbx.sip import AudioCodec, Response, Sdp

WB = (AudioCodec("G722", 9), AudioCodec("telephone-event", 101, fmtp="0-15"))


def place_of(call: Call, *, early_only: bool = False) -> str:
    """The Replaces for the dialog that `call` has with the switch."""
    assert call.session is not None
    dialog = call.session.dialog
    assert dialog is not None
    flag = ";early-only" if early_only else ""
    # as the switch knows it: to-tag is its own
    return f"{dialog.call_id};to-tag={dialog.remote_tag};from-tag={dialog.local_tag}{flag}"


def replacing(call: Call, **options: Any) -> list[tuple[str, str]]:
    return [("Replaces", place_of(call, **options)), ("Require", "replaces")]


async def refused(call: Call) -> int:
    return (await call.ended()).code


async def test_a_colleague_takes_the_place_of_who_talks(world: World) -> None:
    """An attended transfer of which the target's phone does the last step."""
    _, call, customer = await talking(world)
    bob = await world.phone(BOB)
    taken = await world.phone_calls(bob, "ann", tone_hz=660, headers=replacing(call))
    await taken.answered()
    assert (await call.ended()).cause == "bye"
    await asyncio.gather(customer.heard(660), taken.heard(440))
    assert not customer.directions  # the customer's phone was not bothered
    taken.hangup()
    end = await world.ended()
    assert (end.status, end.user.login) == (Status.SUCCESS, BOB)  # type: ignore[union-attr]
    [passed] = world.of(Transferred)
    assert (passed.second_callid, passed.user.login) == ("", ANN)
    assert (await customer.ended()).cause == "bye"
    await world.quiet()


async def test_the_answer_says_that_replaces_is_known(world: World) -> None:
    _, call, customer = await talking(world)
    assert call.session is not None
    assert call.session.supports("replaces")
    assert customer.session is not None
    assert customer.session.supports("replaces")
    response = await world.carrier.send("OPTIONS", f"sip:{DOMAIN}", world.hop())
    assert "replaces" in response.headers.getlist("Supported")


async def test_a_talk_goes_on_at_another_phone_of_the_same_employee(world: World) -> None:
    """Nothing is told of that: it is the same call of the same employee."""
    _, call, customer = await talking(world)
    second = await world.agent(ANN)
    taken = await world.phone_calls(second, "702", tone_hz=660, headers=replacing(call))
    await asyncio.gather(customer.heard(660), taken.heard(440))
    await call.ended()
    customer.hangup()
    end = await world.ended()
    assert end.user.login == ANN  # type: ignore[union-attr]
    assert world.of(Transferred) == []
    assert world.story() == ["ringing ann", "answered ann", "completed ann"]


async def test_who_called_the_customer_is_replaced_as_well(world: World) -> None:
    """The place is the guest's: its end is the call's from then on."""
    phone, bob = await world.phone(ANN), await world.phone(BOB)
    call = await world.phone_calls(phone, CUSTOMER, tone_hz=880)
    customer = await world.carrier.incoming()
    await customer.answer(440)
    await call.heard(440)
    taken = await world.phone_calls(bob, "x", tone_hz=660, headers=replacing(call))
    await asyncio.gather(customer.heard(660), taken.heard(440), call.ended())
    taken.hangup()
    end = await world.ended()
    assert (end.call.direction.value, end.user.login) == ("out", BOB)  # type: ignore[union-attr]
    assert (await customer.ended()).cause == "bye"
    await world.quiet()


async def test_one_on_hold_is_taken_off_it(world: World) -> None:
    _, call, customer = await talking(world)
    assert await call.hold() == 200
    bob = await world.phone(BOB)
    taken = await world.phone_calls(bob, "ann", tone_hz=660, headers=replacing(call))
    await asyncio.gather(customer.heard(660), taken.heard(440))
    customer.hangup()
    await world.ended()


async def test_an_invite_without_offer_takes_a_place_too(world: World) -> None:
    _, call, customer = await talking(world)
    bob = await world.phone(BOB)
    taken = await world.phone_calls(bob, "ann", tone_hz=660, offer=False, headers=replacing(call))
    await asyncio.gather(customer.heard(660), taken.heard(440))
    taken.hangup()
    await world.ended()
    await world.quiet()


async def test_with_no_codec_in_common_the_other_side_is_asked_once(world: World) -> None:
    """Bob's phone speaks G.722 only, and what was agreed is G.711: one re-INVITE."""
    phone, bob = await world.phone(ANN), await world.phone(BOB, codecs=WB)
    customer = await world.carrier_invites(codecs=(*G711, WB[0]))
    call = await phone.incoming()
    await call.answer(880)
    await customer.heard(880)
    taken = await world.phone_calls(bob, "ann", headers=replacing(call))
    await taken.answered()
    async with asyncio.timeout(20):
        while not customer.directions:
            await asyncio.sleep(0.02)
    assert customer.directions == ["sendrecv"]
    assert customer.session is not None
    described = Sdp.parse(customer.session.local_sdp or "").audio
    assert described is not None
    assert described.formats[0] == "9"
    customer.hangup()
    await world.ended()


async def test_who_speaks_nothing_of_ours_is_refused_and_the_talk_goes_on(world: World) -> None:
    _, call, customer = await talking(world)
    bob = await world.phone(BOB, codecs=(AudioCodec("GSM", 3),))
    wanted = await world.phone_calls(bob, "ann", headers=replacing(call))
    assert await refused(wanted) == 488
    await asyncio.gather(customer.heard(880), call.heard(440))
    customer.hangup()
    await world.ended()


@pytest.mark.parametrize("picks", ["with early-only", "without"])
async def test_a_call_that_rings_at_a_colleague_is_picked_up(world: World, picks: str) -> None:
    ann, eve = await world.phone(ANN), await world.phone(EVE)
    customer = await world.customer_calls(tone_hz=440)
    at_ann = await ann.incoming()
    at_ann.ring()
    await world.until(Ringing)
    headers = replacing(at_ann, early_only=picks == "with early-only")
    taken = await world.phone_calls(eve, "702", tone_hz=880, headers=headers)
    await taken.answered()
    await asyncio.gather(customer.heard(880), taken.heard(440))
    assert (await at_ann.ended()).cause == "cancel"
    customer.hangup()
    end = await world.ended()
    assert end.account == EVE
    assert world.story() == [
        *("ringing ann", "ringing eve"),
        *("ring ended ann", "answered eve", "completed eve"),
    ]
    await world.quiet()


async def test_a_ringing_call_of_a_department_is_picked_up_for_it(world: World) -> None:
    ann, bob, eve = [await world.phone(login) for login in (ANN, BOB, EVE)]
    customer = await world.customer_calls(SALES, tone_hz=440)
    at_ann, at_bob = await ann.incoming(), await bob.incoming()
    at_ann.ring()
    at_bob.ring()
    await world.until(Ringing, 2)
    taken = await world.phone_calls(eve, "702", headers=replacing(at_ann, early_only=True))
    await taken.answered()
    assert (await at_bob.ended()).cause == "cancel"
    customer.hangup()
    end = await world.ended()
    assert (end.account, end.group.id) == (EVE, world.group_id)  # type: ignore[union-attr]


async def test_an_answered_call_is_not_picked_up_by_early_only(world: World) -> None:
    """Too late by a moment: 486, and the talk goes on."""
    _, call, customer = await talking(world)
    eve = await world.phone(EVE)
    late = await world.phone_calls(eve, "702", headers=replacing(call, early_only=True))
    assert await refused(late) == 486
    await asyncio.gather(customer.heard(880), call.heard(440))
    customer.hangup()
    await world.ended()


async def test_a_key_pressed_too_late_takes_no_talk_out_of_a_colleagues_hands(
    world: World,
) -> None:
    """BLF names the dialog as the colleague's phone knows it; one's own may be named so."""
    _, call, customer = await talking(world)
    eve = await world.phone(EVE)
    assert call.session is not None
    dialog = call.session.dialog
    assert dialog is not None
    told = f"{dialog.call_id};to-tag={dialog.local_tag};from-tag={dialog.remote_tag}"
    late = await world.phone_calls(eve, "702", headers=[("Replaces", told)])
    assert await refused(late) == 486
    await asyncio.gather(customer.heard(880), call.heard(440))
    second = await world.agent(ANN)
    own = await world.phone_calls(second, "702", tone_hz=660, headers=[("Replaces", told)])
    await asyncio.gather(customer.heard(660), own.heard(440))
    customer.hangup()
    await world.ended()


async def test_who_has_not_been_answered_cannot_be_replaced(world: World) -> None:
    """RFC 3891 §3: an early dialog is replaced only at who has begun it."""
    ann, bob, eve = [await world.phone(login) for login in (ANN, BOB, EVE)]
    call = await world.phone_calls(ann, "703")
    at_bob = await bob.incoming()
    at_bob.ring()
    await call.ringing()
    wanted = await world.phone_calls(eve, "702", headers=replacing(call))
    assert await refused(wanted) == 481
    assert not call.is_over
    del ann
    call.hangup()
    await world.ended()


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("nothing-like-this@here;to-tag=1;from-tag=2", 481),
        ("no-tags@here", 400),
        ("", 400),
        (";to-tag=1;from-tag=2", 400),
    ],
)
async def test_a_dialog_that_is_not_there(world: World, value: str, code: int) -> None:
    eve = await world.phone(EVE)
    call = await world.phone_calls(eve, "702", headers=[("Replaces", value)])
    assert await refused(call) == code
    assert world.events == []


@pytest.mark.parametrize("which", ["call_id", "to-tag", "from-tag"])
async def test_all_three_names_of_a_dialog_must_be_right(world: World, which: str) -> None:
    _, call, customer = await talking(world)
    eve = await world.phone(EVE)
    names = place_of(call).split(";")
    place = {"call_id": 0, "to-tag": 1, "from-tag": 2}[which]
    names[place] = names[place][:-1] + ("a" if names[place][-1] != "a" else "b")
    wanted = await world.phone_calls(eve, "702", headers=[("Replaces", ";".join(names))])
    assert await refused(wanted) == 481
    await asyncio.gather(customer.heard(880), call.heard(440))
    customer.hangup()
    await world.ended()


async def test_a_dialog_that_has_just_ended_is_declined(world: World) -> None:
    _, call, customer = await talking(world)
    eve = await world.phone(EVE)
    place = replacing(call)
    customer.hangup()
    await world.ended()
    await call.ended()
    wanted = await world.phone_calls(eve, "702", headers=place)
    assert await refused(wanted) == 603
    await world.quiet()
    wanted = await world.phone_calls(eve, "702", headers=place)
    assert await refused(wanted) == 603
    assert len(world.of(CallEnded)) == 1


async def test_who_is_replaced_in_the_moment_they_hang_up(world: World) -> None:
    """Either the talk went on with the new one or it was over: nobody hangs in the air."""
    for pause in (0.0, 0.002, 0.005, 0.01):
        _, call, customer = await talking(world)
        eve = await world.phone(EVE)
        ended = len(world.of(CallEnded))
        wanted = await world.phone_calls(eve, "702", headers=replacing(call))
        await asyncio.sleep(pause)
        call.hangup()
        with contextlib.suppress(CallFailed):  # too late
            await wanted.answered()
            customer.hangup()
        await asyncio.gather(wanted.ended(), customer.ended())
        await world.ended(ended + 1)
        await world.quiet()
        for agent in world._agents:
            if agent.name == ANN:
                await world.register(agent, headers=[("Contact", "*"), ("Expires", "0")])


async def test_a_stranger_replaces_nobody(world: World) -> None:
    _, call, customer = await talking(world)
    stranger = await world.agent("mallory")
    wanted = await stranger.invite(
        "sip:702@acme.example", world.hop(), from_="<sip:eve@acme.example>", headers=replacing(call)
    )
    assert await refused(wanted) == 401
    wrong = await world.phone_calls(
        stranger, "702", login=EVE, password="x", headers=replacing(call)
    )
    assert await refused(wrong) == 401
    await asyncio.gather(customer.heard(880), call.heard(440))
    customer.hangup()
    await world.ended()


async def test_another_company_replaces_nobody_here(world: World) -> None:
    new = await world.directory.companies.add("other.example", "Europe/Moscow", PASSWORD)
    values = {"name": "Zed", "login": "zed", "ext": "702", "password": PASSWORD}
    await world.directory.users.add(new.domain, values)
    phone = await world.phone(ANN)
    customer = await world.customer_calls(tone_hz=440)
    call = await phone.incoming()
    call.ring()
    await world.until(Ringing)
    zed = await world.agent("zed")
    for state in ("ringing", "talking"):
        wanted = await zed.invite(
            "sip:702@other.example",
            world.hop(),
            from_="<sip:zed@other.example>",
            credentials=world.credentials("zed"),
            headers=replacing(call),
        )
        assert await refused(wanted) == 481, state
        if state == "ringing":
            await call.answer(880)
            await customer.answered()
    await asyncio.gather(customer.heard(880), call.heard(440))
    customer.hangup()
    await world.ended()


async def test_an_employee_has_not_the_place_of_a_customer(world: World) -> None:
    _, call, customer = await talking(world)
    eve = await world.phone(EVE)
    wanted = await world.phone_calls(eve, "702", headers=replacing(customer))
    assert await refused(wanted) == 481
    await asyncio.gather(customer.heard(880), call.heard(440))
    customer.hangup()
    await world.ended()


async def test_a_carrier_replaces_its_own_leg_and_no_other(world: World) -> None:
    """The operator's network passes its customer on; an employee's leg is none of its business."""
    _, call, customer = await talking(world)
    hers = await world.carrier.invite(
        "sip:127.0.0.1",
        world.hop(),
        from_="<sip:79260000009@carrier.example>",
        headers=replacing(call),
    )
    assert await refused(hers) == 481
    second = await world.second_trunk()
    other = await second.invite(
        "sip:127.0.0.1",
        world.hop(),
        from_="<sip:79260000009@carrier.example>",
        headers=replacing(customer),
    )
    assert await refused(other) == 481
    third = await world.carrier.invite(
        "sip:127.0.0.1",
        world.hop(),
        from_="<sip:79260000009@carrier.example>",
        tone_hz=1020,
        headers=replacing(customer),
    )
    await asyncio.gather(third.heard(880), call.heard(1020))
    assert (await customer.ended()).cause == "bye"
    third.hangup()
    end = await world.ended()
    assert (end.status, end.call.client) == (Status.SUCCESS, CUSTOMER)
    await world.quiet()


async def test_replaces_belongs_into_an_invite_and_once(world: World) -> None:
    eve = await world.phone(EVE)
    place = ("Replaces", "x@y;to-tag=1;from-tag=2")
    response = await eve.send("OPTIONS", f"sip:{DOMAIN}", world.hop(), headers=[place])
    assert response.code == 400
    for more in (place, ("Join", "x@y;to-tag=1;from-tag=2")):
        call = await world.phone_calls(eve, "702", headers=[place, more])
        assert await refused(call) == 400


async def test_two_who_want_one_place(world: World) -> None:
    """The second takes the place of nobody: the dialog has ended by then."""
    _, call, customer = await talking(world)
    bob, eve = await world.phone(BOB), await world.phone(EVE)
    first = await world.phone_calls(bob, "ann", tone_hz=660, headers=replacing(call))
    second = await world.phone_calls(eve, "ann", tone_hz=660, headers=replacing(call))
    codes = []
    for wanted in (first, second):
        try:
            await wanted.answered()
        except CallFailed as error:
            codes.append(error.code)
    assert codes == [603]
    await customer.heard(660)
    customer.hangup()
    await world.ended()
    await world.quiet()


async def test_the_consultation_may_be_asked_to_take_the_customer(world: World) -> None:
    """Some phones send the REFER to whom they have consulted, with Replaces of the first talk."""
    call, customer, second, at_bob = await consulting(world)
    await at_bob.answer(660)
    await asyncio.gather(second.heard(660), at_bob.heard(700))
    dialog = place_of(call).replace(";", "%3B").replace("=", "%3D")
    assert await refer(second, f"<sip:{CUSTOMER}@acme.example?Replaces={dialog}>") == 202
    await asyncio.gather(customer.heard(660), at_bob.heard(440))
    await asyncio.gather(call.ended(), second.ended())
    assert not customer.directions
    await note(second, "SIP/2.0 200 OK")
    at_bob.hangup()
    await world.ended(2)
    by_direction = {end.call.direction.value: end for end in world.of(CallEnded)}
    assert by_direction["in"].user.login == BOB
    [passed] = world.of(Transferred)
    assert (passed.second_callid, passed.user.login) == ("", ANN)
    assert passed.call.callid == by_direction["in"].call.callid
    await world.quiet()


# -- Referred-By (RFC 3892) -------------------------------------------------------------------


async def referred_by(world: World, *headers: tuple[str, str], to: str = "703") -> str:
    """Pass a customer on from ann to bob; return what bob's phone is told of that."""
    _, call, customer = await talking(world)
    bob = await world.phone(BOB)
    assert call.session is not None
    done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    call.session.send(
        "REFER",
        headers=[("Refer-To", f"<sip:{to}@acme.example>"), *headers],
        on_response=done.set_result,
    )
    assert (await asyncio.wait_for(done, 20)).code == 202
    at_bob = await bob.incoming()
    assert at_bob.session is not None
    told = at_bob.session.request.headers.get("Referred-By") or ""
    await at_bob.answer()
    await world.until(Answered, 2)
    customer.hangup()
    await world.ended(2)
    return told


async def test_the_target_is_told_who_passes_on(world: World) -> None:
    told = await referred_by(world, ("Referred-By", '"Ann" <sip:ann@acme.example>'))
    assert told == '"Ann" <sip:ann@acme.example>'


@pytest.mark.parametrize(
    "said",
    [
        None,
        "<sip:eve@acme.example>",  # somebody else
        "<sip:ann@elsewhere.example>",
        "rubbish <<",
        '"Ann\r\n X: y" <sip:ann@acme.example>',
    ],
)
async def test_and_that_is_never_somebody_else(world: World, said: str | None) -> None:
    headers = [("Referred-By", said)] if said is not None and "\n" not in said else []
    told = await referred_by(world, *headers, to="710")
    assert told == '"Ann" <sip:702@acme.example>'


async def test_who_is_rung_back_is_not_told_of_themselves(world: World) -> None:
    phone, call, customer = await talking(world)
    bob = await world.phone(BOB)
    assert await refer(call, "<sip:703@acme.example>") == 202
    (await bob.incoming()).reject(486)
    again = await phone.incoming()
    assert again.session is not None
    assert again.session.request.headers.get("Referred-By") is None
    customer.hangup()
    await world.ended(2)
