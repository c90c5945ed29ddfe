"""A supervisor at a talk: who hears whom, measured; and that the talk goes on unharmed."""

from __future__ import annotations

import asyncio
import socket
from array import array
from typing import Any

import pytest

from tests.calls.test_transfer import refer
from tests.calls.world import ANN, BOB, CUSTOMER, EVE, SALES, World
from tests.support.sockets import udp_ports
from vpbx.calls import Mode
from vpbx.directory import Invalid
from vpbx.events import CallEnded, RecordingReady
from vpbx.media import g711
from vpbx.media.rtp import Packet, goertzel, tone_frames
from vpbx.media.timeline import runs
from vpbx.sim.call import Call
from vpbx.sip import AudioCodec

CUSTOMER_HZ, ANN_HZ, EVE_HZ, STRANGER_HZ = 440, 880, 660, 1230
EVERYBODY = {CUSTOMER_HZ, ANN_HZ, EVE_HZ}
EVENTS = AudioCodec("telephone-event", 101, fmtp="0-15")
MULAW = (AudioCodec("PCMU", 0), EVENTS)


async def hears(call: Call, *tones: int) -> None:
    """Wait until a quarter of a second of exactly these tones is what is heard."""
    found: dict[int, float] = {}
    try:
        async with asyncio.timeout(30):
            while True:
                assert call.rtp is not None
                await call.rtp.hear(10, 30)
                found = {hz: goertzel(call.rtp.pcm(0.25), hz) for hz in EVERYBODY}
                if all(
                    (share > 0.15) if hz in tones else (share < 0.02) for hz, share in found.items()
                ):
                    return
    except TimeoutError:
        raise AssertionError(f"not {tones} but {found}") from None


async def head(world: World, login: str = EVE) -> None:
    await world.directory.users.edit(await world.domain(), login, {"role": "group_head"})


async def admin(world: World) -> None:
    await world.directory.users.edit(await world.domain(), EVE, {"role": "admin"})


async def talking(world: World, **options: Any) -> tuple[Call, Call]:
    """A customer talks to ann."""
    phone = await world.phone(ANN, **options)
    customer = await world.customer_calls(SALES, tone_hz=CUSTOMER_HZ)
    at_ann = await phone.incoming()
    await at_ann.answer(ANN_HZ)
    await asyncio.gather(hears(customer, ANN_HZ), hears(at_ann, CUSTOMER_HZ))
    return at_ann, customer


async def begin(world: World, mode: Mode = Mode.LISTEN, *, user: str = EVE) -> str:
    callid = next(call for call in world.service.active() if not call.supervises).info.callid
    begun = await world.service.supervisors.begin(
        await world.domain(), callid, user=user, mode=mode
    )
    assert begun is not None
    return begun


async def at_it(world: World, mode: Mode = Mode.LISTEN) -> tuple[Call, Call, Call]:
    """Eve is at the talk of ann and a customer."""
    await admin(world)
    eve = await world.phone(EVE)
    at_ann, customer = await talking(world)
    await begin(world, mode)
    at_eve = await eve.incoming()
    await at_eve.answer(EVE_HZ)
    return at_eve, at_ann, customer


async def alone(at_ann: Call, customer: Call) -> None:
    """The two talk to each other as if nobody had been there."""
    await asyncio.gather(hears(customer, ANN_HZ), hears(at_ann, CUSTOMER_HZ))


async def test_who_hears_whom_in_each_mode(world: World) -> None:
    at_eve, at_ann, customer = await at_it(world)
    told: list[str] = []

    async def note(domain_id: int, login: str, what: str) -> None:
        told.append(what.partition(",")[0])

    world.service.supervisors.told = note
    await asyncio.gather(hears(at_eve, CUSTOMER_HZ, ANN_HZ), alone(at_ann, customer))
    await begin(world, Mode.WHISPER)
    await asyncio.gather(
        hears(at_eve, CUSTOMER_HZ, ANN_HZ),
        hears(at_ann, CUSTOMER_HZ, EVE_HZ),
        hears(customer, ANN_HZ),
    )
    at_eve.dial("3")
    await asyncio.gather(
        hears(at_eve, CUSTOMER_HZ, ANN_HZ),
        hears(at_ann, CUSTOMER_HZ, EVE_HZ),
        hears(customer, ANN_HZ, EVE_HZ),
    )
    at_eve.dial("1")
    await asyncio.gather(hears(at_eve, CUSTOMER_HZ, ANN_HZ), alone(at_ann, customer))
    at_eve.hangup()
    await world.until(CallEnded)
    await alone(at_ann, customer)
    assert told == [
        "whisper: Eve (eve) at Ann (ann)",
        "barge: Eve (eve) at Ann (ann)",
        "listen: Eve (eve) at Ann (ann)",
    ]
    assert not at_ann.directions
    assert not customer.directions  # neither phone was bothered
    customer.hangup()
    await world.ended(2)
    await world.quiet()


