"""Uploaded sounds: checked and converted in a process of their own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
import sys
from pathlib import Path

from .conversion import PAYLOADS, UnfitFile
from .model import MediaError

MAX_BYTES = 50_000_000
_TIMEOUT_S = 180.0


async def convert_upload(
    source: Path, target: Path, *, max_s: float, timeout_s: float = _TIMEOUT_S
) -> float:
    """Make `target`.8, .0 and .9 of a file from outside; return its length in seconds.

    What `MediaSession.play` then takes is `target`. All uploads come out equally loud. wav, mp3,
    ogg, m4a and flac of at most `MAX_BYTES` and `max_s` are taken. UnfitFile when it is not
    that, and says why, to be read after the file's name; MediaError when the disk is full or
    the like. Either way nothing is left behind, nor when this is cancelled.
    """
    _look_at(source)
    job = _job(source, target, max_s)
    try:
        answer = await _work(job, timeout_s)
        if "unfit" in answer:
            raise UnfitFile(answer["unfit"])
        if "fault" in answer:
            raise MediaError(f"{target.parent}: {answer['fault']}")
    except BaseException:
        with contextlib.suppress(OSError):
            remove_upload(target)
        raise
    return float(answer["seconds"])


def remove_upload(target: Path) -> None:
    """Remove what `convert_upload` made, and what a process that was killed left of it."""
    for payload in PAYLOADS:
        for name in (f"{target.name}.{payload}", f".{target.name}.{payload}.part"):
            target.with_name(name).unlink(missing_ok=True)


def upload_bytes(target: Path) -> int:
    """Return how much room an upload takes."""
    return sum(target.with_name(f"{target.name}.{kind}").stat().st_size for kind in PAYLOADS)


def _look_at(source: Path) -> None:
    """Refuse what need not even be opened by a decoder."""
    try:
        # A pipe without a writer would hold us up for ever.
        descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UnfitFile(f"cannot be read: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise UnfitFile("is not a file")
    if status.st_size == 0:
        raise UnfitFile("is empty")
    if status.st_size > MAX_BYTES:
        raise UnfitFile(f"is larger than {MAX_BYTES // 1_000_000} MB")


def _job(source: Path, target: Path, max_s: float) -> str:
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{target.parent}: {error.strerror}") from error
    job = {"source": str(source.absolute()), "target": str(target.absolute()), "max_s": max_s}
    return json.dumps(job)


async def _work(job: str, timeout_s: float) -> dict[str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "vpbx.media.conversion_worker", job),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate()
    except TimeoutError:
        raise UnfitFile("takes too long to decode") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    try:
        answer: dict[str, str] = json.loads(output)
    except ValueError:
        raise UnfitFile("cannot be decoded within the limits of memory and time") from None
    return answer
