"""Where a call can be passed on to: menus, departments, mailboxes, the outside; and what fails."""

from __future__ import annotations

import asyncio

import pytest

from tests.calls.test_menu_calls import PROMPT, button, menu
from tests.calls.test_transfer import FRIEND, ends, note, refer, talking
from tests.calls.world import ANN, BOB, EVE, OFFICE, SALES, Agent, World
from vpbx.events import Status, Transferred
from vpbx.sim.call import Call

WAYS = ["REFER", "*2", "API"]


async def pass_on(world: World, call: Call, to: str, how: str) -> None:
    """Pass the other side of an employee's call on."""
    if how == "REFER":
        assert await refer(call, f"<sip:{to.replace('*', '%2A')}@acme.example>") == 202
    elif how == "*2":
        call.dial(f"*2{to}#")
    else:
        [live] = [each for each in world.service.active() if each.answered_at]
        assert world.service.transfer(await world.domain(), live.info.callid, to)


async def back_at(phone: Agent, customer: Call) -> Call:
    """The call rings back at who has passed it on, who takes it."""
    again = await phone.incoming(timeout_s=30)
    await again.answer(1020)
    await asyncio.gather(customer.heard(1020), again.heard(440))
    return again


@pytest.mark.parametrize("how", WAYS)
async def test_to_a_menu(world: World, how: str) -> None:
    """The company's own number is dialled, and leads to a menu; no carrier is asked."""
    phone, call, customer = await talking(world)
    await menu(world, button("1", BOB))
    bob = await world.phone(BOB)
    await pass_on(world, call, OFFICE, how)
    await customer.heard(PROMPT)
    customer.dial("1")
    at_bob = await bob.incoming()
    await at_bob.answer(660)
    await asyncio.gather(customer.heard(660), at_bob.heard(440))
    customer.hangup()
    await world.ended(2)
    assert [end.user.login for end in ends(world)] == [ANN, BOB]  # type: ignore[union-attr]
    assert len(world.carrier.calls) == 1
    del phone
    await world.quiet()


async def test_a_menu_in_which_nothing_is_chosen_gives_the_call_back(hasty_world: World) -> None:
    world = hasty_world
    phone, call, customer = await talking(world)
    await menu(world, button("1", BOB))
    await pass_on(world, call, OFFICE, "REFER")
    await customer.heard(PROMPT)
    await back_at(phone, customer)
    customer.hangup()
    await world.ended(2)


async def test_a_customer_who_was_called_is_passed_to_a_menu_too(world: World) -> None:
    await menu(world, button("1", BOB))
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, "79101234567", tone_hz=880)
    customer = await world.carrier.incoming()
    await customer.answer(440)
    await call.heard(440)
    await pass_on(world, call, OFFICE, "REFER")
    await customer.heard(PROMPT)
    customer.hangup()
    await world.ended(2)


@pytest.mark.parametrize("how", WAYS)
async def test_to_a_mailbox(world: World, how: str) -> None:
    """`*97` and an ext: a message is left, and nobody is rung."""
    await world.directory.am_users.add(await world.domain(), [BOB])
    await world.own_sound("prompt", "voicemail-greeting", 900)
    _, call, customer = await talking(world)
    bob = await world.phone(BOB)
    await pass_on(world, call, "*97703", how)
    await customer.heard(900)
    customer.hangup()
    await world.ended(2)
    second = ends(world)[1]
    assert (second.status, second.destination.value) == (Status.MISSED, "am")
    assert second.user.login == BOB  # type: ignore[union-attr]
    assert bob.calls == []
    await world.quiet()


async def test_a_message_was_left_and_nobody_is_rung_back(hasty_world: World) -> None:
    world = hasty_world
    await world.directory.am_users.add(await world.domain(), [BOB])
    phone, call, customer = await talking(world)
    await pass_on(world, call, "*97703", "REFER")
    await customer.ended(30)  # silence ends the message
    await world.ended(2)
    assert len(phone.calls) == 1


async def test_nobody_has_a_mailbox_who_has_no_voicemail(world: World) -> None:
    _, call, customer = await talking(world)
    assert await refer(call, "<sip:*97703@acme.example>") == 603
    assert await refer(call, "<sip:*97999@acme.example>") == 603
    eve = await world.phone(EVE)
    hers = await world.phone_calls(eve, "*97703")
    assert (await hers.ended()).code == 404
    await customer.heard(880)
    customer.hangup()
    await world.ended()


