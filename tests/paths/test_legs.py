"""What history keeps of a call's legs: who was at each, and how their sound was."""

from __future__ import annotations

from tests.paths.scene import ANN, BOB, CUSTOMER, Scene
from tests.paths.test_call_events import refer
from vpbx.history import Browser, CallRow
from vpbx.legs import CallLeg

_PACKETS = 20


async def rows(scene: Scene, histories: int = 1) -> list[CallRow]:
    """Wait for the ends of calls; return their rows as the console reads them, oldest first."""
    await scene.crm.until(lambda: len(scene.crm.of("history")) >= histories)
    browser, domain = Browser(scene.app.database), await scene.domain()
    callids = sorted(command["callid"] for command in scene.crm.of("history"))
    found = [await browser.get(domain.id, callid, None) for callid in callids]
    return [row for row in found if row is not None]


async def legs(scene: Scene) -> dict[str, CallLeg]:
    [row] = await rows(scene)
    return {leg.who: leg for leg in row.legs}


async def test_both_legs_of_a_talk_are_kept_with_their_sound(scene: Scene) -> None:
    ann = await scene.phone(ANN)
    customer = await scene.customer(tone_hz=440)
    call = await ann.incoming()
    await call.answer(tone_hz=1000)
    await customer.answered()
    assert customer.rtp is not None
    assert call.rtp is not None
    await customer.rtp.hear(_PACKETS)
    await call.rtp.hear(_PACKETS)
    customer.hangup()
    found = await legs(scene)
    assert set(found) == {"Ann", CUSTOMER}
    assert (found["Ann"].login, found["Ann"].way) == (ANN, "")
    assert (found[CUSTOMER].login, found[CUSTOMER].way) == ("", f"trunk {scene.trunk('first')}")
    for leg in found.values():
        assert leg.codec == "PCMA"
        assert leg.received is not None
        assert leg.received.packets >= _PACKETS
        assert leg.received.lost == 0
        assert leg.received.jitter_ms is not None
        assert leg.received.mos > 3.5
        assert leg.sent is None, "these phones send no RTCP"
    [row] = await rows(scene)
    assert row.mos == round(100 * min(leg.received.mos for leg in found.values() if leg.received))


async def test_of_one_way_sound_it_is_seen_whose_is_missing(scene: Scene) -> None:
    ann = await scene.phone(ANN)
    customer = await scene.customer(tone_hz=440)
    call = await ann.incoming()
    await call.answer()
    await customer.answered()
    assert call.rtp is not None
    await call.rtp.hear(_PACKETS)
    customer.hangup()
    found = await legs(scene)
    assert found["Ann"].silent
    assert not found[CUSTOMER].silent


async def test_a_call_that_nobody_took_has_no_legs(scene: Scene) -> None:
    await scene.phone(ANN)
    customer = await scene.customer()
    await customer.ringing()
    customer.hangup()
    [row] = await rows(scene)
    assert (row.legs, row.mos) == ((), None)


async def test_each_chapter_of_a_transfer_has_the_legs_that_talked_in_it(scene: Scene) -> None:
    ann, bob = await scene.phone(ANN), await scene.phone(BOB)
    customer = await scene.customer(tone_hz=440)
    call = await ann.incoming()
    await call.answer(tone_hz=1000)
    await customer.answered()
    assert customer.rtp is not None
    await customer.rtp.hear(_PACKETS)
    await refer(call, f"<sip:703@{scene.name}>")
    taken = await bob.incoming()
    await taken.answer(tone_hz=700)
    await customer.rtp.hear(_PACKETS)
    assert taken.rtp is not None
    await taken.rtp.hear(2 * _PACKETS)
    customer.hangup()
    first, second = await rows(scene, 2)
    assert {leg.who for leg in first.legs} == {"Ann", CUSTOMER}
    assert {leg.who for leg in second.legs} == {"Bob", CUSTOMER}
    for row in (first, second):
        assert all(leg.received is not None and leg.received.lost == 0 for leg in row.legs)
