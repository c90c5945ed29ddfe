"""What changes, or fails, while a call rings or talks: settings, registrations, trunks, disks."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.calls.conftest import running
from tests.calls.world import ANN, BOB, DOMAIN, EVE, OFFICE, SALES, Agent, World, media_config
from vpbx.app.outlet import Sieve
from vpbx.directory import Directory, Secrets
from vpbx.events import Answered, CallEnded, Destination, RingEnded, Ringing, Status
from vpbx.media import MediaEngine
from vpbx.sim.call import Call, CallFailed

WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
OPEN, CLOSED = {"start": 0, "end": 86_400}, {"holiday": True}


async def rings(phone: Agent) -> Call:
    call = await phone.incoming()
    call.ring()
    return call


async def talking(world: World, phone: Agent, number: str = OFFICE) -> tuple[Call, Call]:
    """A customer (440 Hz) talks to `phone` (880 Hz): both sides, the customer's first."""
    customer = await world.customer_calls(number, tone_hz=440)
    call = await phone.incoming()
    await call.answer(880)
    await customer.answered()
    await hear_each_other(customer, call)
    return customer, call


async def hear_each_other(customer: Call, call: Call) -> None:
    for side in (customer, call):
        assert side.rtp is not None
        side.rtp.forget()
    await asyncio.gather(customer.heard(880), call.heard(440))


async def set_hours(world: World, hours: dict[str, Any]) -> None:
    await world.directory.telnums.edit(
        await world.domain(),
        OFFICE,
        {
            "type": "scheduler",
            "greeting": False,
            "work": {"subtype": "user", "user": ANN},
            "other": {"subtype": "user", "user": EVE},
            "schedule": dict.fromkeys(WEEK, hours),
        },
    )


# -- while it rings -------------------------------------------------------------------------------


async def test_an_employee_deleted_while_their_number_rings_hands_the_call_on(
    world: World,
) -> None:
    """To who takes the calls of whoever is deleted: the first administrator."""
    ann = await world.phone(ANN)
    admin = await world.phone((await world.domain()).first_admin().login)
    customer = await world.customer_calls()
    at_ann = await rings(ann)
    await world.until(Ringing)
    await world.directory.writer.flush()
    await world.directory.users.delete(await world.domain(), ANN)
    await (await rings(admin)).answer()
    assert (await at_ann.ended()).cause == "cancel"
    await customer.answered()
    customer.hangup()
    end = await world.ended()
    assert (end.status, end.account) == (Status.SUCCESS, admin.name)
    assert world.story()[:2] == [f"ringing {ANN}", f"ring ended {ANN}"]


async def test_dnd_switched_on_while_ones_own_number_rings_ends_the_ringing(world: World) -> None:
    ann = await world.phone(ANN)
    customer = await world.customer_calls()
    at_ann = await rings(ann)
    await world.until(Ringing)
    await world.directory.users.set_dnd(await world.domain(), ANN, False)
    assert (await at_ann.ended()).cause == "cancel"
    assert (await customer.ended()).code == 480
    assert (await world.ended()).status is Status.MISSED


@pytest.mark.parametrize("called", [OFFICE, SALES])
async def test_what_another_process_sets_while_it_rings_is_followed(
    world: World, called: str
) -> None:
    ann = await world.phone(ANN)
    await world.customer_calls(called)
    at_ann = await rings(ann)
    await world.until(Ringing)
    secrets = Secrets.from_file(world.folder / "secret.key")
    command = Directory(world.database, secrets=secrets)
    await command.start()
    domain = await command.domain(DOMAIN)
    assert domain is not None
    await command.users.set_dnd(domain, ANN, False)
    await command.stop()
    assert (await at_ann.ended()).cause == "cancel"


async def test_dnd_does_not_stop_the_call_that_one_has_asked_for(world: World) -> None:
    """Who clicks to call is rung though they receive no calls."""
    ann = await world.phone(ANN)
    domain = await world.domain()
    await world.directory.users.set_dnd(domain, ANN, False)
    await world.service.make_call(await world.domain(), phone="79260000001", user=ANN)
    at_ann = await rings(ann)
    await asyncio.sleep(1.3)  # it was looked by now whether they are still to be rung
    assert not at_ann.is_over
    await at_ann.answer(880)
    customer = await world.carrier.incoming()
    await customer.answer(440)
    await customer.heard(880)
    customer.hangup()
    await world.ended()


