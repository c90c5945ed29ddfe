"""What an employee dials to have something done: echo test, do not disturb."""

from __future__ import annotations

import pytest

from tests.calls.world import ANN, World
from vpbx.events import Direction, Status


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