async def test_a_stranger_who_sprays_every_port_is_heard_by_nobody(world: World) -> None:
    at_eve, at_ann, customer = await at_it(world, Mode.BARGE)
    calls = at_eve, at_ann, customer
    await hears(customer, ANN_HZ, EVE_HZ)
    phones = {call.rtp.local[1] for call in calls if call.rtp is not None}
    ports, frames = udp_ports() - phones, tone_frames(STRANGER_HZ)
    loudest = 0.0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        for number in range(75):
            packet = Packet(8, number, 160 * number, 0x5151, frames[number % len(frames)])
            for port in ports:
                stranger.sendto(bytes(packet), ("127.0.0.1", port))
            await asyncio.sleep(0.02)
            heard = [goertzel(call.rtp.pcm(0.1), STRANGER_HZ) for call in calls if call.rtp]
            loudest = max(loudest, *heard)
    assert loudest < 0.05
    await asyncio.gather(
        hears(at_eve, CUSTOMER_HZ, ANN_HZ),
        hears(at_ann, CUSTOMER_HZ, EVE_HZ),
        hears(customer, ANN_HZ, EVE_HZ),
    )


async def test_digits_of_both_go_through_what_is_barged_into(world: World) -> None:
    at_eve, at_ann, customer = await at_it(world, Mode.BARGE)
    await hears(customer, ANN_HZ, EVE_HZ)
    at_ann.dial("42")
    await customer.heard_digits("42")
    customer.dial("7")
    await at_ann.heard_digits("7")
    await hears(customer, ANN_HZ, EVE_HZ)
    customer.hangup()
    await asyncio.gather(at_ann.ended(), at_eve.ended())
    await world.ended(2)
    await world.quiet()


async def test_another_law_and_a_caller_inside(world: World) -> None:
    """An inner call, its caller speaks µ-law: whom is spoken to is who was called."""
    await admin(world)
    eve, ann = await world.phone(EVE), await world.phone(ANN, codecs=MULAW)
    bob = await world.phone(BOB, codecs=MULAW)
    by_bob = await world.phone_calls(bob, "702", tone_hz=CUSTOMER_HZ)
    at_ann = await ann.incoming()
    await at_ann.answer(ANN_HZ)
    await alone(at_ann, by_bob)
    await begin(world, Mode.WHISPER)
    at_eve = await eve.incoming()
    await at_eve.answer(EVE_HZ)
    await asyncio.gather(
        hears(at_eve, CUSTOMER_HZ, ANN_HZ),
        hears(at_ann, CUSTOMER_HZ, EVE_HZ),
        hears(by_bob, ANN_HZ),
    )
    by_bob.hangup()
    await at_eve.ended()
    await world.ended(2)


@pytest.mark.parametrize("mode", [Mode.WHISPER, Mode.BARGE])
async def test_what_is_whispered_is_not_recorded_and_what_is_barged_in_is(
    world: World, mode: Mode
) -> None:
    await world.settings(record_external=True)
    _, at_ann, customer = await at_it(world, mode)
    await hears(at_ann, CUSTOMER_HZ, EVE_HZ)
    await asyncio.sleep(0.5)  # so much is measured below
    customer.hangup()
    await world.ended(2)
    await world.until(RecordingReady)
    [(recording, _, _)] = world.encoder.jobs
    theirs, anns = (
        array("h", [s for run in side for p in run.payloads for s in g711.decode(g711.PCMA, p)])
        for side in runs(recording.files, {})
    )
    assert goertzel(theirs[-3000:-600], CUSTOMER_HZ) > 0.9
    assert goertzel(anns[-3000:-600], ANN_HZ) > 0.3
    assert (goertzel(anns[-3000:-600], EVE_HZ) > 0.15) is (mode is Mode.BARGE)


@pytest.mark.parametrize("how", ["refuses", "does not answer", "talk ends first"])
async def test_a_supervisor_who_never_comes_harms_nothing(world: World, how: str) -> None:
    await admin(world)
    eve = await world.phone(EVE)
    at_ann, customer = await talking(world)
    await begin(world)
    at_eve = await eve.incoming()
    if how == "refuses":
        at_eve.reject(603)
    elif how == "does not answer":
        callid = next(call for call in world.service.active() if call.supervises).info.callid
        world.service.hang_up((await world.domain()).name, callid)
        await at_eve.ended()
    else:
        at_ann.hangup()
        await at_eve.ended()
        await world.ended(2)
        return
    await world.until(CallEnded)
    await alone(at_ann, customer)
    await begin(world)  # and may be tried again
    await (await eve.incoming()).answer(EVE_HZ)
    customer.hangup()
    await world.ended(3)
    await world.quiet()


