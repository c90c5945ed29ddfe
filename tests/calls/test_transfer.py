"""Transfers: blind (REFER) and attended (REFER with Replaces), with real phones and sound."""

from __future__ import annotations

import asyncio

import pytest

from tests.calls.world import ANN, BOB, CUSTOMER, EVE, Agent, World
from vpbx.events import CallEnded, CallStarted, RecordingReady, Status, Transferred
from vpbx.sim.call import Call
from vpbx.sip import Response

FRIEND = "79260000000"


def notes(call: Call) -> list[tuple[str, str]]:
    """What a phone that asked for a transfer was told: the status, and whether it is the last."""
    return [
        (
            notify.body.decode().strip(),
            (notify.headers.get("Subscription-State") or "").partition(";")[0],
        )
        for notify in call.requests
        if notify.method == "NOTIFY"
    ]


async def refer(call: Call, to: str) -> int:
    done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    assert call.session is not None
    call.session.send("REFER", headers=[("Refer-To", to)], on_response=done.set_result)
    return (await asyncio.wait_for(done, 20)).code


async def note(call: Call, text: str) -> None:
    async with asyncio.timeout(20):
        while text not in [said for said, _ in notes(call)]:
            await asyncio.sleep(0.02)


async def talking(world: World) -> tuple[Agent, Call, Call]:
    """A customer (440 Hz) talks to ann (880 Hz)."""
    phone = await world.phone(ANN)
    customer = await world.customer_calls(tone_hz=440)
    call = await phone.incoming()
    await call.answer(880)
    await customer.answered()
    await asyncio.gather(customer.heard(880), call.heard(440))
    return phone, call, customer


def ends(world: World) -> list[CallEnded]:
    return world.of(CallEnded)


async def test_a_blind_transfer_goes_on_under_a_callid_of_its_own(world: World) -> None:
    _, call, customer = await talking(world)
    bob = await world.phone(BOB)
    assert await refer(call, "<sip:703@acme.example>") == 202
    at_bob = await bob.incoming()
    assert at_bob.session is not None
    assert at_bob.session.from_.uri.user == CUSTOMER
    at_bob.ring()
    await at_bob.answer(660)
    await asyncio.gather(customer.heard(660), at_bob.heard(440))
    await note(call, "SIP/2.0 200 OK")
    assert notes(call)[0] == ("SIP/2.0 100 Trying", "active")
    assert notes(call)[-1][1] == "terminated"
    await call.ended()
    assert not customer.directions  # the customer's phone was not bothered
    customer.hangup()
    await world.ended(2)
    first, second = ends(world)
    [passed] = world.of(Transferred)
    assert passed.second_callid == second.call.callid != first.call.callid
    assert (first.user.login, second.user.login) == (ANN, BOB)  # type: ignore[union-attr]
    assert first.status is second.status is Status.SUCCESS
    assert world.story() == [
        *("ringing ann", "answered ann", "completed ann"),
        *("ringing bob", "answered bob", "completed bob"),
    ]
    await world.until(RecordingReady, 2)
    names = {job[0].callid: str(job[1]) for job in world.encoder.jobs}
    assert set(names) == {first.call.callid, second.call.callid}
    assert all(callid in path for callid, path in names.items())
    await world.quiet()


@pytest.mark.parametrize("how", ["refuses", "hangs up at once"])
async def test_a_transfer_that_fails_rings_the_transferrer_back(world: World, how: str) -> None:
    phone, call, customer = await talking(world)
    bob = await world.phone(BOB)
    assert await refer(call, "<sip:bob@acme.example>") == 202
    if how == "hangs up at once":
        call.hangup()
    at_bob = await bob.incoming()
    at_bob.ring()
    at_bob.reject(486)
    again = await phone.incoming()
    again.ring()
    await again.answer(1020)
    await asyncio.gather(customer.heard(1020), again.heard(440))
    if how == "refuses":
        await note(call, "SIP/2.0 480 Temporarily Unavailable")
    customer.hangup()
    await world.ended(2)
    assert world.story()[3:] == [
        *("ringing bob", "ring ended bob", "ringing ann", "answered ann", "completed ann"),
    ]
    await world.quiet()


