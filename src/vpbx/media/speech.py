"""Text spoken by the voice of the built-in prompts: espeak-ng, in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import NamedTuple

from .conversion import UnfitFile
from .model import MediaError

__all__ = ["LANGUAGES", "PITCH", "VOICES", "NoVoice", "speak"]

TIMEOUT_S = 10.0


class Voice(NamedTuple):
    """A voice of espeak-ng and how many words a minute it says."""

    name: str
    words_a_minute: int


VOICES = {"en": Voice("en-us", 150), "ru": Voice("ru", 145)}
"""By language; the built-in prompts are made by them too (`scripts/make_sounds.py`)."""
PITCH = 40
LANGUAGES = tuple(VOICES)


class NoVoice(MediaError):
    """There is no espeak-ng: neither the package `espeakng-loader` nor the program."""


async def speak(text: str, language: str, target: Path, *, timeout_s: float = TIMEOUT_S) -> None:
    """Write a WAV file of `text` as said in one of `LANGUAGES`.

    UnfitFile, whose message goes after the text, when nothing can be said of it or it takes too
    long; NoVoice; MediaError when the disk is full or the like. A process killed on the way, or
    when this is cancelled, leaves nothing at work behind.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "vpbx.media.speech_worker", language, str(target)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,  # so that a program it started ends with it
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate(text.encode())
    except TimeoutError:
        raise UnfitFile("takes too long to say") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    try:
        answer: dict[str, str] = json.loads(output)
    except ValueError:
        raise UnfitFile("cannot be said within the limits of memory and time") from None
    if "unfit" in answer:
        raise UnfitFile(answer["unfit"])
    if "voiceless" in answer:
        raise NoVoice(answer["voiceless"])
    if "fault" in answer:
        raise MediaError(f"{target}: {answer['fault']}")
