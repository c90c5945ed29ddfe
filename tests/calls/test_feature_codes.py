"""What an employee dials to have something done: echo test, do not disturb."""

from __future__ import annotations

import socket

import pytest
from sqlalchemy import text

from tests.calls.world import ANN, World
from tests.support.sockets import udp_ports
from vpbx.events import Direction, Status
from vpbx.media.rtp import Packet


async def test_who_dials_the_echo_test_hears_themselves(world: World) -> None:
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, "*43", tone_hz=1020)
    await call.answered()
    await call.heard(1020, timeout_s=20)
    call.hangup()
    end = await world.ended()
    assert end.call.direction is Direction.INNER
    assert (end.status, end.account) == (Status.SUCCESS, "*43")
    assert end.caller is not None
    assert end.caller.login == ANN
    assert world.story() == []
    await world.quiet()


async def test_a_stranger_gets_nothing_back_from_the_echo_test(world: World) -> None:
    call = await world.phone_calls(await world.phone(ANN), "*43", tone_hz=1020)
    await call.heard(1020, timeout_s=20)
    assert call.rtp is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.setblocking(False)
        for port in udp_ports() - {stranger.getsockname()[1]}:
            stranger.sendto(bytes(Packet(8, 1, 160, 0x5151, b"\xd5" * 160)), ("127.0.0.1", port))
        await call.rtp.hear(25)  # half a second of echo: the stranger's would be back as well
        with pytest.raises(BlockingIOError):
            stranger.recv(2048)
    call.hangup()
    await world.ended()


@pytest.mark.parametrize(("code", "receives"), [("*78", False), ("*79", True)])
async def test_do_not_disturb_by_phone(world: World, code: str, receives: bool) -> None:
    domain = await world.domain()
    await world.directory.users.set_dnd(domain, ANN, not receives)
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, code)
    await call.answered()
    assert call.rtp is not None
    await call.rtp.hear(50)  # a voice confirms it
    assert (await call.ended(timeout_s=20)).cause == "bye"
    assert (await world.domain()).employees[ANN].receives_calls is receives
    await world.ended()


async def test_an_escaped_star_is_a_star(world: World) -> None:
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, "%2A78")
    await call.ended(timeout_s=20)
    await world.ended()
    assert not (await world.domain()).employees[ANN].receives_calls


async def test_a_fault_of_ours_is_told_to_who_was_answered(world: World) -> None:
    """Their voicemail cannot be read: they hear so, rather than that nobody speaks."""
    await world.own_sound("prompt", "fault", 600, 0.6)
    phone = await world.phone(ANN)
    async with world.database.begin() as connection:
        await connection.execute(text("DROP TABLE voicemail"))
    world.faults_expected = True
    call = await world.phone_calls(phone, "*97")
    await call.heard(600)
    assert (await call.ended()).cause == "bye"
    assert (await world.ended()).account == "*97"
