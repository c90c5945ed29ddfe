"""The message waiting lamp (RFC 3842), with real SIP and real mailboxes."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from tests.calls.conftest import running
from tests.calls.world import ANN, BOB, CUSTOMER, DOMAIN, EVE, PASSWORD, World
from tests.support.watcher import Make, Watcher
from vpbx.calls.config import SubscriptionLimits
from vpbx.events import CallInfo, Direction, MessageLeft

MWI = "message-summary"
_callids = count(1_700_000_000_000_000)


async def leave_message(world: World, *boxes: str) -> None:
    """Publish what a call publishes when somebody has spoken after the tone."""
    domain = await world.domain()
    callid = str(next(_callids))
    call = CallInfo(callid, domain.id, DOMAIN, Direction.IN, 1_700_000_000.0, CUSTOMER)
    world.bus.publish(MessageLeft(call, 1_700_000_010.0, boxes, CUSTOMER, "", 10))


async def counts(phone: Watcher) -> str:
    """The next NOTIFY's counts; the lamp is on when there are new ones."""
    told = await phone.told()
    assert told.request.headers["Content-Type"] == "application/simple-message-summary"
    lines = dict(line.split(": ") for line in told.body.splitlines())
    assert lines["Message-Account"] == f"sip:*97@{DOMAIN}"
    new = int(lines["Voice-Message"].partition("/")[0])
    assert lines["Messages-Waiting"] == ("yes" if new else "no")
    return lines["Voice-Message"]


async def test_the_lamp_follows_the_mailbox(world: World, phone_of: Make) -> None:
    phone = await phone_of(ANN, listed=False)
    subscribed = await phone.subscribe(ANN, MWI, expires_s=3600)
    assert subscribed.code == 200
    assert subscribed.response.headers["Expires"] == "1800"
    assert await counts(phone) == "0/0 (0/0)"
    domain = await world.domain()
    await leave_message(world, ANN)
    assert await counts(phone) == "1/0 (0/0)"
    await leave_message(world, ANN, BOB)
    assert await counts(phone) == "2/0 (0/0)"
    first, second = await world.boxes.messages(domain.id, ANN)
    world.boxes.hear(domain.id, ANN, first.id)
    assert await counts(phone) == "1/1 (0/0)"
    world.boxes.delete(domain.id, ANN, first.id)
    assert await counts(phone) == "1/0 (0/0)"
    world.boxes.delete(domain.id, ANN, second.id)
    assert await counts(phone) == "0/0 (0/0)"
    assert phone.notifies.empty()


async def test_what_lies_there_already_is_told_at_once(world: World, phone_of: Make) -> None:
    await leave_message(world, ANN)
    domain = await world.domain()
    await world.boxes.messages(domain.id, ANN)  # it is written
    phone = await phone_of(ANN, listed=False)
    await phone.subscribe("702", MWI)
    assert await counts(phone) == "1/0 (0/0)"


async def test_phones_that_subscribe_at_the_same_moment_are_all_told(
    world: World, phone_of: Make
) -> None:
    phones = [await phone_of(ANN, listed=False) for _ in range(5)]
    made = await asyncio.gather(*(phone.subscribe("", MWI) for phone in phones))
    assert [each.code for each in made] == [200] * 5
    for phone in phones:
        assert await counts(phone) == "0/0 (0/0)"


async def test_a_message_left_while_a_phone_subscribes_is_not_missed(
    world: World, phone_of: Make
) -> None:
    phone = await phone_of(ANN, listed=False)
    await leave_message(world, ANN)
    await phone.subscribe(ANN, MWI)
    async with asyncio.timeout(20):
        while await counts(phone) != "1/0 (0/0)":
            pass


async def test_a_phone_that_does_not_renew_is_told_the_end_and_no_more(new_world: World) -> None:
    """Another one of theirs goes on; one that comes again is told how it stands by then."""
    async with running(new_world, subscriptions=SubscriptionLimits(min_expires_s=1)):
        phones = [await Watcher(ANN, new_world.hop(), DOMAIN, PASSWORD).start() for _ in range(2)]
        gone, stays = phones
        try:
            for phone, lasts_s in ((gone, 1), (stays, 60)):
                made = await phone.subscribe(ANN, MWI, expires_s=lasts_s)
                assert (made.code, made.response.headers["Expires"]) == (200, str(lasts_s))
                assert await counts(phone) == "0/0 (0/0)"
            end = await gone.told()
            assert end.state == "terminated;reason=timeout"
            await leave_message(new_world, ANN)
            assert await counts(stays) == "1/0 (0/0)"
            assert gone.notifies.empty()
            assert (await gone.subscribe(ANN, MWI, expires_s=60)).code == 200
            assert await counts(gone) == "1/0 (0/0)"
        finally:
            for phone in phones:
                phone.close()


async def test_all_phones_of_an_employee_are_told_and_no_other(
    world: World, phone_of: Make
) -> None:
    phones = [await phone_of(ANN, listed=False) for _ in range(2)]
    bob = await phone_of(BOB, listed=False)
    for phone in (*phones, bob):
        await phone.subscribe("", MWI)
        assert await counts(phone) == "0/0 (0/0)"
    await leave_message(world, ANN)
    for phone in phones:
        assert await counts(phone) == "1/0 (0/0)"
    await leave_message(world, BOB)
    assert await counts(bob) == "1/0 (0/0)"
    assert all(phone.notifies.empty() for phone in phones)


@pytest.mark.parametrize("resource", ["", "ann", "ANN", "702", "*97", "%2A97"])
async def test_ways_to_name_ones_own_mailbox(world: World, phone_of: Make, resource: str) -> None:
    phone = await phone_of(ANN, listed=False)
    assert (await phone.subscribe(resource, MWI)).code == 200


@pytest.mark.parametrize(("resource", "code"), [("bob", 403), ("703", 403), ("799", 404)])
async def test_nobody_looks_into_a_colleagues_mailbox(
    world: World, phone_of: Make, resource: str, code: int
) -> None:
    """Not who is on the BLF list, either."""
    phone = await phone_of(EVE)
    assert (await phone.subscribe(resource, MWI)).code == code
    await leave_message(world, BOB)
    assert phone.notifies.empty()


async def test_a_phone_that_has_not_subscribed_is_told_nothing(
    world: World, phone_of: Make
) -> None:
    """No unsolicited NOTIFY: many phones answer those with an error, or take them from anybody."""
    raw = await world.raw_phone(ANN)
    await leave_message(world, ANN)
    domain = await world.domain()
    await world.boxes.messages(domain.id, ANN)
    await asyncio.sleep(0.05)
    assert raw.received.empty()


async def test_one_phone_has_both_lamp_and_keys(world: World, phone_of: Make) -> None:
    phone = await phone_of(EVE)
    lamp = await phone.subscribe("", MWI)
    assert await counts(phone) == "0/0 (0/0)"
    assert (await phone.subscribe("702")).code == 200
    assert (await phone.told()).request.headers["Event"] == "dialog"
    await phone.again(lamp, 0)
    assert (await phone.told()).state == "terminated;reason=timeout"
    await leave_message(world, EVE)
    await world.phone(ANN)
    told = await phone.told()
    assert told.request.headers["Event"] == "dialog"
    assert told.online
    assert phone.notifies.empty()
