"""Simulated user agents call each other: signalling, sound and events, without a PBX between."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from vpbx.sim import CallFailed, Carrier, answering, rejecting
from vpbx.sip import AudioCodec, Hop

NOWHERE = Hop("udp", "127.0.0.1", 9)


@pytest.fixture(params=["udp", "tcp"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Carrier, Carrier]]:
    """Two that know each other: the first calls, the second is called."""
    kind = request.param
    async with Carrier(NOWHERE, transport=kind) as called:
        pbx = Hop(kind, called.host, called.port)
        async with Carrier(pbx, transport=kind) as caller:
            yield caller, called


async def test_answered_call_is_heard_on_both_sides(pair: tuple[Carrier, Carrier]) -> None:
    caller, called = pair
    ours = await caller.call("74951234567", caller="79101112233", name="Anna", tone_hz=440)
    theirs = await called.incoming()
    assert theirs.caller == ("Anna", "79101112233")
    assert theirs.called == "74951234567"
    await ours.ringing()
    await theirs.answer(tone_hz=1000)
    await ours.answered()
    assert abs(await ours.heard(1000) - 1000) < 15
    assert abs(await theirs.heard(440) - 440) < 15
    ours.hangup()
    assert (await theirs.ended()).cause == "bye"


async def test_digits_are_heard(pair: tuple[Carrier, Carrier]) -> None:
    caller, called = pair
    called.behaviour = answering(600)
    ours = await caller.call("1")
    await ours.answered()
    await ours.heard(600)
    ours.dial("12#")
    await (await called.incoming()).heard_digits("12#")


async def test_refused_call_says_with_which_code(pair: tuple[Carrier, Carrier]) -> None:
    caller, called = pair
    called.behaviour = rejecting(486)
    ours = await caller.call("1")
    with pytest.raises(CallFailed, match="486") as failure:
        await ours.answered()
    assert failure.value.code == 486
    assert (await ours.ended()).code == 486


async def test_caller_gives_up_while_it_rings(pair: tuple[Carrier, Carrier]) -> None:
    caller, called = pair
    ours = await caller.call("1")
    theirs = await called.incoming()
    await ours.ringing()
    ours.hangup()
    assert (await theirs.ended()).cause == "cancel"


async def test_hold_and_resume_are_seen_by_the_other_side(pair: tuple[Carrier, Carrier]) -> None:
    caller, called = pair
    called.behaviour = answering(600)
    ours = await caller.call("1", tone_hz=440)
    await ours.answered()
    theirs = await called.incoming()
    assert await ours.hold() == 200
    assert await ours.resume() == 200
    assert theirs.directions == ["sendonly", "sendrecv"]
    await ours.heard(600)


async def test_early_media_is_heard_before_the_answer(pair: tuple[Carrier, Carrier]) -> None:
    caller, called = pair
    ours = await caller.call("1")
    theirs = await called.incoming()
    await theirs.early_media(425)
    await ours.heard(425)
    assert not ours.is_answered


async def test_delayed_offer_brings_sound_both_ways(pair: tuple[Carrier, Carrier]) -> None:
    caller, called = pair
    ours = await caller.call("1", tone_hz=440, offer=False)
    theirs = await called.incoming()
    await theirs.answer(tone_hz=1000)
    await ours.heard(1000)
    await theirs.heard(440)


async def test_nothing_in_common_is_refused_with_488() -> None:
    only_alaw, only_ulaw = (AudioCodec("PCMA", 8),), (AudioCodec("PCMU", 0),)
    async with Carrier(NOWHERE, codecs=only_alaw, behaviour=answering(600)) as called:
        pbx = Hop("udp", called.host, called.port)
        async with Carrier(pbx, codecs=only_ulaw) as caller:
            ours = await caller.call("1")
            with pytest.raises(CallFailed, match="488"):
                await ours.answered()


async def test_agent_that_stops_hangs_up() -> None:
    async with Carrier(NOWHERE, behaviour=answering(600)) as called:
        async with Carrier(Hop("udp", called.host, called.port)) as caller:
            await (await caller.call("1")).answered()
            theirs = await called.incoming()
        assert (await theirs.ended()).cause == "bye"


async def test_waiting_for_a_tone_that_is_not_there_says_what_was_heard(
    pair: tuple[Carrier, Carrier],
) -> None:
    caller, called = pair
    called.behaviour = answering(600)
    ours = await caller.call("1")
    await ours.answered()
    with pytest.raises(TimeoutError, match="600 Hz"):
        await ours.heard(1000, timeout_s=1.5)