async def test_a_colleague_leaves_a_message_without_ringing(world: World) -> None:
    await world.directory.am_users.add(await world.domain(), [BOB])
    await world.own_sound("prompt", "voicemail-greeting", 900)
    bob, eve = await world.phone(BOB), await world.phone(EVE)
    hers = await world.phone_calls(eve, "*97703")
    await hers.heard(900)
    hers.hangup()
    await world.ended()
    assert bob.calls == []


@pytest.mark.parametrize("how", ["REFER", "API"])
async def test_to_a_department_that_nobody_takes(hasty_world: World, how: str) -> None:
    """Nobody is there in time: it rings back rather than being told to call later."""
    await to_a_department_that_nobody_takes(hasty_world, how)


async def test_to_a_department_that_nobody_takes_by_star_two(world: World) -> None:
    """The same, where digits have the time that fingers need."""
    await to_a_department_that_nobody_takes(world, "*2")


async def to_a_department_that_nobody_takes(world: World, how: str) -> None:
    values = {"timeout": {"time": 15, "target": "msg_busy"}, "call_order": "BYORDER"}
    await world.edit_group(**values)
    domain = await world.domain()
    users = [{"login": EVE, "calls_enable": True}]
    night = await world.directory.groups.add(
        domain,
        {
            "name": "Night",
            "ext": "720",
            "users": users,
            "timeout": {"time": 15, "target": "msg_busy"},
        },
    )
    await world.directory.groups.edit(domain, night.id, {"timeout": {"time": 15}})
    phone, call, customer = await talking(world)
    await pass_on(world, call, "720", how)
    await back_at(phone, customer)
    customer.hangup()
    await world.ended(2)
    second = ends(world)[1]
    assert (second.user.login, second.status) == (ANN, Status.SUCCESS)  # type: ignore[union-attr]


@pytest.mark.parametrize("how", WAYS)
async def test_outside_the_number_of_who_passes_on_is_shown(world: World, how: str) -> None:
    values = {"login": ANN, "telnum": SALES}
    await world.directory.caller_ids.set_user(await world.domain(), values)
    _, call, customer = await talking(world)
    await pass_on(world, call, FRIEND, how)
    friend = await world.carrier.incoming(timeout_s=20)
    assert friend.session is not None
    assert friend.session.from_.uri.user == SALES
    assert friend.session.request.headers.get("Referred-By") is None
    await friend.answer(660)
    await asyncio.gather(customer.heard(660), friend.heard(440))
    friend.hangup()
    await world.ended(2)
    second = ends(world)[1]
    assert (second.user.login, second.destination.value) == (ANN, "telnum")  # type: ignore[union-attr]


@pytest.mark.parametrize("code", [486, 404, 480, 503])
async def test_an_outside_number_that_fails_rings_back(world: World, code: int) -> None:
    phone, call, customer = await talking(world)
    await pass_on(world, call, FRIEND, "REFER")
    (await world.carrier.incoming()).reject(code)
    again = await back_at(phone, customer)
    await note(call, "SIP/2.0 480 Temporarily Unavailable")
    again.hangup()
    await world.ended(2)
    await world.quiet()


@pytest.mark.parametrize(
    ("to", "code"),
    [
        (OFFICE, 400),  # leads to ann, who has the call
        ("799", 603),  # as long as an ext, and nobody's
        ("*8", 603),
        ("*43", 603),
        ("*97", 603),
    ],
)
async def test_what_leads_nowhere_is_refused(world: World, to: str, code: int) -> None:
    _, call, customer = await talking(world)
    assert await refer(call, f"<sip:{to}@acme.example>") == code
    await asyncio.gather(customer.heard(880), call.heard(440))
    customer.hangup()
    await world.ended()
    assert world.of(Transferred) == []


async def test_an_own_number_that_is_off_is_refused(world: World) -> None:
    await world.directory.telnums.set_enabled(await world.domain(), SALES, False)
    _, call, customer = await talking(world)
    assert await refer(call, f"<sip:{SALES}@acme.example>") == 603
    customer.hangup()
    await world.ended()


@pytest.mark.parametrize("how", ["*2", "API"])
async def test_restrictions_hold_however_it_is_asked(world: World, how: str) -> None:
    rule = [{"login": ANN, "allowed": []}]
    await world.directory.restrictions.add_users(await world.domain(), rule)
    _, call, customer = await talking(world)
    if how == "API":
        with pytest.raises(Exception, match="restrictions"):
            await pass_on(world, call, FRIEND, how)
    else:
        await world.own_sound("prompt", "transfer-failed", 1200)
        await pass_on(world, call, FRIEND, how)
        await call.heard(1200)
    await asyncio.gather(customer.heard(880), call.heard(440))
    assert len(world.carrier.calls) == 1
    customer.hangup()
    await world.ended()