async def test_a_customer_who_gives_up_while_the_next_one_rings(world: World) -> None:
    _, call, customer = await talking(world)
    bob = await world.phone(BOB)
    assert await refer(call, "<sip:703@acme.example>") == 202
    at_bob = await bob.incoming()
    at_bob.ring()
    await world.until(CallStarted, 2)
    async with asyncio.timeout(20):
        while "ringing bob" not in world.story():
            await asyncio.sleep(0.02)
    customer.hangup()
    await world.ended(2)
    first, second = ends(world)
    assert (first.status, second.status) == (Status.SUCCESS, Status.MISSED)
    assert (await at_bob.ended()).cause == "cancel"
    await call.ended()
    await world.quiet()


async def test_an_employee_passes_a_customer_on_whom_they_called(world: World) -> None:
    """The customer was called: they stay on their seat, on the left of both recordings."""
    phone = await world.phone(ANN)
    bob = await world.phone(BOB)
    call = await world.phone_calls(phone, CUSTOMER, tone_hz=880)
    customer = await world.carrier.incoming()
    await customer.answer(440)
    await asyncio.gather(customer.heard(880), call.heard(440))
    assert await refer(call, "<sip:703@acme.example>") == 202
    at_bob = await bob.incoming()
    assert at_bob.session is not None
    assert at_bob.session.from_.uri.user == CUSTOMER
    await at_bob.answer(660)
    await asyncio.gather(customer.heard(660), at_bob.heard(440))
    customer.hangup()
    await world.ended(2)
    assert [end.call.direction.value for end in ends(world)] == ["out", "out"]
    await world.until(RecordingReady, 2)
    assert len({job[2] for job in world.encoder.jobs}) == 1
    await world.quiet()


async def test_to_a_department_and_to_an_outside_number(world: World) -> None:
    _, call, customer = await talking(world)
    bob = await world.phone(BOB)
    assert await refer(call, "<sip:710@acme.example>") == 202
    at_bob = await bob.incoming()
    await at_bob.answer(660)
    await customer.heard(660)
    assert await refer(at_bob, f"<sip:{FRIEND}@acme.example>") == 202  # a transfer of a transfer
    friend = await world.carrier.incoming()
    assert friend.session is not None
    assert friend.session.request.uri.user == FRIEND
    await friend.answer(1020)
    await asyncio.gather(customer.heard(1020), friend.heard(440))
    friend.hangup()
    await world.ended(3)
    assert [end.destination.value for end in ends(world)] == ["user", "user", "telnum"]
    assert ends(world)[1].group is not None
    await world.quiet()


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("<sip:702@acme.example>", 400),  # to themselves
        ("<sip:no-such-name@acme.example>", 603),
        ("<sip:+4930123456@acme.example>", 403),
        ("<sip:bob@acme.example?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2>", 603),
        ("<sip:bob@acme.example?Replaces=x>", 400),
        ("rubbish <", 400),
        ("<sip:bob@acme.example;method=BYE>", 400),
        ("<mailto:bob@acme.example>", 400),
    ],
)
async def test_a_refused_transfer_leaves_the_call_as_it_was(
    world: World, to: str, code: int
) -> None:
    rule = [{"login": ANN, "allowed": ["RU"]}]
    await world.directory.restrictions.add_users(await world.domain(), rule)
    _, call, customer = await talking(world)
    assert await refer(call, to) == code
    await asyncio.gather(customer.heard(880), call.heard(440))
    customer.hangup()
    await world.ended()
    assert world.of(Transferred) == []


@pytest.mark.parametrize("replaces", ["", "?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2"])
async def test_an_ext_of_another_company_here_is_none_of_ones_own(
    world: World, replaces: str
) -> None:
    """Whoever has 703 there is not bob. As for an INVITE."""
    await world.directory.companies.add("globex.example", "Europe/Moscow", "adm1n-pass")
    bob = await world.phone(BOB)
    _, call, customer = await talking(world)
    assert await refer(call, f"<sip:703@Globex.example{replaces}>") == 403
    await asyncio.gather(customer.heard(880), call.heard(440))
    customer.hangup()
    await world.ended()
    assert bob.calls == []


