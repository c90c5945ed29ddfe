import asyncio
from collections.abc import Callable

from vpbx.media import MediaSession, Side

from .conftest import Engines, Phones, connect

TIMEOUT_S = 0.6


class Silence:
    def __init__(self) -> None:
        self.told = 0
        self.at: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def __call__(self) -> None:
        self.told += 1
        if not self.at.done():
            self.at.set_result(asyncio.get_running_loop().time())


async def opened(new_engine: Engines, on_timeout: Callable[[], None] | None) -> MediaSession:
    engine = await new_engine(no_media_timeout_s=TIMEOUT_S)
    return await engine.open("1", on_timeout=on_timeout)


async def test_silence_of_both_sides_is_told_and_the_session_lives_on(
    new_engine: Engines, phone: Phones
) -> None:
    silence = Silence()
    session = await opened(new_engine, silence)
    a, b = await phone(), await phone()
    await connect(session, a, b)
    a.send_tone(425)
    await asyncio.sleep(2 * TIMEOUT_S)
    assert silence.told == 0
    stopped_at = asyncio.get_running_loop().time()
    a.stop()
    waited = await asyncio.wait_for(silence.at, 30) - stopped_at
    assert TIMEOUT_S * 0.7 <= waited <= TIMEOUT_S * 10
    a.send_tone(425)
    await b.hear(5)


async def test_one_side_speaking_is_enough(new_engine: Engines, phone: Phones) -> None:
    silence = Silence()
    session = await opened(new_engine, silence)
    a, b = await phone(), await phone()
    await connect(session, a, b)
    b.send_tone(425)
    await asyncio.sleep(2.5 * TIMEOUT_S)
    assert silence.told == 0


async def test_who_listens_to_music_need_not_speak(new_engine: Engines, phone: Phones) -> None:
    silence = Silence()
    session = await opened(new_engine, silence)
    await connect(session, await phone(), await phone())
    await session.play(Side.A, "holdmusic", repeat=0)
    await asyncio.sleep(2.5 * TIMEOUT_S)
    assert silence.told == 0
    await session.stop_playing(Side.A)
    await asyncio.wait_for(silence.at, 30)


async def test_silence_is_told_again_until_the_session_is_closed(new_engine: Engines) -> None:
    silence = Silence()
    session = await opened(new_engine, silence)
    async with asyncio.timeout(30):
        while silence.told < 2:
            await asyncio.sleep(0.05)
    await session.close()
    told = silence.told
    await asyncio.sleep(2 * TIMEOUT_S)
    assert silence.told == told
