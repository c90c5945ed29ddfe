"""Session descriptions, RFC 8866 (4566), as far as telephony needs them.

A description is kept as its lines, so that what we do not understand survives a relay; what
we do understand is read once. Anything the network can send either parses or raises
`MalformedSdp`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

MAX_SDP_CHARS = 16_384
MAX_MEDIA = 32
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_ANSWERS = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
_NOWHERE = ("0.0.0.0", "::")  # noqa: S104 (a value to recognise, RFC 2543 hold)
_PAST_US = ("a=candidate:", "a=ice-", "a=remote-candidates:", "a=rtcp:", "a=end-of-candidates")
_CODEC_LINES = ("a=rtpmap:", "a=fmtp:", "a=rtcp-fb:")


class MalformedSdp(ValueError):
    """The text is no session description we can use."""


@dataclass(frozen=True, slots=True)
class AudioCodec:
    """One payload type of an audio stream; `name` is one of `CODEC_NAMES`."""

    name: str
    payload: int
    clock_rate: int = 8000
    fmtp: str = ""

    @property
    def rtpmap(self) -> str:
        """The value of its rtpmap attribute, without the payload number."""
        return f"{self.name}/{self.clock_rate}" + ("/2" if self.name == "opus" else "")


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """One m= section. `lines` are those after the m= line, whole (`a=ptime:20`)."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    lines: tuple[str, ...]
    address: str
    """Connection address, the session's where the section has none; may be 0.0.0.0."""
    direction: str
    """As written (or inherited), seen from whoever wrote the description."""

    def attribute(self, name: str) -> str | None:
        """Return the value of the first `a=name:value`, "" for `a=name`."""
        return next(iter(_attributes(self.lines, name)), None)

    def attributes(self, name: str) -> list[str]:
        """Return the values of every `a=name…` of this section."""
        return _attributes(self.lines, name)

    @property
    def ptime_ms(self) -> int:
        """Packet time the describer wishes to receive, 20 unless it says a usable one."""
        value = self.attribute("ptime") or ""
        return int(value) if value.isascii() and value.isdigit() and 5 <= int(value) <= 200 else 20

    @property
    def held(self) -> bool:
        """Whether the describer does not listen: sendonly, inactive, or address 0.0.0.0."""
        return self.direction in ("sendonly", "inactive") or self.address in _NOWHERE

    def __str__(self) -> str:
        head = f"m={self.kind} {self.port} {self.protocol} {' '.join(self.formats)}"
        return "".join(f"{line}\r\n" for line in (head, *self.lines))


@dataclass(frozen=True, slots=True)
class Sdp:
    """A session description: session-level `lines` (whole, from `v=0` on) and its media."""

    lines: tuple[str, ...]
    media: tuple[MediaDescription, ...]

    @staticmethod
    def parse(text: str) -> Sdp:
        """Read a description; raises `MalformedSdp`. Equal texts may share their result."""
        if len(text) > MAX_SDP_CHARS:
            raise MalformedSdp("session description is too long")
        return _parse(text)

    @property
    def audio(self) -> MediaDescription | None:
        """The first audio stream that is not refused; the one we talk through."""
        return next((m for m in self.media if m.kind == "audio" and m.port), None)

    @property
    def origin(self) -> str:
        """The value of the o= line."""
        return next((line[2:] for line in self.lines if line.startswith("o=")), "")

    @property
    def direction(self) -> str:
        """Direction of the audio stream with 0.0.0.0 counted as not listening."""
        audio = self.audio
        if audio is None:
            return "inactive"
        if audio.address in _NOWHERE:
            return "sendonly" if audio.direction in ("sendrecv", "sendonly") else "inactive"
        return audio.direction

    @property
    def held(self) -> bool:
        """Whether the describer put us on hold."""
        audio = self.audio
        return audio is not None and audio.held

    def __str__(self) -> str:
        return "".join(f"{line}\r\n" for line in self.lines) + "".join(map(str, self.media))


def _attributes(lines: Sequence[str], name: str) -> list[str]:
    prefix, bare = f"a={name}:", f"a={name}"
    return [
        line[len(prefix) :].strip() if line.startswith(prefix) else ""
        for line in lines
        if line.startswith(prefix) or line == bare
    ]


@lru_cache(maxsize=256)
def _parse(text: str) -> Sdp:
    session: list[str] = []
    sections: list[list[str]] = []
    current = session
    for line in text.replace("\r\n", "\n").rstrip("\n").split("\n"):
        line = line.rstrip()
        if len(line) < 2 or line[1] != "=" or not line[0].isalpha():
            raise MalformedSdp("not a type=value line")
        if line[0] == "m":
            current = []
            sections.append(current)
        current.append(line)
    if not session or session[0] != "v=0":
        raise MalformedSdp("does not begin with v=0")
    if len(sections) > MAX_MEDIA:
        raise MalformedSdp("too many media sections")
    if not any(line.startswith("o=") and len(line.split()) == 6 for line in session):
        raise MalformedSdp("no usable o= line")
    address, direction = _address(session), _direction(session)
    media = tuple(_section(section, address, direction) for section in sections)
    return Sdp(tuple(session), media)


