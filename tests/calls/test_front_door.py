"""What an outside caller meets before anybody is rung: black list, numbers off, greetings."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.calls.world import ANN, CUSTOMER, OFFICE, SALES, World
from vpbx.directory import Contact, DomainConfig
from vpbx.events import CallEnded, CallStarted, Destination, Status
from vpbx.media import convert_upload


@pytest.mark.parametrize("entry", [CUSTOMER, "7910123*", "7*"])
async def test_who_is_on_the_black_list_is_refused_and_counted(world: World, entry: str) -> None:
    domain = await world.domain()
    await world.directory.blacklist.add(domain, [{"telnum": entry, "comment": "rude"}])
    ann = await world.phone(ANN)
    for _ in range(2):
        assert (await (await world.customer_calls()).ended()).code == 603
    assert not ann.calls
    assert world.events == []
    await world.directory.writer.flush()
    [counted] = await world.directory.blacklist.list(domain, statistics=True)
    assert (counted.telnum, counted.week, counted.year) == (entry, 2, 2)
    said = [line for line in world.logs if "black list" in line["event"]]
    assert len(said) == 2
    assert said[0]["client"] == CUSTOMER


async def test_who_is_not_on_it_passes(world: World) -> None:
    domain = await world.domain()
    await world.directory.blacklist.add(domain, [{"telnum": "7910124*"}, {"telnum": "791012345"}])
    ann = await world.phone(ANN)
    customer = await world.customer_calls()
    await ann.incoming()
    customer.hangup()
    await world.ended()


async def test_anonymous_callers_are_refused_where_the_company_wants_that(world: World) -> None:
    ann = await world.phone(ANN)
    hidden = '"Anonymous" <sip:anonymous@anonymous.invalid>'
    customer = await world.customer_calls(from_=hidden)
    await ann.incoming()
    customer.hangup()
    await world.ended()
    await world.directory.blacklist.set_block_anonymous(await world.domain(), True)
    assert (await (await world.customer_calls(from_=hidden)).ended()).code == 603
    assert len(ann.calls) == 1


async def greeted(world: World, telnum: str = OFFICE, **more: object) -> None:
    route = {"type": "user", "user": ANN} if telnum == OFFICE else {"type": "group"}
    if telnum == SALES:
        route["group"] = world.group_id
    await world.directory.telnums.edit(
        await world.domain(), telnum, {**route, "greeting": True, **more}
    )


async def test_a_greeting_is_heard_before_anybody_is_rung(world: World) -> None:
    await greeted(world)
    ann = await world.phone(ANN)
    customer = await world.customer_calls(tone_hz=440)
    await customer.answered()
    assert customer.rtp is not None
    await customer.rtp.hear(50)
    assert not ann.calls
    call = await ann.incoming(timeout_s=20)
    await call.answer(880)
    await asyncio.gather(customer.heard(880), call.heard(440))
    customer.hangup()
    end = await world.ended()
    assert (end.status, end.destination) == (Status.SUCCESS, Destination.USER)


@pytest.mark.parametrize(("telnum", "account"), [(OFFICE, ANN), (SALES, "")])
async def test_who_hangs_up_in_the_greeting_ended_there(
    world: World, telnum: str, account: str
) -> None:
    await greeted(world, telnum)
    ann = await world.phone(ANN)
    customer = await world.customer_calls(telnum)
    await customer.answered()
    customer.hangup()
    end = await world.ended()
    assert (end.status, end.destination) == (Status.MISSED, Destination.HELLO)
    assert end.account == account or world.group_id
    assert end.user is not None
    assert end.user.login == ANN
    assert world.story() == []
    assert not ann.calls


async def test_a_companys_own_greeting_is_heard(world: World, tmp_path: Path) -> None:
    source = tmp_path / "tone.wav"
    _write_tone(source, 700, seconds=3)
    domain = await world.domain()
    path = f"{domain.id}/own"
    target = world.folder / "media" / path
    target.parent.mkdir(parents=True)
    await convert_upload(source, target, max_s=30)
    file = await world.directory.media.add(domain, "Hello", "greeting", path)
    await greeted(world, greeting_custom=True, greeting_file=file.id)
    ann = await world.phone(ANN)
    customer = await world.customer_calls()
    await customer.answered()
    await customer.heard(700)
    await ann.incoming(timeout_s=20)
    customer.hangup()
    await world.ended()


async def test_the_crm_is_asked_while_the_greeting_is_heard(world: World) -> None:
    asked = asyncio.Event()

    async def contact(domain: DomainConfig, phone: str) -> Contact:
        asked.set()
        return Contact("Anna Customer")

    await world.crm(contact)
    await greeted(world)
    ann = await world.phone(ANN)
    customer = await world.customer_calls()
    await customer.answered()
    await asyncio.wait_for(asked.wait(), 20)
    call = await ann.incoming(timeout_s=20)
    assert call.session is not None
    assert call.session.from_.name == "Anna Customer"
    customer.hangup()
    await world.ended()


@pytest.mark.parametrize("what", ["number", "domain"])
async def test_a_number_or_company_that_is_off_takes_nothing(world: World, what: str) -> None:
    ann = await world.phone(ANN)
    if what == "number":
        await world.directory.telnums.set_enabled(await world.domain(), OFFICE, False)
    else:
        await world.settings(enabled=False)
    assert (await (await world.customer_calls()).ended()).code == 480
    assert not ann.calls
    assert world.events == []


def _write_tone(file: Path, hz: float, *, seconds: float) -> None:
    import math
    import wave

    rate = 8000
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        samples = (
            int(12_000 * math.sin(2 * math.pi * hz * n / rate)) for n in range(int(rate * seconds))
        )
        out.writeframes(b"".join(value.to_bytes(2, "little", signed=True) for value in samples))


async def test_a_caller_who_lets_us_offer_is_greeted_too(world: World) -> None:
    """An INVITE without a description: theirs comes with the ACK (RFC 3261 §13.2.1)."""
    await greeted(world)
    ann = await world.phone(ANN)
    customer = await world.customer_calls(offer=False, tone_hz=440)
    await customer.answered()
    assert customer.rtp is not None
    await customer.rtp.hear(50)
    call = await ann.incoming(timeout_s=20)
    await call.answer(880)
    await asyncio.gather(customer.heard(880), call.heard(440))
    customer.hangup()
    assert (await world.ended()).status is Status.SUCCESS


async def test_a_greeting_whose_file_is_gone_holds_nobody_up(world: World) -> None:
    domain = await world.domain()
    file = await world.directory.media.add(domain, "Hello", "greeting", f"{domain.id}/gone")
    await greeted(world, greeting_custom=True, greeting_file=file.id)
    ann = await world.phone(ANN)
    customer = await world.customer_calls()
    await (await ann.incoming(timeout_s=20)).answer(880)
    await customer.heard(880)
    customer.hangup()
    assert (await world.ended()).status is Status.SUCCESS


async def test_a_caller_who_gives_up_as_the_greeting_is_about_to_begin(world: World) -> None:
    """CANCEL and 200 cross: whichever wins, there is one end, and nothing is left."""
    await greeted(world)
    for _ in range(5):
        customer = await world.customer_calls()
        customer.hangup()
    async with asyncio.timeout(20):
        while len(world.of(CallEnded)) < len(world.of(CallStarted)):
            await asyncio.sleep(0.02)
    assert {end.destination for end in world.of(CallEnded)} <= {Destination.HELLO}
    await world.quiet()
