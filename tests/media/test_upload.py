from __future__ import annotations

import asyncio
import math
import os
import random
from array import array
from pathlib import Path

import pytest

from tests.support.audio import CODECS, write_sound, write_tone
from vpbx.media import (
    MediaError,
    MediaSession,
    Side,
    UnfitFile,
    convert_upload,
    g711,
    remove_upload,
    upload_bytes,
)
from vpbx.media.conversion import convert, measure
from vpbx.media.rtp import goertzel
from vpbx.media.signal import rms, tone

from .conftest import Phones, peer_of

PAYLOADS = (8, 0, 9)


@pytest.mark.parametrize("ending", CODECS)
async def test_every_format_becomes_three_payloads_of_one_length(
    tmp_path: Path, ending: str
) -> None:
    source = write_tone(tmp_path / f"hello.{ending}")
    target = tmp_path / "to" / "hello"
    assert await convert_upload(source, target, max_s=300) == pytest.approx(2.0, abs=0.1)
    sizes = {(target.parent / f"hello.{payload}").stat().st_size for payload in PAYLOADS}
    assert len(sizes) == 1
    assert (size := sizes.pop()) % 160 == 0
    assert upload_bytes(target) == 3 * size
    assert goertzel(sound_of(target), 700) > 0.95
    assert len(list(target.parent.iterdir())) == 3
    remove_upload(target)
    assert list(target.parent.iterdir()) == []
    remove_upload(target)


@pytest.mark.parametrize("ending", CODECS)
def test_loud_and_quiet_files_come_out_equally_loud(tmp_path: Path, ending: str) -> None:
    levels = []
    for level in (0.9, 0.3, 0.03, 0.003):
        write_tone(tmp_path / f"x.{ending}", level=level)
        convert(tmp_path / f"x.{ending}", tmp_path / "x", even=True)
        levels.append(20 * math.log10(rms(sound_of(tmp_path / "x"))))
    assert max(levels) - min(levels) < 1
    assert levels[0] == pytest.approx(-18.6, abs=0.5)  # a tone of -19 LUFS


def test_mp3_and_flac_of_different_loudness_measure_alike_after_conversion(tmp_path: Path) -> None:
    found = []
    for name, level in (("a.mp3", 0.8), ("b.flac", 0.02)):
        convert(write_tone(tmp_path / name, 400, level=level), tmp_path / "x", even=True)
        again = array("h", (v for v in sound_of(tmp_path / "x") for _ in range(6)))  # 48 kHz
        found.append(measure(write_sound(tmp_path / "y.flac", again)))
    assert found == pytest.approx([-19, -19], abs=0.5)


def test_peaks_are_limited_where_more_loudness_would_clip_them(tmp_path: Path) -> None:
    sound = tone(400, 3.0, level=0.01, rate=48000)
    for start in range(0, len(sound), 24000):
        sound[start : start + 480] = tone(1000, 0.01, level=0.5, rate=48000)
    convert(write_sound(tmp_path / "x.flac", sound), tmp_path / "x", even=True)
    assert max(map(abs, sound_of(tmp_path / "x"))) <= 0.83 * 32768


def test_silence_stays_silence_and_noise_is_not_made_music(tmp_path: Path) -> None:
    silent = write_sound(tmp_path / "s.flac", array("h", [0]) * 48000)
    assert convert(silent, tmp_path / "s", even=True) == 1.0
    assert rms(sound_of(tmp_path / "s")) < 0.001
    hiss = write_tone(tmp_path / "h.flac", level=0.0002)
    convert(hiss, tmp_path / "h", even=True)
    assert rms(sound_of(tmp_path / "h")) < 0.02  # 40 dB more, not 60


def test_stereo_is_mixed(tmp_path: Path) -> None:
    left, right = tone(500, 1.0, rate=48000), tone(1500, 1.0, rate=48000)
    both = array("h", (value for pair in zip(left, right, strict=True) for value in pair))
    convert(write_sound(tmp_path / "x.flac", both, 2), tmp_path / "x")
    sound = sound_of(tmp_path / "x")
    assert goertzel(sound, 500) == pytest.approx(0.5, abs=0.05)
    assert goertzel(sound, 1500) == pytest.approx(0.5, abs=0.05)


async def test_an_upload_is_played_even_from_a_folder_with_a_space(
    session: MediaSession, phone: Phones, tmp_path: Path
) -> None:
    target = tmp_path / "my company" / "greeting"
    await convert_upload(write_tone(tmp_path / "greeting.ogg"), target, max_s=300)
    a = await phone()
    await session.set_remote(Side.A, peer_of(a))
    await session.play(Side.A, str(target))
    await a.hear(30)
    assert goertzel(a.pcm(0.4), 700) > 0.9


