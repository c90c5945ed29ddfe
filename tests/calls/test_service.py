"""Registration, other requests, faults of media, and the end of the server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.calls.conftest import running
from tests.calls.world import ANN, BOB, CUSTOMER, DOMAIN, EVE, SALES, World, media_config
from vpbx.directory import Invalid
from vpbx.events import Answered, Dialing, Ringing, Status
from vpbx.media import MediaEngine


async def test_a_device_registers_by_login_or_by_ext(world: World) -> None:
    domain = await world.domain()
    assert not world.directory.locations.online(domain.id, ANN)
    phone = await world.agent(ANN)
    response = await world.register(phone)
    assert response.code == 200
    assert "expires=300" in (response.headers.get("Contact") or "")
    assert world.directory.locations.online(domain.id, ANN)
    other = await world.agent("702")
    assert (await world.register(other)).code == 200
    rows = world.directory.locations.bindings(domain.id, ANN)
    assert {row.port for row in rows} == {phone.port, other.port}


async def test_a_device_leaves(world: World) -> None:
    phone = await world.phone(ANN)
    headers = [("Contact", f"<sip:{ANN}@127.0.0.1:{phone.port}>;expires=0")]
    assert (await world.register(phone, headers=headers)).code == 200
    assert not world.directory.locations.online((await world.domain()).id, ANN)


async def test_a_wrong_password_registers_nothing(world: World) -> None:
    phone = await world.agent(ANN)
    assert (await world.register(phone, password="wrong")).code == 401
    assert (await world.register(phone, login="nobody")).code == 401
    assert not world.directory.locations.online((await world.domain()).id, ANN)


async def test_nobody_registers_for_a_colleague(world: World) -> None:
    phone = await world.agent(ANN)
    response = await phone.send(
        "REGISTER",
        f"sip:{DOMAIN}",
        world.hop(),
        to=f"<sip:{BOB}@{DOMAIN}>",
        headers=[("Contact", f"<sip:x@127.0.0.1:{phone.port}>")],
        credentials=world.credentials(ANN),
    )
    assert response.code == 403
    assert not world.directory.locations.online((await world.domain()).id, BOB)


async def test_a_device_cannot_claim_the_carriers_address(world: World) -> None:
    """Else calls to an ext would be calls to the outside that nobody sees or allows."""
    phone = await world.agent(ANN)
    contact = f"<sip:79990000000@127.0.0.1:{world.carrier.port}>"
    response = await world.register(phone, headers=[("Contact", contact)])
    assert response.code == 403
    assert not world.directory.locations.online((await world.domain()).id, ANN)


async def test_nor_another_port_of_a_carrier_elsewhere(world: World) -> None:
    await world.directory.trunk_rules.add("far", "192.0.2.7:5060")
    phone = await world.agent(ANN)
    contact = "<sip:79990000000@192.0.2.7:5070;transport=tcp>"
    response = await world.register(phone, headers=[("Contact", contact)])
    assert response.code == 403


async def test_registrations_survive_a_restart(world: World) -> None:
    phone = await world.phone(ANN)
    await world.directory.writer.flush()
    await world.directory.locations.load()
    customer = await world.customer_calls()
    await (await phone.incoming()).answer()
    await customer.answered()
    customer.hangup()
    await world.ended()


async def test_a_domain_that_is_off_lets_nobody_register_or_call(world: World) -> None:
    phone = await world.phone(ANN)
    await world.settings(enabled=False)
    assert (await world.register(phone)).code == 403
    call = await world.phone_calls(phone, CUSTOMER)
    assert (await call.ended()).code == 403
    assert world.events == []


async def test_passwords_cannot_be_guessed_for_long(world: World) -> None:
    """After some failures a source may not try this account any more; others may."""
    guesser = await world.agent("guesser")
    codes = [
        (await world.register(guesser, login=ANN, password=f"guess {n}")).code for n in range(24)
    ]
    assert codes == [401] * 16 + [503] * 8
    assert (await world.register(guesser, login=ANN)).code == 503, "nor the right one, for now"
    assert (await world.register(guesser, login=BOB)).code == 200


@pytest.mark.parametrize(
    ("method", "code"),
    [("OPTIONS", 200), ("SUBSCRIBE", 401), ("MESSAGE", 405), ("PUBLISH", 405), ("DANCE", 501)],
)
async def test_other_requests_get_a_proper_answer(world: World, method: str, code: int) -> None:
    stranger = await world.agent("stranger")
    response = await stranger.send(method, f"sip:{DOMAIN}", world.hop())
    assert response.code in (code, 501 if method == "DANCE" else code)
    if code in (200, 405):
        assert {"INVITE", "SUBSCRIBE"} <= set(response.headers.getlist("Allow"))
    if code == 200:
        assert response.headers.getlist("Allow-Events") == ["dialog", "message-summary"]


async def test_without_media_calls_are_refused_but_not_lost(
    new_world: World, tmp_path: Path
) -> None:
    broken = MediaEngine(media_config(tmp_path))  # never started
    world = new_world
    world.media = broken
    async with running(world):
        world.faults_expected = True
        phone = await world.phone(ANN)
        customer = await world.customer_calls()
        assert (await customer.ended()).code == 503
        end = await world.ended()
        assert (end.status, end.sip_code) == (Status.MISSED, 503)
        call = await world.phone_calls(phone, CUSTOMER)
        assert (await call.ended()).code == 503
        assert (await world.ended(2)).status is Status.NOTAVAILABLE
        assert not phone.calls[:-1]
        assert len([e for e in world.logs if "media" in e["event"]]) == 1  # said once


async def test_media_that_dies_in_a_call_ends_both_legs(new_world: World, tmp_path: Path) -> None:
    media = MediaEngine(media_config(tmp_path))
    await media.start()
    world = new_world
    world.media = media
    async with running(world):
        phone = await world.phone(ANN)
        customer = await world.customer_calls()
        call = await phone.incoming()
        call.ring()
        await customer.ringing()
        await media.stop()
        await call.answer()
        assert (await call.ended()).cause == "bye"
        await customer.ended()
        await world.ended()


async def test_stop_tells_every_call_whatever_it_is_doing(world: World) -> None:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    eve = await world.phone(EVE)
    talk = await world.customer_calls()
    at_ann = await ann.incoming()
    await at_ann.answer()
    await talk.answered()
    waiting = await world.customer_calls(SALES)
    at_bob = await bob.incoming()
    at_bob.ring()
    await waiting.ringing()
    dialling = await world.phone_calls(eve, CUSTOMER)
    customer = await world.carrier.incoming()
    customer.ring()
    await dialling.ringing()
    await asyncio.gather(world.until(Answered), world.until(Ringing, 2), world.until(Dialing))
    assert len(world.service.active()) == 3
    began = asyncio.get_running_loop().time()
    await world.service.stop(90)
    assert asyncio.get_running_loop().time() - began < 30, "it did not use up its time"
    end = await world.ended(3)
    assert (await talk.ended()).cause == "bye"
    assert (await at_ann.ended()).cause == "bye"
    assert (await waiting.ended()).code == 503
    assert (await at_bob.ended()).cause == "cancel"
    assert (await dialling.ended()).code == 503
    assert (await customer.ended()).cause == "cancel"
    statuses = {e.status for e in world.of(type(end))}
    assert statuses == {Status.SUCCESS, Status.MISSED, Status.NOTAVAILABLE}
    assert world.service.active() == []
    late = await world.customer_calls()
    assert (await late.ended()).code == 503
    with pytest.raises(Invalid):
        await world.service.make_call(await world.domain(), phone=CUSTOMER, user=ANN)


async def test_active_calls_can_be_looked_at(world: World) -> None:
    phone = await world.phone(ANN)
    customer = await world.customer_calls()
    call = await phone.incoming()
    [seen] = world.service.active()
    assert (seen.info.client, seen.answered_at) == (CUSTOMER, None)
    await call.answer()
    await customer.answered()
    await world.until(Answered)
    [seen] = world.service.active()
    assert seen.user is not None
    assert seen.user.login == ANN
    assert seen.answered_at is not None
    customer.hangup()
    await world.ended()


async def test_a_mobile_rings_after_its_delay(world: World) -> None:
    domain = await world.domain()
    await world.directory.users.edit(
        domain,
        ANN,
        {"mobile": "79160000000", "mobile_redirect": {"enabled": True, "delay": 0}},
    )
    phone = await world.phone(ANN)
    customer = await world.customer_calls()
    call = await phone.incoming()
    call.ring()
    mobile = await world.carrier.incoming()
    assert mobile.session is not None
    assert mobile.session.request.uri.user == "79160000000"
    mobile.ring()
    await mobile.answer(880)
    await customer.heard(880)
    assert (await call.ended()).cause == "cancel"
    customer.hangup()
    end = await world.ended()
    assert world.story() == ["ringing ann", "answered ann", "completed ann"]
    assert end.status is Status.SUCCESS


async def test_only_the_mobile_rings_when_forwarded(world: World) -> None:
    domain = await world.domain()
    await world.directory.users.edit(
        domain,
        ANN,
        {"mobile": "79160000000", "mobile_redirect": {"enabled": True, "forward": True}},
    )
    phone = await world.phone(ANN)
    customer = await world.customer_calls()
    mobile = await world.carrier.incoming()
    mobile.reject(486)
    assert (await customer.ended()).code == 486
    assert not phone.calls
    await world.ended()
