"""What a seat hears: prompts over hold music over a loop over the other seat; with real RTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from vpbx.calls.bridge import Bridge
from vpbx.calls.inbox import Event, Inbox
from vpbx.calls.leg import Digit, Leg, digit_of
from vpbx.media import MediaEngine, Side
from vpbx.media.rtp import RtpEndpoint
from vpbx.sip import AudioCodec, build

SILENCE = b"\xd5" * 160
"""20 ms of PCMA."""
TONE_HZ = 1300
RINGBACK_HZ = 425
PCMA = (AudioCodec("PCMA", 8), AudioCodec("telephone-event", 101, fmtp="0-16"))


class Phone:
    """A leg whose SIP is left out: an RTP endpoint, and what its session was answered."""

    def __init__(self, leg: Leg, rtp: RtpEndpoint) -> None:
        self.leg = leg
        self.rtp = rtp
        self.answers: list[str] = []

    def says(self, direction: str = "sendrecv") -> str:
        return build(*self.rtp.local, list(PCMA), direction, session_id=1, version=1)

    async def hears(self, frequency: float) -> None:
        """Wait until this tone, and nothing else, is heard."""
        async with asyncio.timeout(20):
            while True:
                self.rtp.forget()
                await self.rtp.hear(20)
                if abs(self.rtp.frequency(0.1) - frequency) < 15:
                    return

    async def hears_something_else(self) -> None:
        async with asyncio.timeout(20):
            while True:
                self.rtp.forget()
                await self.rtp.hear(20)
                if all(abs(self.rtp.frequency(0.1) - hz) > 15 for hz in (TONE_HZ, RINGBACK_HZ)):
                    return


class Scene:
    def __init__(self) -> None:
        self.bridge: Bridge
        self.guest: Phone
        self.host: Phone
        self.events: list[Event] = []
        self.heard = asyncio.Event()

    def _note(self, event: Event) -> bool:
        self.events.append(event)
        return False

    async def phone(self, side: Side) -> Phone:
        sound = self.bridge.sound(side)
        leg = Leg(side, Inbox(self._note), sound)
        rtp = await RtpEndpoint.open(payload_type=8)
        phone = Phone(leg, rtp)
        session: Any = SimpleNamespace(
            answer=phone.answers.append,
            reinvite=lambda sdp: None,
            refuse=lambda code: None,
            media_source=lambda host: (host, True),
            answered=True,
            encrypted=False,
            from_browser=False,
            local_sdp=None,
        )
        leg.session = session
        sound.hear(phone.says())
        session = self.bridge.session
        rtp.connect(*session.local(side))
        return phone


@pytest_asyncio.fixture(loop_scope="session")
async def scene(shared_media: MediaEngine) -> AsyncIterator[Scene]:
    """A guest, and a host who sends a tone; both seated."""
    made = Scene()
    made.bridge = Bridge(shared_media, "en")
    await made.bridge.open("4711", lambda: None)
    made.guest, made.host = await made.phone(Side.A), await made.phone(Side.B)
    await made.bridge.seat(made.guest.leg)
    await made.bridge.seat(made.host.leg)
    made.guest.rtp.send_frames([SILENCE])
    made.host.rtp.send_tone(TONE_HZ)
    yield made
    await made.bridge.close()
    made.guest.rtp.close()
    made.host.rtp.close()


async def test_what_lies_under_a_prompt_is_heard_again_after_it(scene: Scene) -> None:
    bridge, guest = scene.bridge, scene.guest
    await guest.hears(TONE_HZ)
    await bridge.loop(Side.A, "ringback")
    await guest.hears(RINGBACK_HZ)
    bridge.speak(Side.A, ("beep", "beep"), scene.heard.set)
    await guest.hears_something_else()
    await asyncio.wait_for(scene.heard.wait(), 20)
    await guest.hears(RINGBACK_HZ)
    await bridge.hush(Side.A)
    await guest.hears(TONE_HZ)


async def test_hold_covers_a_loop_and_resume_uncovers_it(scene: Scene) -> None:
    bridge, guest, host = scene.bridge, scene.guest, scene.host
    await bridge.loop(Side.A, "ringback")
    await bridge.renegotiate(host.leg, host.says("sendonly"))
    assert "a=recvonly" in host.answers[-1]
    await guest.hears_something_else()
    await bridge.renegotiate(host.leg, host.says())
    await guest.hears(RINGBACK_HZ)


async def test_who_leaves_a_seat_takes_the_hold_along(scene: Scene) -> None:
    bridge, guest, host = scene.bridge, scene.guest, scene.host
    await bridge.renegotiate(host.leg, host.says("sendonly"))
    await guest.hears_something_else()
    bridge.vacate(Side.B)
    await bridge.loop(Side.A, "ringback")
    await guest.hears(RINGBACK_HZ)


async def test_a_stopped_prompt_never_says_that_it_was_heard(scene: Scene) -> None:
    bridge, guest = scene.bridge, scene.guest
    bridge.speak(Side.A, ("holdmusic",), scene.heard.set)
    await guest.hears_something_else()
    await bridge.hush(Side.A)
    await guest.hears(TONE_HZ)
    bridge.speak(Side.A, ("beep",), lambda: None)
    second = asyncio.Event()
    bridge.speak(Side.A, ("beep",), second.set)
    await asyncio.wait_for(second.wait(), 20)
    assert not scene.heard.is_set()


async def test_a_prompt_that_does_not_exist_holds_nobody_up(scene: Scene) -> None:
    scene.bridge.speak(Side.A, ("no such thing", "beep"), scene.heard.set)
    await asyncio.wait_for(scene.heard.wait(), 20)
    await scene.guest.hears(TONE_HZ)


async def test_digits_are_heard_through_a_prompt_and_told_of_the_leg_that_sits_there(
    scene: Scene,
) -> None:
    scene.bridge.vacate(Side.B)
    scene.bridge.speak(Side.A, ("holdmusic",), scene.heard.set)
    scene.guest.rtp.send_digits("42#")
    async with asyncio.timeout(20):
        while len(scene.events) < 3:
            await asyncio.sleep(0.02)
    assert scene.events == [Digit(scene.guest.leg, each) for each in "42#"]


@pytest.mark.parametrize(
    ("body", "digit"),
    [
        (b"Signal=5\r\nDuration=160\r\n", "5"),
        (b"Signal= *\nDuration=100", "*"),
        (b"Signal=11\r\n", "#"),
        (b"7", "7"),
        (b"10\r\n", "*"),
        (b"Signal=d\r\n", "D"),
        (b"Signal=12345\r\n", ""),
        (b"\xff\xfe", ""),
        (b"", ""),
    ],
)
def test_thedigit_of_an_info(body: bytes, digit: str) -> None:
    assert digit_of(body) == digit
