"""Sound files in the formats people upload."""

from __future__ import annotations

from array import array
from pathlib import Path

import av

from vpbx.media.signal import tone

CODECS = {
    "wav": ("pcm_s16le", 44100),
    "mp3": ("libmp3lame", 44100),
    "ogg": ("libopus", 48000),
    "m4a": ("aac", 44100),
    "flac": ("flac", 48000),
}


def write_tone(
    path: Path, frequency: float = 700, seconds: float = 2.0, *, level: float = 0.3
) -> Path:
    """Write a tone in the format that the ending of `path` says."""
    rate = CODECS[path.suffix[1:]][1]
    return write_sound(path, tone(frequency, seconds, level=level, rate=rate))


def write_sound(path: Path, sound: array[int], channels: int = 1) -> Path:
    """Write 16-bit samples, interleaved where there are several channels."""
    codec, rate = CODECS[path.suffix[1:]]
    layout = {1: "mono", 2: "stereo"}[channels]
    with av.open(str(path), "w") as container:
        track = container.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame("s16", layout, len(sound) // channels)
        frame.sample_rate = rate
        frame.planes[0].update(sound.tobytes())
        for packet in [*track.encode(frame), *track.encode(None)]:
            container.mux(packet)
    return path
