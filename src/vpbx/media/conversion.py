"""From a sound file to the raw payloads RTPProxy plays, all of it by ffmpeg's libraries.

`NAME.8` is A-law, `NAME.0` µ-law, `NAME.9` G.722; 64 kbit/s each, in whole packets. The file is
read as a stream, twice where its loudness is to be made even: once to measure, once to convert.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import BlockingIOError, EOFError, InvalidDataError
from av.filter import Graph
from av.filter.context import FilterContext

from . import g711
from .model import MediaError

G722 = 9
PAYLOADS = (g711.PCMA, g711.PCMU, G722)
LOUDNESS_LUFS = -19.0
"""EBU R128, integrated: as loud as speech on the telephone, with room for its peaks."""

_PACKET = 160
"""Bytes, and narrow samples, in 20 ms: what a sound's length is rounded up to."""
_PIECE = 2000 * _PACKET
_RATES = (8000, 16000)
_SILENT_LUFS = -69.0
_MOST_GAIN_DB = 40.0
"""What is so quiet that more would be needed is noise."""
_PEAK = 0.8
_SAMPLE_RATES = range(4000, 384_001)
_MOST_CHANNELS = 8
_BROKEN = 20
"""One packet in so many may be broken: players jump over it as well."""
_NO_AUDIO = "is not audio that can be read: wav, mp3, ogg, m4a or flac"
_KNOW_THEIR_LENGTH = ("ogg", "flac", "mov,mp4,m4a,3gp,3g2,mj2")
_LOST_S = 0.25
_OPTIONS = {
    # Nothing that could name other files or hosts (playlists, concat, SDP).
    "format_whitelist": "wav,mp3,ogg,mov,flac,matroska",
    "protocol_whitelist": "file",
}


class UnfitFile(MediaError):
    """The file cannot be used; the message says why and goes after its name."""


def convert(source: Path, target: Path, *, even: bool = False, max_s: float | None = None) -> float:
    """Make `target`.8, .0 and .9 of the sound file `source`; return its length in seconds.

    wav, mp3, ogg (Vorbis, Opus), m4a, flac and webm (which browsers record); more channels are
    mixed to one. `even` brings it to `LOUDNESS_LUFS`, its peaks limited. All three files appear
    complete, or none. UnfitFile when the file is no sound, is damaged or goes on for longer than
    `max_s`.
    """
    chain = ""
    if even:
        loudness = measure(source, max_s=max_s)
        gain = LOUDNESS_LUFS - loudness if loudness > _SILENT_LUFS else 0.0
        chain = (
            f",volume={min(gain, _MOST_GAIN_DB):.3f}dB"
            f",alimiter=limit={_PEAK}:level=disabled:latency=enabled"
        )
    narrow, wide = bytearray(), bytearray()
    outlets = [_Chain(f"{_mono(rate)}{chain},aformat=sample_fmts=s16") for rate in _RATES]
    for frame in _frames(source, max_s):
        for sound, outlet in zip((narrow, wide), outlets, strict=True):
            sound += outlet.pass_on(frame)
    if not narrow:
        raise UnfitFile("holds no sound")
    _write(target, narrow, wide)
    return len(narrow) / 2 / _RATES[0]


def measure(source: Path, *, max_s: float | None = None) -> float:
    """Return the integrated loudness in LUFS as the telephone lets it through; -70 is silence.

    What is shorter than a second is taken for one: the measure knows no shorter ones.
    """
    meter = _Chain(f"{_mono(_RATES[0])},apad=whole_dur=1,ebur128=metadata=1")
    for frame in _frames(source, max_s):
        meter.pass_on(frame)
    return float(meter.told.get("lavfi.r128.I", "-70"))


def _mono(rate: int) -> str:
    return f"aresample={rate},aformat=sample_fmts=flt:channel_layouts=mono"