@pytest.mark.parametrize("mode", list(Mode))
async def test_a_talk_that_is_passed_on_is_not_listened_to_any_more(
    world: World, mode: Mode
) -> None:
    at_eve, at_ann, customer = await at_it(world, mode)
    bob = await world.phone(BOB)
    await hears(at_eve, CUSTOMER_HZ, ANN_HZ)
    assert await refer(at_ann, "<sip:703@acme.example>") == 202
    at_bob = await bob.incoming()
    await at_eve.ended()
    await at_bob.answer(EVE_HZ)
    await asyncio.gather(customer.heard(EVE_HZ), at_bob.heard(CUSTOMER_HZ))
    customer.hangup()
    await world.ended(3)
    await world.quiet()


async def test_hold_and_another_address_amid_it(world: World) -> None:
    at_eve, at_ann, customer = await at_it(world, Mode.BARGE)
    await hears(customer, ANN_HZ, EVE_HZ)
    assert await at_ann.hold() == 200
    await world_music(customer)
    assert await at_ann.resume() == 200
    await asyncio.gather(hears(customer, ANN_HZ, EVE_HZ), hears(at_ann, CUSTOMER_HZ, EVE_HZ))
    old, at_ann.rtp = at_ann.rtp, None
    await at_ann.open_sound()
    at_ann.say(ANN_HZ)
    assert await at_ann.resume() == 200
    assert old is not None
    old.close()
    await asyncio.gather(hears(customer, ANN_HZ, EVE_HZ), hears(at_ann, CUSTOMER_HZ, EVE_HZ))
    at_eve.hangup()
    await world.until(CallEnded)
    await alone(at_ann, customer)
    customer.hangup()
    await world.ended(2)


async def world_music(call: Call) -> None:
    """Neither of the two is heard."""
    await hears(call)


async def test_roles_say_who_may(world: World) -> None:
    await world.phone(EVE)
    _, customer = await talking(world)
    domain = await world.domain()
    callid = world.service.active()[0].info.callid
    begin_ = world.service.supervisors.begin

    async def refused(user: str) -> str:
        with pytest.raises(Invalid) as error:
            await begin_(domain, callid, user=user)
        return str(error.value.errors)

    assert "only administrators" in await refused(EVE)
    assert "no such employee" in await refused("nobody")
    await head(world)
    domain = await world.domain()
    assert "role" in await refused(EVE)  # a head of no department of ann's
    await head(world, BOB)
    domain = await world.domain()
    assert "no registered device" in await refused(BOB)  # may, but has no phone
    await head(world, ANN)
    domain = await world.domain()
    assert "themselves" in await refused(ANN)
    assert await begin_(domain, "1", user=BOB) is None
    other = (await world.directory.companies.add("globex.example", "Europe/Moscow")).domain
    assert await begin_(other, callid, user="admin") is None
    bob = await world.phone(BOB)
    await begin_(domain, callid, user=BOB)
    await (await bob.incoming()).answer(EVE_HZ)
    await admin(world)
    domain = await world.domain()
    with pytest.raises(Invalid, match="Bob listens"):
        await begin_(domain, callid, user=EVE)
    customer.hangup()
    await world.ended(2)


async def test_a_ringing_call_is_taken_by_click(world: World) -> None:
    await admin(world)
    ann, eve = await world.phone(ANN), await world.phone(EVE)
    await world.directory.users.edit(await world.domain(), EVE, {"receive_calls": False})
    customer = await world.customer_calls(SALES, tone_hz=CUSTOMER_HZ)
    at_ann = await ann.incoming()
    at_ann.ring()
    await customer.ringing()
    domain = await world.domain()
    callid = world.service.active()[0].info.callid
    take = world.service.supervisors.take_ringing
    with pytest.raises(Invalid, match="only administrators"):
        take(domain, callid, user=BOB)
    assert take(domain, callid, user=EVE)
    assert take(domain, callid, user=EVE)  # twice: once
    at_eve = await eve.incoming()
    assert at_eve.caller[1] == CUSTOMER
    await at_eve.answer(EVE_HZ)
    await asyncio.gather(hears(customer, EVE_HZ), hears(at_eve, CUSTOMER_HZ), at_ann.ended())
    with pytest.raises(Invalid, match="does not ring"):
        take(domain, callid, user=EVE)
    customer.hangup()
    end = await world.ended()
    assert end.account == EVE
    await world.quiet()
