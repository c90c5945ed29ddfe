"""Texts are said by the voice that the built-in prompts have."""

from __future__ import annotations

import asyncio
import shutil
import sys
import wave
from pathlib import Path

import pytest

from vpbx.directory.sounds import SPOKEN_LANGUAGES
from vpbx.media import UnfitFile, speech_worker
from vpbx.media.speech import VOICES, speak


def seconds(path: Path) -> float:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return file.getnframes() / file.getframerate()


def test_the_directory_takes_the_languages_that_there_are_voices_for() -> None:
    assert tuple(VOICES) == SPOKEN_LANGUAGES


@pytest.mark.parametrize(
    ("language", "short", "long"),
    [
        ("ru", "Добрый день.", "Добрый день. Вы позвонили в компанию «Ромашка»."),
        ("en", "Good day.", "Good day. You have reached the Camomile company."),
    ],
)
async def test_more_words_take_longer(tmp_path: Path, language: str, short: str, long: str) -> None:
    await speak(short, language, tmp_path / "short.wav")
    await speak(long, language, tmp_path / "long.wav")
    assert 0.8 < seconds(tmp_path / "short.wav") < 2.5
    assert seconds(tmp_path / "long.wav") > seconds(tmp_path / "short.wav") + 1


async def test_what_looks_like_an_option_is_said_and_not_obeyed(tmp_path: Path) -> None:
    await speak(f"-w {tmp_path / 'other.wav'}", "en", tmp_path / "a.wav")
    assert [file.name for file in tmp_path.iterdir()] == ["a.wav"]
    assert seconds(tmp_path / "a.wav") > 1


@pytest.mark.parametrize("text", ["", "…", "\0"])
async def test_what_has_no_words_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnfitFile, match="nothing that can be said"):
        await speak(text, "ru", tmp_path / "a.wav")
    assert list(tmp_path.iterdir()) == []


async def test_what_takes_too_long_ends_and_leaves_nothing_at_work(tmp_path: Path) -> None:
    with pytest.raises(UnfitFile, match="takes too long"):
        await speak("one", "en", tmp_path / "a.wav", timeout_s=0)
    found = await asyncio.create_subprocess_exec(
        "pgrep", "-f", f"speech_worker en {tmp_path}", stdout=asyncio.subprocess.PIPE
    )
    assert (await found.communicate())[0] == b""


def test_without_the_package_the_system_s_program_speaks_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("espeak-ng") is None:
        pytest.skip("no espeak-ng here")
    target = tmp_path / "a.wav"
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    assert "seconds" in speech_worker._job("Нажмите один.".encode(), VOICES["ru"], target)
    by_program = seconds(target)
    monkeypatch.undo()
    assert "seconds" in speech_worker._job("Нажмите один.".encode(), VOICES["ru"], target)
    assert seconds(target) == pytest.approx(by_program, rel=0.15)


def test_without_either_it_is_told_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = speech_worker._job(b"one", VOICES["en"], tmp_path / "a.wav")
    assert set(answer) == {"voiceless"}
    assert "espeakng-loader" in str(answer["voiceless"])