def wav_that_says(folder: Path, rate: int, channels: int) -> Path:
    data = bytearray(write_tone(folder / "x.wav").read_bytes())
    at = data.index(b"fmt ") + 10
    data[at : at + 6] = channels.to_bytes(2, "little") + rate.to_bytes(4, "little")
    (folder / "x.wav").write_bytes(data)
    return folder / "x.wav"


def half_of(path: Path) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def holding(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/passwd\n#EXT-X-ENDLIST\n"
NO_AUDIO = "is not audio that can be read: wav, mp3, ogg, m4a or flac"
UNFIT = {
    "text": (lambda d: holding(d / "x.mp3", b"not a sound " * 500), NO_AUDIO),
    "noise": (lambda d: holding(d / "x.mp3", random.Random(1).randbytes(20_000)), ""),
    "picture": (lambda d: holding(d / "x.png", b"\x89PNG\r\n\x1a\n" + bytes(500)), NO_AUDIO),
    "playlist": (lambda d: holding(d / "x.m4a", PLAYLIST), NO_AUDIO),
    "empty": (lambda d: holding(d / "x.wav", b""), "is empty"),
    "folder": (lambda d: d, "is not a file"),
    "pipe": (lambda d: (os.mkfifo(d / "x"), d / "x")[1], "is not a file"),
    "missing": (lambda d: d / "nothing.wav", "cannot be read: No such file or directory"),
    "one hertz": (lambda d: wav_that_says(d, 1, 1), "has 1 samples a second"),
    "a choir": (lambda d: wav_that_says(d, 44100, 300), "has 300 channels"),
    "half a flac": (lambda d: half_of(write_tone(d / "x.flac")), "is damaged"),
    "half an m4a": (lambda d: half_of(write_tone(d / "x.m4a")), NO_AUDIO),
    "too long": (lambda d: write_tone(d / "x.flac", seconds=6.5), "is longer than 0.1 minutes"),
}


@pytest.mark.parametrize("case", UNFIT)
async def test_what_does_not_fit_is_refused_and_leaves_nothing(tmp_path: Path, case: str) -> None:
    make, says = UNFIT[case]
    source = make(tmp_path)
    target = tmp_path / "to" / "x"
    with pytest.raises(UnfitFile) as caught:
        await convert_upload(source, target, max_s=6)
    assert says in str(caught.value)
    assert not target.parent.exists() or list(target.parent.iterdir()) == []


async def test_a_file_of_more_than_fifty_megabytes_is_not_even_opened(tmp_path: Path) -> None:
    with (tmp_path / "x.wav").open("wb") as file:
        file.truncate(50_000_001)
    with pytest.raises(UnfitFile, match="is larger than 50 MB"):
        await convert_upload(tmp_path / "x.wav", tmp_path / "x", max_s=300)


async def test_hours_of_silence_in_a_small_file_are_cut_off_early(tmp_path: Path) -> None:
    source = write_sound(tmp_path / "x.flac", array("h", [0]) * 48000 * 900)
    assert source.stat().st_size < 200_000
    async with asyncio.timeout(30):
        with pytest.raises(UnfitFile, match="is longer than 5 minutes"):
            await convert_upload(source, tmp_path / "to" / "x", max_s=300)


async def test_what_takes_too_long_is_given_up_and_leaves_nothing(tmp_path: Path) -> None:
    source = write_tone(tmp_path / "x.flac")
    with pytest.raises(UnfitFile, match="takes too long"):
        await convert_upload(source, tmp_path / "to" / "x", max_s=300, timeout_s=0.02)
    assert list((tmp_path / "to").iterdir()) == []


async def test_what_cannot_be_written_is_no_fault_of_the_file(tmp_path: Path) -> None:
    source = write_tone(tmp_path / "x.flac")
    (tmp_path / "to" / "x.9" / "in the way").mkdir(parents=True)
    for target in (tmp_path / "to" / "x", source / "x"):
        with pytest.raises(MediaError, match=r"directory|exists") as caught:
            await convert_upload(source, target, max_s=300)
        assert not isinstance(caught.value, UnfitFile)
    assert not list((tmp_path / "to").glob(".*"))


def sound_of(target: Path) -> array[int]:
    return g711.decode(8, target.with_name(f"{target.name}.8").read_bytes())
