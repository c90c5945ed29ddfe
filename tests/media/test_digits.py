import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from vpbx.media import MediaEngine, MediaSession, RtpPeer, Side

from .conftest import Phones, connect, peer_of


class Digits:
    def __init__(self) -> None:
        self.heard: list[tuple[Side, str]] = []
        self.changed = asyncio.Event()

    def __call__(self, side: Side, digit: str) -> None:
        self.heard.append((side, digit))
        self.changed.set()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.heard) < count:
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
def digits() -> Digits:
    return Digits()


@pytest_asyncio.fixture(loop_scope="session")
async def session(engine: MediaEngine, callid: str, digits: Digits) -> AsyncIterator[MediaSession]:
    session = await engine.open(callid, on_digit=digits)
    yield session
    await session.close()


async def test_digits_of_both_sides_are_told_apart(
    session: MediaSession, digits: Digits, phone: Phones
) -> None:
    a, b = await phone(), await phone()
    await connect(session, a, b)
    a.send_tone(425)
    a.send_digits("12*")
    await digits.wait_for(3)
    b.send_digits("#d")
    await digits.wait_for(5)
    assert digits.heard == [
        (Side.A, "1"),
        (Side.A, "2"),
        (Side.A, "*"),
        (Side.B, "#"),
        (Side.B, "D"),
    ]


async def test_the_same_digit_twice_is_two_and_the_other_side_hears_them(
    session: MediaSession, digits: Digits, phone: Phones
) -> None:
    a, b = await phone(), await phone()
    await connect(session, a, b)
    a.send_digits("77")
    await digits.wait_for(2)
    assert digits.heard == [(Side.A, "7")] * 2
    assert b.digits == "77"


async def test_the_payload_type_follows_the_sdp(
    session: MediaSession, digits: Digits, phone: Phones
) -> None:
    a, b = await phone(), await phone()
    await connect(session, a, b)
    a.dtmf_payload = 96
    await session.set_remote(Side.A, peer_of(a))
    a.send_digits("5")
    await digits.wait_for(1)
    assert digits.heard == [(Side.A, "5")]


async def test_a_digit_is_caught_before_the_other_side_is_there(
    session: MediaSession, digits: Digits, phone: Phones
) -> None:
    """A menu: there is only a caller."""
    a = await phone()
    await session.set_remote(Side.A, peer_of(a))
    a.connect(*session.local(Side.A))
    await session.play(Side.A, "beep")
    a.send_digits("9")
    await digits.wait_for(1)
    assert digits.heard == [(Side.A, "9")]


async def test_without_telephone_event_there_are_no_digits(
    session: MediaSession, digits: Digits, phone: Phones
) -> None:
    a, b = await phone(), await phone()
    host, port = a.local
    await session.set_remote(Side.A, RtpPeer(host, port, (8,)))
    a.connect(*session.local(Side.A))
    await session.set_remote(Side.B, peer_of(b))
    b.connect(*session.local(Side.B))
    a.send_digits("9")
    b.send_digits("1")
    await digits.wait_for(1)
    assert digits.heard == [(Side.B, "1")]


async def test_a_flood_of_digits_is_cut(session: MediaSession, digits: Digits) -> None:
    for _ in range(500):
        session.watch.digit(Side.A, "1", 1000.5)
    session.watch.digit(Side.A, "2", 1001.0)
    assert len(digits.heard) == 51
    assert digits.heard[-1] == (Side.A, "2")


@pytest.mark.parametrize(
    "line", ["", "D", "Dx 1 2 3 0", "D999999 1 2 3 0", "T", "Z1", "D1 1 2 3 9"]
)
async def test_a_notification_nobody_understands_is_dropped(
    engine: MediaEngine, session: MediaSession, digits: Digits, line: str
) -> None:
    engine._notified(line)
    assert digits.heard == []
