"""Browsers: WebRTC descriptions and sound, with aiortc, which nobody here wrote."""

from __future__ import annotations

import asyncio
import fractions
import itertools
from array import array
from collections.abc import AsyncIterator
from pathlib import Path

import av
import pytest_asyncio
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)

from tests.calls.world import media_config
from vpbx.calls.bridge import Bridge
from vpbx.calls.sound import OUR_CODECS, Sound
from vpbx.media import MediaEngine, RtpEndpoint, RtpPeer, Side
from vpbx.media.rtp import dominant_frequency, tone

_numbers = itertools.count(1)


class Tone(MediaStreamTrack):
    """A tone as a microphone would bring it."""

    kind = "audio"

    def __init__(self, hz: float) -> None:
        super().__init__()
        self._samples = tone(hz, 1.0)
        self._at = 0
        self._begun: float | None = None

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        self._begun = self._begun or loop.time()
        await asyncio.sleep(max(0.0, self._begun + self._at / 8000 - loop.time()))
        frame = av.AudioFrame(format="s16", layout="mono", samples=160)
        place = self._at % 8000
        frame.planes[0].update(self._samples[place : place + 160].tobytes())
        frame.pts, frame.sample_rate = self._at, 8000
        frame.time_base = fractions.Fraction(1, 8000)
        self._at += 160
        return frame


class Browser:
    """A peer connection that speaks a tone and keeps what it hears."""

    def __init__(self, hz: float) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connection.addTrack(Tone(hz))
        self.samples = array("h")
        self._rate = 8000
        self._tasks: list[asyncio.Task[None]] = []

        @self.connection.on("track")
        def heard(track: MediaStreamTrack) -> None:
            self._tasks.append(asyncio.create_task(self._listen(track)))

    async def _listen(self, track: MediaStreamTrack) -> None:
        while True:
            frame = await track.recv()
            self._rate = frame.sample_rate
            channels = frame.layout.nb_channels
            sound = array("h", bytes(frame.planes[0])[: frame.samples * channels * 2])
            self.samples += sound[::channels]

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def answered(self, sdp: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def answer(self, sdp: str) -> str:
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        return self.connection.localDescription.sdp

    async def hears(self, hz: float) -> None:
        async with asyncio.timeout(20):
            while True:
                await asyncio.sleep(0.05)
                sound = self.samples[-self._rate // 2 :]
                if len(sound) < self._rate // 2:
                    continue
                # of 8000 samples a second, whatever it was decoded to
                found = dominant_frequency(sound[:: self._rate // 8000])
                if abs(found - hz) < 8:
                    return

    async def close(self) -> None:
        await self.connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest_asyncio.fixture(loop_scope="session")
async def engine(tmp_path: Path) -> AsyncIterator[MediaEngine]:
    engine = MediaEngine(media_config(tmp_path, webrtc_port=0))
    await engine.start()
    yield engine
    await engine.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def bridge(engine: MediaEngine) -> AsyncIterator[Bridge]:
    bridge = Bridge(engine, "en")
    await bridge.open(f"web{next(_numbers)}", lambda: None)
    yield bridge
    await bridge.close()


def sound_of(bridge: Bridge, side: Side, *, browser: bool = True) -> Sound:
    sound = bridge.sound(side)
    sound.encryption.browser = browser
    return sound


async def phone_at(bridge: Bridge, side: Side, hz: float) -> RtpEndpoint:
    phone = await RtpEndpoint.open()
    assert bridge.session is not None
    phone.connect(*bridge.session.local(side))
    host, port = phone.local
    await bridge.session.set_remote(side, RtpPeer(host, port, (8,), 101))
    phone.send_tone(hz)
    return phone


async def phone_hears(phone: RtpEndpoint, hz: float) -> None:
    async with asyncio.timeout(20):
        while abs(phone.frequency(0.4) - hz) > 8 or phone.received < 25:
            await asyncio.sleep(0.05)


async def test_a_browser_that_calls_and_a_phone_hear_each_other(bridge: Bridge) -> None:
    browser, sound = Browser(440), sound_of(bridge, Side.A)
    offer = await browser.offer()
    sound.hear(offer)
    await bridge.point(Side.A, sound.peer)
    answer = sound.answer(offer, [codec for codec in OUR_CODECS if codec.payload != 0])
    await bridge.point(Side.A, sound.peer)
    phone = await phone_at(bridge, Side.B, 1000)
    try:
        await browser.answered(answer)
        await browser.hears(1000)
        await phone_hears(phone, 440)
    finally:
        await browser.close()
        phone.close()


async def test_a_browser_that_is_called_and_a_phone_hear_each_other(bridge: Bridge) -> None:
    browser, sound = Browser(440), sound_of(bridge, Side.B)
    phone = await phone_at(bridge, Side.A, 1000)
    try:
        answer = await browser.answer(sound.describe(OUR_CODECS))
        sound.hear(answer, OUR_CODECS)
        await bridge.point(Side.B, sound.peer)
        await browser.hears(1000)
        await phone_hears(phone, 440)
    finally:
        await browser.close()
        phone.close()


async def test_two_browsers_hear_each_other_and_of_those_that_rang_one_is_talked_with(
    bridge: Bridge,
) -> None:
    caller, winner, loser = Browser(440), Browser(1000), Browser(700)
    one = sound_of(bridge, Side.A)
    two, three = sound_of(bridge, Side.B), sound_of(bridge, Side.B)
    try:
        offer = await caller.offer()
        one.hear(offer)
        two_answers = await winner.answer(two.describe(one.codecs))
        await loser.answer(three.describe(one.codecs))
        two.hear(two_answers, one.codecs)
        answer = one.answer(offer, two.codecs)
        await bridge.point(Side.A, one.peer)
        await bridge.point(Side.B, two.peer)
        await caller.answered(answer)
        await caller.hears(1000)
        await winner.hears(440)
        assert not loser.samples
    finally:
        for browser in (caller, winner, loser):
            await browser.close()
