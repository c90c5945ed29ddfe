import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest

from vpbx.directory.sounds import BUILT_IN_MUSIC
from vpbx.media import (
    MediaEngine,
    MediaError,
    MediaSession,
    RtpPeer,
    Side,
    g711,
    phrases,
    prompt_names,
    prompts,
)
from vpbx.media.prompts import PromptLibrary
from vpbx.media.rtp import goertzel, rms

sys.path.append(str(Path(__file__).parents[2] / "scripts"))

from prompt_texts import PROMPTS, WORDS  # type: ignore[import-not-found]

from .conftest import Engines, Phones, connect, peer_of

TONES_AND_MUSIC = {*BUILT_IN_MUSIC, "busy", "beep"}


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
    assert 0.59 < time.perf_counter() - began < 5
    async with asyncio.timeout(30):
        while a.received < 80:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    assert a.received <= 84  # packets of 10 ms


async def test_waiting_ends_when_it_is_stopped_replaced_or_closed(
    engine: MediaEngine, session: MediaSession, phone: Phones
) -> None:
    await session.set_remote(Side.A, peer_of(await phone()))
    await engine.prompts.prepare("holdmusic", "en")
    async with asyncio.timeout(30):
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


async def test_every_prompt_is_there_in_both_languages(tmp_path: Path) -> None:
    library = PromptLibrary(tmp_path)
    library.expand()
    assert library.problems() == []
    assert {*PROMPTS, *TONES_AND_MUSIC} <= prompt_names()
    for name in (*PROMPTS, *TONES_AND_MUSIC):
        made = {language: await library.prepare(name, language) for language in ("en", "ru", "tr")}
        assert made["tr"] == made["en"]
        assert (made["ru"] != made["en"]) == (name in PROMPTS)
        for path in made.values():
            sizes = {library.size(path, payload) for payload in (8, 0, 9)}
            assert len(sizes) == 1
            assert sizes.pop() % 160 == 0


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_every_word_is_there_short_and_all_speak_as_loud(
    tmp_path: Path, language: str
) -> None:
    library = PromptLibrary(tmp_path)
    library.expand()
    for name in WORDS[language]:
        path = await library.prepare(name, language)
        assert Path(path).parent.name == language
        sound = g711.decode(8, Path(path + ".8").read_bytes())
        assert 0.1 < len(sound) / 8000 < 2, name
        assert 0.3 < max(map(abs, sound)) / 32768 < 0.95, name


async def test_a_phrase_is_its_parts_in_a_row(
    session: MediaSession, phone: Phones, engine: MediaEngine
) -> None:
    a = await phone()
    await session.set_remote(Side.A, peer_of(a))
    library = engine.prompts
    parts = ("beep", *phrases.queue_position(21, "ru"))
    length = sum([library.size(await library.prepare(part, "ru"), 8) for part in parts])
    began = time.perf_counter()
    await session.play(Side.A, parts, language="ru", wait=True)
    assert length / 8000 - 0.3 < time.perf_counter() - began < length / 8000 + 5
    assert goertzel(a.pcm()[: 8000 // 4], 1000) > 0.9
    async with asyncio.timeout(30):
        while a.received < length / 80 - 2:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    assert abs(a.received - length / 80) <= 2  # packets of 10 ms


async def test_a_phrase_is_kept_for_the_next_who_hears_it_but_not_all_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompts, "MAX_PHRASES", 2)
    library = PromptLibrary(tmp_path)
    library.expand()
    first = await library.prepare(("beep", "number-1"), "en")
    made = Path(first + ".8").stat().st_mtime_ns
    second = await library.prepare(("beep", "number-2"), "en")
    assert await library.prepare(("beep", "number-1"), "en") == first
    assert Path(first + ".8").stat().st_mtime_ns == made
    await library.prepare(("beep", "number-3"), "en")
    assert Path(first + ".8").exists()
    assert not Path(second + ".8").exists()
    assert library.size(await library.prepare(("beep", "number-2"), "en"), 8) > 0


async def test_a_company_s_own_prompt_may_be_part_of_a_phrase(tmp_path: Path) -> None:
    library = PromptLibrary(tmp_path / "prompts")
    library.expand()
    beep = await library.prepare("beep", "en")
    own = tmp_path / "own"
    for payload in (8, 0, 9):
        Path(f"{own}.{payload}").write_bytes(b"\xd5" * 1600)
    path = await library.prepare((str(own), "beep"), "en")
    assert library.size(path, 8) == 1600 + library.size(beep, 8)
    with pytest.raises(MediaError, match="missing"):
        await library.prepare((str(tmp_path / "gone"), "beep"), "en")


async def test_many_who_want_the_same_new_prompt_at_once_get_it(tmp_path: Path) -> None:
    library = PromptLibrary(tmp_path)
    library.expand()
    wanted = [("queue-position", "number-5")] * 20
    paths = set(await asyncio.gather(*(library.prepare(parts, "ru") for parts in wanted)))
    assert len(paths) == 1
    assert library.size(paths.pop(), 9) > 8000


async def test_all_music_a_company_may_choose_is_there_and_equally_loud(tmp_path: Path) -> None:
    library = PromptLibrary(tmp_path)
    library.expand()
    levels = {}
    for name in BUILT_IN_MUSIC:
        path = await library.prepare(name, "en")
        sound = g711.decode(8, Path(path + ".8").read_bytes())
        assert 4.9 < len(sound) / 8000 < 16.1
        levels[name] = rms(sound)
    levels.pop("ringback")  # as loud as the standard says
    assert 0.08 < min(levels.values()) <= max(levels.values()) < 0.14


def test_shipped_sounds_are_small() -> None:
    import vpbx.media

    folder = Path(vpbx.media.__file__).parent / "sounds"
    sizes = {file.stem: file.stat().st_size for file in folder.glob("*/*.*")}
    assert 0 < sum(sizes.values()) < 500_000
    assert all(size < 10_000 for name, size in sizes.items() if name not in BUILT_IN_MUSIC)


async def test_a_prompt_is_expanded_once_a_release(tmp_path: Path) -> None:
    async def expand() -> int:
        library = PromptLibrary(tmp_path)
        library.expand()
        return Path(await library.prepare("beep", "en") + ".8").stat().st_mtime_ns

    before = await expand()
    assert await expand() == before
    (tmp_path / ".expanded").write_text("another release")
    assert await expand() != before


async def test_a_prompt_that_vanished_is_made_anew(
    session: MediaSession, phone: Phones, engine: MediaEngine
) -> None:
    a = await phone()
    await session.set_remote(Side.A, peer_of(a))
    for _ in range(2):
        await session.play(Side.A, "goodbye")
    path = await engine.prompts.prepare("goodbye", "en")
    for payload in (8, 0, 9):
        Path(f"{path}.{payload}").unlink()
    with pytest.raises(MediaError):
        await session.play(Side.A, "goodbye")
    await session.play(Side.A, "goodbye")
    await a.hear(20)


def test_a_folder_prompts_cannot_be_kept_in_is_a_problem_for_the_doctor(tmp_path: Path) -> None:
    library = PromptLibrary(tmp_path)
    library.expand()
    assert library.problems() == []
    shutil.rmtree(tmp_path / "phrases")
    assert "phrases" in library.problems()[0]


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