async def test_a_member_who_leaves_the_department_while_it_rings_is_stopped(world: World) -> None:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    customer = await world.customer_calls(SALES)
    at_ann, at_bob = await rings(ann), await rings(bob)
    await world.until(Ringing, 2)
    await world.directory.writer.flush()
    await world.directory.groups.change_users(
        await world.domain(), world.group_id, {"remove": [ANN]}
    )
    assert (await at_ann.ended()).cause == "cancel"
    await world.until(RingEnded)
    assert not at_bob.is_over
    await at_bob.answer()
    await customer.answered()
    customer.hangup()
    assert (await world.ended()).account == BOB


async def test_a_call_that_rings_as_the_hours_change_rings_on_and_the_next_goes_elsewhere(
    world: World,
) -> None:
    await set_hours(world, OPEN)
    ann, eve = await world.phone(ANN), await world.phone(EVE)
    first = await world.customer_calls()
    at_ann = await rings(ann)
    await world.until(Ringing)
    await world.directory.writer.flush()
    await set_hours(world, CLOSED)
    second = await world.customer_calls(caller="79260000003")
    await (await rings(eve)).answer()
    await second.answered()
    assert not at_ann.is_over
    await at_ann.answer()
    await first.answered()
    for customer in (first, second):
        customer.hangup()
    await world.ended(2)
    taken = {event.user.login: event.call.client for event in world.of(Answered)}
    assert taken == {ANN: "79101234567", EVE: "79260000003"}
    assert {end.destination for end in world.of(CallEnded)} == {Destination.USER}


# -- while they talk ------------------------------------------------------------------------------


async def test_a_phone_whose_registration_is_lost_goes_on_talking(world: World) -> None:
    ann = await world.phone(ANN)
    customer, call = await talking(world, ann)
    gone = [("Contact", "*"), ("Expires", "0")]
    assert (await world.register(ann, headers=gone)).code == 200
    await hear_each_other(customer, call)
    second = await world.customer_calls(caller="79260000003")
    assert (await second.ended()).code in (480, 486)
    customer.hangup()
    assert (await call.ended()).cause == "bye"
    await world.ended(2)
    await world.quiet()


async def test_a_trunk_that_dies_amid_a_call_lets_the_employee_go_at_once(world: World) -> None:
    ann = await world.phone(ANN)
    customer, call = await talking(world, ann)
    await world.carrier.stack.layer.stop()  # without a word: its machine is gone
    call.hangup()
    end = await world.ended()
    assert (end.status, end.account) == (Status.SUCCESS, ANN)
    second = await world.second_trunk()
    await world.service.make_call(await world.domain(), phone="79260000001", user=ANN)
    await (await ann.incoming()).answer(880)
    reached = await second.incoming()
    await reached.answer(440)
    await reached.heard(880)
    reached.hangup()
    assert (await world.ended(2)).status is Status.SUCCESS
    with pytest.raises(CallFailed):
        await customer.resume()


async def test_what_a_call_goes_through_may_be_deleted_while_they_talk(world: World) -> None:
    """The trunk, the number, the employee: who talks, talks on; the row says how it was."""
    ann = await world.phone(ANN)
    customer, call = await talking(world, ann)
    domain = await world.domain()
    await world.directory.trunk_rules.delete("carrier")
    await world.directory.telnums.delete(domain, OFFICE)
    await world.directory.users.delete(domain, ANN)
    await hear_each_other(customer, call)
    customer.hangup()
    assert (await call.ended()).cause == "bye"
    end = await world.ended()
    assert (end.status, end.account, end.call.diversion) == (Status.SUCCESS, ANN, OFFICE)


# -- a full disk ----------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of a megabyte and a half, where we may make one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1536k", "tmpfs", str(folder)]
    made = subprocess.run(mount, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no file system can be made: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> Path:
    full = disk / "full"
    with full.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return full


async def test_a_disk_that_gets_full_amid_a_recording_costs_no_call_its_sound(
    new_world: World, small_disk: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    world = new_world
    media = MediaEngine(media_config(small_disk))
    await media.start()
    try:
        world.media = media
        async with running(world):
            ann = await world.phone(ANN)
            customer, call = await talking(world, ann)
            full = fill(small_disk)
            for _ in range(5):
                await asyncio.sleep(0.5)
                await hear_each_other(customer, call)
            customer.hangup()
            assert (await call.ended()).cause == "bye"
            assert (await world.ended()).status is Status.SUCCESS
            said = Sieve(lambda: 0.0).sift(capfd.readouterr().err.encode()).splitlines()
            assert len([line for line in said if b"No space left" in line]) == 1
            full.unlink()
            customer, call = await talking(world, ann)
            customer.hangup()
            assert (await world.ended(2)).recorded
            await world.quiet()
    finally:
        await media.stop()
    assert [entry["event"] for entry in world.logs if entry["log_level"] == "warning"] == []