async def test_emergency_numbers_pass_restrictions(world: World) -> None:
    rule = [{"login": ANN, "allowed": []}]
    await world.directory.restrictions.add_users(await world.domain(), rule)
    _, call, customer = await talking(world)
    assert await refer(call, "<sip:112@acme.example>") == 202
    rescue = await world.carrier.incoming()
    assert rescue.session is not None
    assert rescue.session.request.uri.user == "112"
    customer.hangup()
    await world.ended(2)


# -- who is recorded ------------------------------------------------------------------------------


@pytest.mark.parametrize(("never", "recorded"), [(ANN, {BOB}), (BOB, {ANN}), (EVE, {ANN, BOB})])
async def test_a_blind_transfer_and_who_is_never_recorded(
    world: World, never: str, recorded: set[str]
) -> None:
    await world.directory.record_exceptions.add(await world.domain(), [never])
    _, call, customer = await talking(world)
    bob = await world.phone(BOB)
    assert await refer(call, "<sip:703@acme.example>") == 202
    at_bob = await bob.incoming()
    await at_bob.answer(660)
    await asyncio.gather(customer.heard(660), at_bob.heard(440))
    customer.hangup()
    await world.ended(2)
    assert {end.user.login for end in ends(world) if end.recorded} == recorded  # type: ignore[union-attr]


@pytest.mark.parametrize("never", [ANN, BOB, EVE])
async def test_an_attended_transfer_and_who_is_never_recorded(world: World, never: str) -> None:
    """One callid, one file: it has only what was said by those who may be recorded."""
    await world.directory.record_exceptions.add(await world.domain(), [never])
    phone, call, customer = await talking(world)
    talks = {each.info.callid: each.recording for each in world.service.active()}
    assert list(talks.values()) == [never != ANN]
    bob = await world.phone(BOB)
    second = await world.phone_calls(phone, "703", tone_hz=700)
    at_bob = await bob.incoming()
    await at_bob.answer(660)
    await second.heard(660)
    dialog = second.session.dialog  # type: ignore[union-attr]
    assert dialog is not None
    told = f"{dialog.call_id}%3Bto-tag%3D{dialog.remote_tag}%3Bfrom-tag%3D{dialog.local_tag}"
    assert await refer(call, f"<sip:703@acme.example?Replaces={told}>") == 202
    await asyncio.gather(customer.heard(660), at_bob.heard(440))
    [live] = [each for each in world.service.active() if each.info.callid in talks]
    assert live.recording is (never != BOB)
    customer.hangup()
    await world.ended(2)
    outer = next(end for end in ends(world) if end.call.client)
    assert outer.recorded, "each time one of the two may be recorded"
    await world.quiet()


async def test_whoever_takes_an_unrecorded_call_over_is_recorded_under_its_own_callid(
    world: World,
) -> None:
    """What was recorded before an excepted employee had the call stays with the first callid."""
    await world.directory.record_exceptions.add(await world.domain(), [BOB])
    phone, call, customer = await talking(world)
    bob, eve = await world.phone(BOB), await world.phone(EVE)
    second = await world.phone_calls(phone, "703", tone_hz=700)
    at_bob = await bob.incoming()
    await at_bob.answer(660)
    await second.heard(660)
    dialog = second.session.dialog  # type: ignore[union-attr]
    assert dialog is not None
    told = f"{dialog.call_id}%3Bto-tag%3D{dialog.remote_tag}%3Bfrom-tag%3D{dialog.local_tag}"
    assert await refer(call, f"<sip:703@acme.example?Replaces={told}>") == 202
    await asyncio.gather(customer.heard(660), at_bob.heard(440))
    assert await refer(at_bob, "<sip:704@acme.example>") == 202
    at_eve = await eve.incoming()
    await at_eve.answer(1020)
    await asyncio.gather(customer.heard(1020), at_eve.heard(440))
    customer.hangup()
    await world.ended(3)
    outer = [end for end in ends(world) if end.call.client]
    assert [end.user.login for end in outer] == [BOB, EVE]  # type: ignore[union-attr]
    async with asyncio.timeout(20):
        while len(world.encoder.jobs) < 2:
            await asyncio.sleep(0.02)
    files = {job[1].stem: len(job[0].files) for job in world.encoder.jobs}
    assert files == {end.call.callid: 1 for end in outer}
