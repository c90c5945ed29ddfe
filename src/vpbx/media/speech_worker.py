"""The program that speaks one text: `speech_worker LANGUAGE TARGET`, the text on standard input.

By the library that the package `espeakng-loader` brings, else by the system's `espeak-ng`. What
they crash on ends this process and nothing else. The answer is a line on standard output, JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import subprocess
import sys
import wave
from array import array
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

from .confined import confine
from .speech import PITCH, VOICES, Voice

_CPU_S = 10
_LONGEST_S = 600
"""Nothing that is kept may be as long."""
_MARGIN_S = 0.25
"""Silence before and after, as at the built-in prompts."""
_SYNCHRONOUS, _UTF8, _END_PAUSE = 2, 1, 0x1000
_RATE_PARAMETER, _PITCH_PARAMETER = 1, 3
_NO_EXIT = 0x8000
_VOICELESS = "there is no voice: neither the package espeakng-loader nor the program espeak-ng"

Sound: TypeAlias = "tuple[array[int], int]"
"""Samples of 16 bits and how many a second."""


class Voiceless(Exception):
    """This way there is no voice."""


def main() -> None:
    """Do the job."""
    language, target = sys.argv[1:]
    text = sys.stdin.buffer.read().replace(b"\0", b" ")
    confine(_CPU_S)
    print(json.dumps(_job(text, VOICES[language], Path(target))))


def _job(text: bytes, voice: Voice, target: Path) -> dict[str, object]:
    ways: tuple[Callable[[bytes, Voice, Path], Sound], ...] = (_by_library, _by_program)
    for way in ways:
        try:
            sound, rate = way(text, voice, target)
            framed = _framed(sound, rate)
            if not framed:
                return {"unfit": "holds nothing that can be said"}
            _write(framed, rate, target)
        except Voiceless:
            continue
        except OSError as error:
            return {"fault": f"{error.strerror or error}"}
        return {"seconds": len(framed) / rate}
    return {"voiceless": _VOICELESS}


def _by_library(text: bytes, voice: Voice, _target: Path) -> Sound:
    try:
        loader = import_module("espeakng_loader")
        library = ctypes.CDLL(loader.get_library_path())
        data = loader.get_data_path()
    except (ImportError, OSError, RuntimeError) as error:
        raise Voiceless from error
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(data), _NO_EXIT)
    if rate <= 0 or library.espeak_SetVoiceByName(voice.name.encode()) != 0:
        raise Voiceless
    library.espeak_SetParameter(_RATE_PARAMETER, voice.words_a_minute, 0)
    library.espeak_SetParameter(_PITCH_PARAMETER, PITCH, 0)
    sound = array("h")

    def heard(samples: int | None, count: int, _events: int) -> int:
        if samples and count:
            sound.frombytes(ctypes.string_at(samples, 2 * count))
        return int(len(sound) > _LONGEST_S * rate)

    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    kept = callback(heard)
    library.espeak_SetSynthCallback(kept)
    size = ctypes.c_size_t(len(text) + 1)
    library.espeak_Synth(text, size, 0, 1, 0, _UTF8 | _END_PAUSE, None, None)
    library.espeak_Synchronize()
    return sound, rate


def _by_program(text: bytes, voice: Voice, target: Path) -> Sound:
    program = shutil.which("espeak-ng")
    if program is None:
        raise Voiceless
    speed = str(voice.words_a_minute)
    command = [program, "-v", voice.name, "-s", speed, "-p", str(PITCH), "-b", "1", "--stdin"]
    with contextlib.suppress(FileNotFoundError):
        target.unlink()
    done = subprocess.run(  # noqa: S603 - the text goes by standard input
        [*command, "-w", str(target)], input=text, check=False, stdout=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise Voiceless
    if not target.exists():
        return array("h"), 22050
    with wave.open(str(target), "rb") as file:
        sound = array("h", file.readframes(file.getnframes()))
        return sound, file.getframerate()


def _framed(sound: array[int], rate: int) -> array[int]:
    """Return the sound between silences of the same length; nothing if there is none."""
    loudest = max(max(sound, default=0), -min(sound, default=0))
    if not loudest:
        return array("h")
    first = next(n for n, value in enumerate(sound) if abs(value) > loudest / 100)
    last = next(n for n in range(len(sound) - 1, -1, -1) if abs(sound[n]) > loudest / 100)
    silence = array("h", [0]) * int(rate * _MARGIN_S)
    return silence + sound[first : last + 1] + silence


def _write(sound: array[int], rate: int, target: Path) -> None:
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(sound.tobytes())


if __name__ == "__main__":
    main()