def _section(lines: list[str], address: str, direction: str) -> MediaDescription:
    fields = lines[0][2:].split()
    if len(fields) < 4:
        raise MalformedSdp("m= line is too short")
    port = fields[1].partition("/")[0]
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise MalformedSdp("no usable port in m= line")
    address = _address(lines) or address
    if not address and port != "0":
        raise MalformedSdp("no connection address")
    return MediaDescription(
        kind=fields[0].lower(),
        port=int(port),
        protocol=fields[2],
        formats=tuple(fields[3:]),
        lines=tuple(lines[1:]),
        address=address,
        direction=_direction(lines) or direction or "sendrecv",
    )


def _address(lines: list[str]) -> str:
    for line in lines:
        if line.startswith("c="):
            fields = line[2:].split()
            if len(fields) != 3 or fields[0] != "IN" or fields[1] not in ("IP4", "IP6"):
                raise MalformedSdp("no usable c= line")
            try:
                return str(ipaddress.ip_address(fields[2].partition("/")[0]))
            except ValueError:
                raise MalformedSdp("c= line without an IP address") from None
    return ""


def _direction(lines: list[str]) -> str:
    for line in lines:
        if line.startswith("a=") and line[2:] in DIRECTIONS:
            return line[2:]
    return ""


def direction_answer(offered: str) -> str:
    """The direction that mirrors an offered one (RFC 3264 §6.1)."""
    return _ANSWERS.get(offered, "sendrecv")


def _connection(address: str) -> str:
    return f"c=IN IP{6 if ':' in address else 4} {address}"


def _origin(address: str, session_id: int | str, version: int | str) -> str:
    return f"o=- {session_id} {version} IN IP{6 if ':' in address else 4} {address}"


def _codec_lines(codecs: Sequence[AudioCodec]) -> list[str]:
    lines = []
    for codec in codecs:
        lines.append(f"a=rtpmap:{codec.payload} {codec.rtpmap}")
        if codec.fmtp:
            lines.append(f"a=fmtp:{codec.payload} {codec.fmtp}")
    return lines


def build(
    address: str,
    port: int,
    codecs: Sequence[AudioCodec],
    direction: str = "sendrecv",
    *,
    session_id: int,
    version: int = 1,
    ptime: int = 20,
) -> str:
    """Write a description of one audio stream at `address`:`port`.

    Within a dialog `session_id` stays and `version` grows by one with every change
    (RFC 3264 §8).
    """
    formats = " ".join(str(codec.payload) for codec in codecs)
    lines = [
        "v=0",
        _origin(address, session_id, version),
        "s=-",
        _connection(address),
        "t=0 0",
        f"m=audio {port} RTP/AVP {formats}",
        *_codec_lines(codecs),
        f"a=ptime:{ptime}",
        f"a={direction}",
    ]
    return "\r\n".join(lines) + "\r\n"


def retarget(
    sdp: Sdp,
    address: str,
    port: int,
    codecs: Sequence[AudioCodec] | None = None,
    *,
    session_id: int | None = None,
    version: int | None = None,
    direction: str | None = None,
) -> str:
    """Write `sdp` again with our media address, for relaying an offer or an answer.

    The first audio stream keeps its attributes (ICE and RTCP addresses go, they would lead
    past us), with `codecs` instead of its payloads and `direction` instead of its own when
    given; every other stream stays in place, refused with port 0. Origin numbers are kept
    unless given.
    """
    origin = sdp.origin.split()
    ours = _origin(
        address,
        origin[1] if session_id is None else session_id,
        origin[2] if version is None else version,
    )
    lines: list[str] = []
    connection: str | None = _connection(address)
    for line in sdp.lines:
        if line.startswith("o="):
            line = ours
        elif line.startswith("c=") or line.startswith(_PAST_US):
            continue
        elif line.startswith(("b=", "t=")) and connection:
            lines.append(connection)
            connection = None
        elif direction is not None and line[2:] in DIRECTIONS:
            continue
        lines.append(line)
    if connection:
        lines.append(connection)
    audio = sdp.audio
    for media in sdp.media:
        if media is audio:
            lines += _retarget_audio(media, port, codecs, direction)
        else:
            lines.append(f"m={media.kind} 0 {media.protocol} {' '.join(media.formats)}")
    return "\r\n".join(lines) + "\r\n"


def refused(sdp: Sdp) -> str:
    """Write an answer to the offer `sdp` that takes none of its streams (RFC 3264 §6)."""
    lines = ["v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0"]
    lines += [f"m={m.kind} 0 {m.protocol} {' '.join(m.formats)}" for m in sdp.media]
    return "\r\n".join(lines) + "\r\n"


def _retarget_audio(
    media: MediaDescription,
    port: int,
    codecs: Sequence[AudioCodec] | None,
    direction: str | None,
) -> list[str]:
    formats = media.formats if codecs is None else [str(codec.payload) for codec in codecs]
    lines = [f"m=audio {port} {media.protocol} {' '.join(formats)}"]
    if codecs is not None:
        lines += _codec_lines(codecs)
    for line in media.lines:
        if line.startswith("c=") or line.startswith(_PAST_US):
            continue
        if codecs is not None and line.startswith(_CODEC_LINES):
            continue
        if direction is not None and line[2:] in DIRECTIONS:
            continue
        lines.append(line)
    if direction is not None:
        lines.append(f"a={direction}")
    return lines