@pytest.mark.parametrize(
    "to",
    [
        '"Bob <b> \\" of sales" <sip:703@acme.example;user=phone>;x=y',
        "sip:703@acme.example;user=phone",
        "<tel:703;phone-context=acme.example>",
        "<SIPS:703@127.0.0.1:5061;transport=tls;method=INVITE>",
    ],
)
async def test_ways_to_write_whom_to(world: World, to: str) -> None:
    _, call, customer = await talking(world)
    bob = await world.phone(BOB)
    assert await refer(call, to) == 202
    await (await bob.incoming(30)).answer(660)
    await customer.heard(660)
    customer.hangup()
    await world.ended(2)


async def test_a_customer_cannot_pass_an_employee_on(world: World) -> None:
    _, call, customer = await talking(world)
    assert await refer(customer, f"<sip:{FRIEND}@carrier.example>") == 603
    await customer.heard(880)
    call.hangup()
    await world.ended()


def replacing(call: Call, ext: str) -> str:
    """Refer-To for whom `call` talks to."""
    assert call.session is not None
    dialog = call.session.dialog
    assert dialog is not None
    local, remote = dialog.local_tag, dialog.remote_tag
    dialog_id = f"{dialog.call_id}%3Bto-tag%3D{remote}%3Bfrom-tag%3D{local}"
    return f"<sip:{ext}@acme.example?Replaces={dialog_id}>"


async def consulting(world: World) -> tuple[Call, Call, Call, Call]:
    """Ann has put the customer on hold and called bob."""
    phone, call, customer = await talking(world)
    bob = await world.phone(BOB)
    assert await call.hold() == 200
    second = await world.phone_calls(phone, "703", tone_hz=700)
    at_bob = await bob.incoming()
    at_bob.ring()
    return call, customer, second, at_bob


async def test_an_attended_transfer_keeps_the_callid(world: World) -> None:
    call, customer, second, at_bob = await consulting(world)
    await at_bob.answer(660)
    await asyncio.gather(second.heard(660), at_bob.heard(700))
    assert await refer(call, replacing(second, "703")) == 202
    await asyncio.gather(customer.heard(660), at_bob.heard(440))
    await note(call, "SIP/2.0 200 OK")
    await asyncio.gather(call.ended(), second.ended())
    assert not customer.directions
    at_bob.hangup()
    await world.ended(2)
    inner, outer = ends(world)
    assert (inner.call.direction.value, inner.status) == ("inner", Status.SUCCESS)
    assert outer.user.login == BOB  # type: ignore[union-attr]
    [passed] = world.of(Transferred)
    assert (passed.second_callid, passed.user.login) == ("", ANN)
    outside = [e for e in world.events if e.call.callid == outer.call.callid]
    told = [type(e).__name__ for e in outside if not isinstance(e, RecordingReady)]
    assert told == [
        *("CallStarted", "Ringing", "Answered", "Transferred", "Answered", "Completed"),
        "CallEnded",
    ]
    await world.quiet()


async def test_a_semi_attended_transfer_is_a_blind_one(world: World) -> None:
    call, customer, second, at_bob = await consulting(world)
    await second.ringing()
    assert await refer(call, replacing(second, "703")) == 202
    assert (await at_bob.ended()).cause == "cancel"
    bob = next(agent for agent in world._agents if agent.name == BOB)
    again = await bob.incoming()
    await again.answer(660)
    await asyncio.gather(customer.heard(660), again.heard(440))
    customer.hangup()
    await world.ended(3)
    [passed] = world.of(Transferred)
    assert passed.second_callid
    await world.quiet()