class _Chain:
    """A chain of ffmpeg's filters, made when the first frame tells what comes."""

    def __init__(self, filters: str) -> None:
        self._filters = filters
        self._graph: Graph | None = None
        self.told: dict[str, str] = {}
        """What the filters noted at the last frame."""

    def pass_on(self, frame: av.AudioFrame | None) -> bytes:
        """Return what comes out for `frame` (None: the end): 16-bit samples, if it ends in them."""
        if self._graph is None:
            if frame is None:
                return b""
            self._graph = self._build(frame)
        try:
            self._graph.push(frame)
        except ValueError as error:
            raise UnfitFile("changes its format on the way") from error
        pieces: list[bytes] = []
        while True:
            try:
                out = self._graph.pull()
            except (BlockingIOError, EOFError):
                return b"".join(pieces)
            assert isinstance(out, av.AudioFrame)
            if out.metadata:
                self.told = out.metadata
            if out.format.name == "s16":
                pieces.append(bytes(out.planes[0])[: 2 * out.samples])

    def _build(self, frame: av.AudioFrame) -> Graph:
        graph = Graph()
        last: FilterContext = graph.add_abuffer(
            format=frame.format, sample_rate=frame.sample_rate, layout=frame.layout
        )
        for word in self._filters.split(","):
            name, _, arguments = word.partition("=")
            following = graph.add(name, arguments)
            last.link_to(following)
            last = following
        last.link_to(graph.add("abuffersink"))
        graph.configure()
        return graph


def _frames(source: Path, max_s: float | None) -> Iterator[av.AudioFrame | None]:
    """Yield the decoded sound and None; raises UnfitFile."""
    try:
        container = av.open(str(source.absolute()), container_options=_OPTIONS)
    except (OSError, ValueError) as error:  # av's errors are both
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise
        raise UnfitFile(_NO_AUDIO) from error
    with container:
        stream = next(iter(container.streams.audio), None)
        if stream is None:
            raise UnfitFile("holds no sound")
        _check(stream)
        seconds = 0.0
        try:
            for frame in _decoded(container, stream):
                seconds += frame.samples / frame.sample_rate
                if max_s is not None and seconds > max_s:
                    raise UnfitFile(f"is longer than {max_s / 60:g} minutes")
                yield frame
            if not _whole(container, seconds):
                raise UnfitFile("is damaged")
            yield None
        except (OSError, ValueError) as error:
            raise UnfitFile("is damaged") from error


def _whole(container: InputContainer, seconds: float) -> bool:
    """Say whether as much was decoded as the file says it holds (MP3 and wav only guess)."""
    if container.duration is None or container.format.name not in _KNOW_THEIR_LENGTH:
        return True
    return seconds + _LOST_S > container.duration / av.time_base


def _check(stream: AudioStream) -> None:
    """Refuse what would blow up when resampled."""
    if not stream.rate:
        raise UnfitFile(_NO_AUDIO)
    if stream.rate not in _SAMPLE_RATES:
        raise UnfitFile(f"has {stream.rate} samples a second")
    if not 0 < stream.channels <= _MOST_CHANNELS:
        raise UnfitFile(f"has {stream.channels} channels")


def _decoded(container: InputContainer, stream: AudioStream) -> Iterator[av.AudioFrame]:
    good = broken = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except InvalidDataError:
            broken += 1
            continue
        good += bool(frames)
        yield from frames
    if broken > good // _BROKEN + 1:
        raise InvalidDataError(0, "too many broken packets")


def _write(target: Path, narrow: bytearray, wide: bytearray) -> None:
    """Write the three files, equally long: all or none."""
    packets = -(-len(narrow) // (2 * _PACKET))
    narrow += bytes(packets * 2 * _PACKET - len(narrow))
    length = packets * 4 * _PACKET
    wide = wide[:length] + bytes(max(0, length - len(wide)))
    sounds = {
        g711.PCMA: _encode("pcm_alaw", narrow, _RATES[0]),
        g711.PCMU: _encode("pcm_mulaw", narrow, _RATES[0]),
        G722: _encode("g722", wide, _RATES[1]),
    }
    parts = {
        target.with_name(f".{target.name}.{payload}.part"): target.with_name(
            f"{target.name}.{payload}"
        )
        for payload in sounds
    }
    try:
        for part, sound in zip(parts, sounds.values(), strict=True):
            with part.open("wb") as file:
                file.write(sound)
                file.flush()
                os.fsync(file.fileno())
        for part, final in parts.items():
            part.replace(final)
    except BaseException:
        for path in (*parts, *parts.values()):
            path.unlink(missing_ok=True)
        raise


def _encode(name: str, sound: bytearray, rate: int) -> bytes:
    codec = av.CodecContext.create(name, "w")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate, codec.layout, codec.format = rate, "mono", "s16"
    data = bytearray()
    for start in range(0, len(sound), _PIECE):
        piece = bytes(sound[start : start + _PIECE])
        frame = av.AudioFrame("s16", "mono", len(piece) // 2)
        frame.sample_rate = rate
        frame.planes[0].update(piece)
        for packet in codec.encode(frame):
            data += bytes(packet)
    for packet in codec.encode(None):
        data += bytes(packet)
    return bytes(data)
