import asyncio
import tempfile
import time
from pathlib import Path

import pytest

from vpbx.directory.sounds import BUILT_IN_MUSIC
from vpbx.media import MediaEngine, MediaError, MediaSession, RtpPeer, Side, g711
from vpbx.media.prompts import PromptLibrary
from vpbx.media.rtp import goertzel, rms

from .conftest import Engines, Phones, connect, peer_of

BUILT_IN = (
    *("ringback", "holdmusic", "calm", "bright"),
    *("busy", "beep", "not_available", "not_allowed", "not_found"),
)


@pytest.mark.parametrize("payload", [8, 0])
async def test_a_side_hears_a_prompt_in_its_codec(
    session: MediaSession, phone: Phones, payload: int
) -> None:
    a, b = await phone(payload), await phone()
    await connect(session, a, b)
    b.send_tone(1300)
    await a.hear(5)
    await session.play(Side.A, "ringback", repeat=0)
    a.forget()
    await a.hear(35)
    assert set(a.payloads) == {payload}
    assert goertzel(a.pcm(0.4), 425) > 0.95
    await session.stop_playing(Side.A)
    a.forget()
    await a.hear(25)
    assert goertzel(a.pcm(0.3), 1300) > 0.95


async def test_g722_hears_prompts_too(session: MediaSession, phone: Phones) -> None:
    a, b = await phone(9), await phone()
    await connect(session, a, b)
    await session.play(Side.B, "beep")
    await session.play(Side.A, "beep")
    await a.hear(10)
    await b.hear(10)
    assert set(a.payloads) == {9}
    assert set(b.payloads) == {8}


async def test_a_side_with_opus_first_hears_them_in_its_next_codec(
    session: MediaSession, phone: Phones
) -> None:
    a = await phone(111)
    await session.set_remote(Side.A, peer_of(a, 111, 0, 8))
    await session.play(Side.A, "beep")
    await a.hear(5)
    assert set(a.payloads) == {0}


async def test_a_side_with_nothing_but_opus_cannot_be_played_to(
    session: MediaSession, phone: Phones
) -> None:
    await session.set_remote(Side.A, peer_of(await phone(111)))
    with pytest.raises(MediaError, match="no codec"):
        await session.play(Side.A, "beep")


async def test_waiting_takes_as_long_as_the_prompt(session: MediaSession, phone: Phones) -> None:
    a = await phone()
    await session.set_remote(Side.A, peer_of(a))
    began = time.perf_counter()
    await session.play(Side.A, "beep", repeat=2, wait=True)
    assert time.perf_counter() - began == pytest.approx(0.84, abs=0.25)
    await asyncio.sleep(0.1)
    assert 80 <= a.received <= 84  # packets of 10 ms


async def test_waiting_ends_when_it_is_stopped_replaced_or_closed(
    engine: MediaEngine, session: MediaSession, phone: Phones
) -> None:
    await session.set_remote(Side.A, peer_of(await phone()))
    async with asyncio.timeout(2):
        waiting = asyncio.create_task(session.play(Side.A, "holdmusic", repeat=0, wait=True))
        await asyncio.sleep(0.05)
        await session.stop_playing(Side.A)
        await waiting
        waiting = asyncio.create_task(session.play(Side.A, "holdmusic", wait=True))
        await asyncio.sleep(0.05)
        await session.play(Side.A, "beep")
        await waiting
        waiting = asyncio.create_task(session.play(Side.A, "holdmusic", repeat=0, wait=True))
        await asyncio.sleep(0.05)
        await session.close()
        await waiting


async def test_a_wait_can_be_cancelled(session: MediaSession, phone: Phones) -> None:
    await session.set_remote(Side.A, peer_of(await phone()))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(session.play(Side.A, "holdmusic", repeat=0, wait=True), 0.1)
    await session.stop_playing(Side.A)
    await session.stop_playing(Side.A)


async def test_prompts_that_are_not_there_are_refused(session: MediaSession, phone: Phones) -> None:
    await session.set_remote(Side.A, peer_of(await phone()))
    for name in ("nothing", "../en/beep", "beep 8 a b\nX", "/nowhere/at_all"):
        with pytest.raises(MediaError):
            await session.play(Side.A, name)
    with pytest.raises(MediaError):
        await session.play(Side.B, "beep")


def test_every_prompt_is_there_in_both_languages(tmp_path: Path) -> None:
    library = PromptLibrary(tmp_path)
    library.expand()
    assert library.problems() == []
    for name in BUILT_IN:
        for language in ("en", "ru", "tr"):
            path = library.path(name, language)
            sizes = {library.size(path, payload) for payload in (8, 0, 9)}
            assert len(sizes) == 1
            assert sizes.pop() % 160 == 0
    assert library.path("not_found", "ru") != library.path("not_found", "en")


def test_all_music_a_company_may_choose_is_there_and_equally_loud(tmp_path: Path) -> None:
    library = PromptLibrary(tmp_path)
    library.expand()
    levels = {}
    for name in BUILT_IN_MUSIC:
        sound = g711.decode(8, Path(library.path(name, "en") + ".8").read_bytes())
        assert 4.9 < len(sound) / 8000 < 16.1
        levels[name] = rms(sound)
    levels.pop("ringback")  # as loud as the standard says
    assert 0.08 < min(levels.values()) <= max(levels.values()) < 0.14


def test_shipped_sounds_are_small() -> None:
    import vpbx.media

    folder = Path(vpbx.media.__file__).parent / "sounds"
    assert 0 < sum(file.stat().st_size for file in folder.rglob("*.*")) < 500_000


def test_expanding_again_does_nothing_and_mends_what_was_changed(tmp_path: Path) -> None:
    PromptLibrary(tmp_path).expand()
    file = tmp_path / "en" / "beep.8"
    before = file.stat().st_mtime_ns
    PromptLibrary(tmp_path).expand()
    assert file.stat().st_mtime_ns == before
    (tmp_path / ".expanded").write_text("another release")
    PromptLibrary(tmp_path).expand()
    assert file.stat().st_mtime_ns != before


def test_a_missing_prompt_is_a_problem_for_the_doctor(tmp_path: Path) -> None:
    PromptLibrary(tmp_path).expand()
    (tmp_path / "ru" / "not_found.8").unlink()
    assert "ru/not_found" in PromptLibrary(tmp_path).problems()[0]


async def test_a_data_folder_with_a_space_works_and_leaves_nothing_elsewhere(
    new_engine: Engines, tmp_path: Path, phone: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "tmp"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    engine = await new_engine(prompts_dir=tmp_path / "Virtual PBX", spool_dir=tmp_path / "a b")
    session = await engine.open("1")
    a = await phone()
    await session.set_remote(Side.A, RtpPeer(*a.local, (8,)))
    await session.play(Side.A, "beep")
    await a.hear(10)
    assert rms(a.pcm()) > 0.05
    assert await session.start_recording()
    assert list(elsewhere.iterdir())
    await engine.stop()
    assert not list(elsewhere.iterdir())