async def test_nobody_puts_a_colleagues_call_through(world: World) -> None:
    """The dialog in Replaces is eve's, not ann's."""
    _, call, customer = await talking(world)
    eve, bob = await world.phone(EVE), await world.phone(BOB)
    hers = await world.phone_calls(eve, "703")
    at_bob = await bob.incoming()
    await at_bob.answer(660)
    await hers.answered()
    assert await refer(call, replacing(hers, "703")) == 603
    await asyncio.gather(customer.heard(880), hers.heard(660))
    hers.hangup()
    customer.hangup()
    await world.ended(2)


async def test_star_two_and_an_ext_pass_a_customer_on(world: World) -> None:
    """For phones without a transfer key: no # is needed once an ext is complete."""
    _, call, customer = await talking(world)
    bob = await world.phone(BOB)
    call.dial("*2")
    await differs(call, 440)  # "dial the number"
    call.dial("703")
    at_bob = await bob.incoming()
    await at_bob.answer(660)
    await asyncio.gather(customer.heard(660), at_bob.heard(440))
    assert (await call.ended()).cause == "bye"
    customer.hangup()
    await world.ended(2)
    [passed] = world.of(Transferred)
    assert passed.user.login == ANN


async def test_the_other_side_hears_music_while_the_number_is_dialled(world: World) -> None:
    """And none of the digits; then "please wait", then the music again."""
    file = await world.own_sound("music", "tune", 620)
    await world.directory.music.set(await world.domain(), "holdmusic", file)
    await world.own_sound("prompt", "transfer-wait", 1200, 0.8)
    _, call, customer = await talking(world)
    bob = await world.phone(BOB)
    call.dial("*2")
    await customer.heard(620)
    before = customer.digits
    for digit in "703":
        call.dial(digit)
    await customer.heard(1200)
    await customer.heard(620)
    assert customer.digits == before
    at_bob = await bob.incoming()
    at_bob.ring()
    await at_bob.answer(660)
    await asyncio.gather(customer.heard(660), at_bob.heard(440))
    customer.hangup()
    await world.ended(2)


@pytest.mark.parametrize("how", ["*2 again", "nothing more", "a wrong number"])
async def test_who_gives_a_transfer_up_is_heard_again(hasty_world: World, how: str) -> None:
    world = hasty_world
    file = await world.own_sound("music", "tune", 620)
    await world.directory.music.set(await world.domain(), "holdmusic", file)
    _, call, customer = await talking(world)
    call.dial("*2")
    await customer.heard(620)
    if how != "nothing more":
        call.dial("*2" if how == "*2 again" else "999#")
    await asyncio.gather(customer.heard(880), call.heard(440, timeout_s=20))
    customer.hangup()
    await world.ended()
    assert world.of(Transferred) == []


async def test_star_two_twice_comes_back_and_a_wrong_number_too(world: World) -> None:
    _, call, customer = await talking(world)
    call.dial("*2")
    await differs(call, 440)
    call.dial("*2")
    await asyncio.gather(customer.heard(880), call.heard(440))
    call.dial("*2702#")  # to herself
    await asyncio.gather(customer.heard(880), call.heard(440, timeout_s=20))
    customer.hangup()
    await world.ended()
    assert world.of(Transferred) == []


async def test_star_two_to_an_outside_number_goes_after_a_pause(world: World) -> None:
    _, call, customer = await talking(world)
    call.dial("*2" + FRIEND)
    friend = await world.carrier.incoming(timeout_s=20)
    assert friend.session is not None
    assert friend.session.request.uri.user == FRIEND
    await friend.answer(660)
    await customer.heard(660)
    customer.hangup()
    await world.ended(2)


async def test_a_customer_presses_star_two_in_vain(world: World) -> None:
    _, call, customer = await talking(world)
    customer.dial("*2703")
    await call.heard_digits("*2703")
    await customer.heard(880)
    customer.hangup()
    await world.ended()
    assert world.of(Transferred) == []


async def differs(call: Call, tone_hz: float) -> None:
    """Wait until something else than this tone is heard."""
    async with asyncio.timeout(20):
        while abs(call.hears_hz - tone_hz) < 15:
            await asyncio.sleep(0.05)
