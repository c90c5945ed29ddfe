"""The program of the worker process: recordings in, one stereo MP3 each out.

Jobs come as lines of JSON on standard input, answers go as lines to standard output. All
heavy work (decoding, resampling, MP3) is ffmpeg's C, fed in large pieces; Python only walks
over the packets. A call of ten minutes takes well under a second of CPU.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler

from .timeline import OPUS, Run, runs

NARROW, WIDE = 8000, 12000
"""Of the MP3, in Hz. 16000 for G.722 and Opus would take more than the two seconds there are."""
_BIT_RATE = {NARROW: 32_000, WIDE: 48_000}
_FRAME = 576
"""Samples a channel in an MP3 frame of up to 24 kHz (MPEG-2 and 2.5)."""
_CHUNK = 200 * _FRAME
_LEAD = 12
_MIN_STRETCH = 500
_DECODER = {
    "PCMA": ("pcm_alaw", 8000),
    "PCMU": ("pcm_mulaw", 8000),
    "G722": ("g722", 16000),
    OPUS: ("libopus", 48000),
}
_MAX_S = 12 * 3600
_NICENESS = 10
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class Empty(Exception):
    """The files hold no sound."""


def encode(
    files: Sequence[Path],
    names: Mapping[int, str],
    target: Path,
    *,
    swap: bool = False,
    processes: int = 1,
) -> float:
    """Write the MP3 and return its length in seconds; raises `Empty`, OSError, av's errors.

    Side A is on the left, with `swap` on the right.
    """
    sides = runs(files, names)
    if swap:
        sides = sides[::-1]
    starts = [side[0].start_s for side in sides if side]
    if not starts:
        raise Empty("no sound was captured")
    epoch = min(starts)
    narrow = all(run.codec in ("PCMA", "PCMU") for side in sides for run in side)
    rate = NARROW if narrow else WIDE
    makers: list[Callable[[], bytes]] = [partial(_track, side, epoch, rate) for side in sides]
    if processes > 1 and not narrow:
        makers[1] = _in_child(makers[1])
    tracks = [make() for make in makers]
    length = max(map(len, tracks))
    tracks = [track + bytes(length - len(track)) for track in tracks]
    _write_mp3(tracks, rate, target, processes)
    return length / 2 / rate


def _track(side: list[Run], epoch: float, rate: int) -> bytes:
    """Return one side as 16-bit samples from `epoch` on."""
    track = bytearray()
    for run in side:
        start = 2 * round((run.start_s - epoch) * rate)
        if start > 2 * _MAX_S * rate:
            break
        sound = _decode(run, rate)
        if start > len(track):
            track.extend(bytes(start - len(track)))
        track[start : start + len(sound)] = sound
    return bytes(track)


def _decode(run: Run, rate: int) -> bytes:
    """Return the samples of a run at `rate`."""
    name, own_rate = _DECODER[run.codec]
    codec = av.CodecContext.create(name, "r")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate, codec.layout = own_rate, "mono"
    # The older codecs have no packets: a whole run is one.
    packets = run.payloads if run.codec == OPUS else [b"".join(run.payloads)]
    pieces: list[bytes] = []
    for packet in packets:
        try:
            frames = codec.decode(av.Packet(packet))
        except (ValueError, OSError):
            continue  # a broken packet is a gap
        pieces.extend(bytes(frame.planes[0])[: 2 * frame.samples] for frame in frames)
    return _resample(b"".join(pieces), own_rate, rate)


def _resample(sound: bytes, own_rate: int, rate: int) -> bytes:
    if own_rate == rate or not sound:
        return sound
    resampler = AudioResampler("s16", "mono", rate)
    frames: list[av.AudioFrame] = []
    step = 2 * 10 * own_rate
    for start in range(0, len(sound), step):
        part = sound[start : start + step]
        frame = av.AudioFrame("s16", "mono", len(part) // 2)
        frame.sample_rate = own_rate
        frame.planes[0].update(part)
        frames.extend(resampler.resample(frame))
    frames.extend(resampler.resample(None))
    return b"".join(bytes(frame.planes[0])[: 2 * frame.samples] for frame in frames)


def _write_mp3(tracks: Sequence[bytes], rate: int, target: Path, processes: int) -> None:
    """Write the MP3.

    Each process codes a stretch of whole frames. Without bit reservoir a frame stands for
    itself, so the stretches fit together; each is begun some frames early, and those are
    thrown away.
    """
    frames = -(-len(tracks[0]) // 2 // _FRAME)
    count = max(1, min(processes, frames // _MIN_STRETCH))
    cuts = [frames * n // count for n in range(count)] + [frames]
    jobs = [partial(_stretch, tracks, rate, *ends, frames) for ends in pairwise(cuts)]
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    others = [_in_child(job) for job in jobs[1:]]
    data = [jobs[0](), *(result() for result in others)]
    try:
        with part.open("wb") as file:
            file.writelines(data)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _in_child(job: Callable[[], bytes]) -> Callable[[], bytes]:
    """Begin a job in a forked process; the result waits for what it returns.

    Only the worker does this, which has one thread; a fork costs it some milliseconds.
    """
    outlet, inlet = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            # So that writing fails, instead of waiting for ever, when the parent was killed.
            os.close(outlet)
            with os.fdopen(inlet, "wb") as pipe:
                pipe.write(job())
            code = 0
        finally:
            os._exit(code)
    os.close(inlet)

    def result() -> bytes:
        with os.fdopen(outlet, "rb") as pipe:
            data = pipe.read()
        if os.waitpid(child, 0)[1] != 0:
            raise OSError("a process of the encoder has died")
        return data

    return result


def _stretch(tracks: Sequence[bytes], rate: int, first: int, last: int, frames: int) -> bytes:
    """Return the MP3 frames `first` to `last` (not included, unless it is the end of all)."""
    codec = av.CodecContext.create("libmp3lame", "w")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate, codec.layout, codec.format = rate, "stereo", "s16p"
    codec.bit_rate = _BIT_RATE[rate]
    # Both channels coded on their own: nothing of one is heard in the other.
    codec.options = {"joint_stereo": "0", "compression_level": "9", "reservoir": "0"}
    lead = min(first, _LEAD)
    begin = 2 * _FRAME * (first - lead)
    end = len(tracks[0]) if last == frames else 2 * _FRAME * (last + _LEAD)
    packets: list[bytes] = []
    for start in range(begin, end, 2 * _CHUNK):
        parts = [track[start : min(end, start + 2 * _CHUNK)] for track in tracks]
        frame = av.AudioFrame("s16p", "stereo", len(parts[0]) // 2)
        frame.sample_rate = rate
        for plane, sound in zip(frame.planes, parts, strict=True):
            plane.update(sound)
        packets.extend(map(bytes, codec.encode(frame)))
    if last == frames:
        packets.extend(map(bytes, codec.encode(None)))
        return b"".join(packets[lead:])
    return b"".join(packets[lead : lead + last - first])


def work(job: Mapping[str, Any]) -> dict[str, object]:
    """Do one job; the answer says how it went."""
    files = [Path(file) for file in job["files"]]
    names = {int(key): name for key, name in job["names"].items()}
    try:
        processors = len(os.sched_getaffinity(0))
        seconds = encode(files, names, Path(job["target"]), swap=job["swap"], processes=processors)
    except Exception as error:
        no_room = isinstance(error, OSError) and error.errno in _NO_ROOM
        text = f"{type(error).__name__}: {error}"
        return {"ok": False, "seconds": 0.0, "error": text, "no_room": no_room}
    for file in files:
        with contextlib.suppress(OSError):
            file.unlink()
    return {"ok": True, "seconds": seconds, "error": ""}


def main() -> None:
    """Answer jobs until standard input ends."""
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints must not be taken for an answer
    for line in sys.stdin:
        answers.write(json.dumps(work(json.loads(line))) + "\n")


if __name__ == "__main__":
    main()
