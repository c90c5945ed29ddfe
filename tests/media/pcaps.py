"""Pcap files as RTPProxy writes them, and what is in an MP3."""

import struct
from array import array
from collections.abc import Iterable, Sequence
from operator import itemgetter
from pathlib import Path

import av
from av.audio.resampler import AudioResampler

from vpbx.media.rtp import Packet, tone

_FILE_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
START = 1_700_000_000.0


PORTS = (4000, 4002)


def write_pcap(
    folder: Path,
    a: Iterable[tuple[float, Packet]],
    b: Iterable[tuple[float, Packet]] = (),
    *,
    callid: str = "1",
    number: int = 7,
) -> Path:
    """Write what both sides sent: packets with the seconds after START that they arrived at."""
    path = folder / f"{callid}-{number}.{PORTS[0]}.{PORTS[1]}.rtp"
    parts = [_FILE_HEADER]
    both = [
        (at, port, packet) for port, side in zip(PORTS, (a, b), strict=True) for at, packet in side
    ]
    for at, port, packet in sorted(both, key=itemgetter(0)):
        data = bytes(36) + struct.pack("!H4x", port) + bytes(packet)
        seconds = START + at
        micros = int(seconds % 1 * 1e6)
        parts.append(struct.pack("<IIII", int(seconds), micros, len(data), len(data)) + data)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(parts))
    return path


def stream(
    frames: Sequence[bytes],
    seconds: float,
    *,
    payload_type: int = 8,
    start_s: float = 0.0,
    step: int = 160,
    ssrc: int = 1,
    first_timestamp: int = 5000,
) -> list[tuple[float, Packet]]:
    """Make a stream of packets of 20 ms, `frames` over and over."""
    return [
        (
            start_s + n * 0.02,
            Packet(
                payload_type,
                n & 0xFFFF,
                first_timestamp + n * step & 0xFFFFFFFF,
                ssrc,
                frames[n % len(frames)],
            ),
        )
        for n in range(round(seconds * 50))
    ]


def coded_tone(codec: str, frequency: float, rate: int, step: int) -> list[bytes]:
    """Return two seconds of a tone as packets of an ffmpeg codec."""
    context = av.CodecContext.create(codec, "w")
    context.sample_rate, context.layout, context.format = rate, "mono", "s16"
    sound = tone(frequency, 2.0, rate=rate)
    packets: list[bytes] = []
    for start in range(0, len(sound), step):
        frame = av.AudioFrame("s16", "mono", step)
        frame.sample_rate = rate
        frame.planes[0].update(sound[start : start + step].tobytes())
        packets.extend(bytes(packet) for packet in context.encode(frame))
    return packets


def channels(path: Path) -> tuple[array, array]:
    """Return left and right of a stereo file, at 8 kHz."""
    sound = (array("h"), array("h"))
    resampler = AudioResampler("s16p", "stereo", 8000)
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.channels == 2
        for frame in [*container.decode(audio=0), None]:
            for piece in resampler.resample(frame):
                for channel, plane in zip(sound, piece.planes, strict=True):
                    channel.frombytes(bytes(plane)[: 2 * piece.samples])
    return sound
