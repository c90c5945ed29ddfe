"""Session descriptions, RFC 8866 (4566), as far as telephony needs them.

A description is kept as its lines, so that what we do not understand survives a relay; what
we do understand is read once. Anything the network can send either parses or raises
`MalformedSdp`.

What phones write is read as others read it: a fault in a line that a call does not need (blank
lines, spaces, an o= line cut short, letters' case, a comma at the end) costs nothing, and one in
a stream costs that stream. Refused is only what leaves no audio stream and no place to send to.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from string import ascii_lowercase

from vpbx.frozen import dataclass

MAX_SDP_CHARS = 16_384
MAX_MEDIA = 32
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_DIRECTIONS = frozenset(DIRECTIONS)
_NOWHERE = ("0.0.0.0", "::")  # noqa: S104 (a value to recognise, RFC 2543 hold)


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
        return _packet_ms(self.lines)

    @property
    def held(self) -> bool:
        """Whether the describer does not listen: sendonly, inactive, or address 0.0.0.0."""
        return self.direction in ("sendonly", "inactive") or self.address in _NOWHERE

    @property
    def heard_direction(self) -> str:
        """The direction, with the address 0.0.0.0 counted as not listening (RFC 2543 hold)."""
        if self.address in _NOWHERE:
            return "sendonly" if self.direction in ("sendrecv", "sendonly") else "inactive"
        return self.direction

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

    def attributes(self, name: str) -> list[str]:
        """Return the values of every `a=name…` that holds for the whole session."""
        return _attributes(self.lines, name)

    @property
    def origin(self) -> str:
        """The value of the o= line."""
        return next((line[2:] for line in self.lines if line.startswith("o=")), "")

    @property
    def direction(self) -> str:
        """Direction of the audio stream with 0.0.0.0 counted as not listening."""
        audio = self.audio
        return "inactive" if audio is None else audio.heard_direction

    @property
    def held(self) -> bool:
        """Whether the describer put us on hold."""
        audio = self.audio
        return audio is not None and audio.held

    def __str__(self) -> str:
        return "".join(f"{line}\r\n" for line in self.lines) + "".join(map(str, self.media))


@lru_cache(maxsize=256)
def _packet_ms(lines: tuple[str, ...]) -> int:
    value = next(iter(_attributes(lines, "ptime")), "").partition(".")[0]
    usable = value.isascii() and value.isdigit() and len(value) < 4
    return int(value) if usable and 5 <= int(value) <= 200 else 20


def _attributes(lines: Sequence[str], name: str) -> list[str]:
    values = []
    for line in lines:
        if line.startswith("a=") and name in line.lower():
            key, colon, value = line[2:].partition(":")
            if key.strip().lower() == name:
                values.append(value.strip() if colon else "")
    return values


_TYPES = frozenset(ascii_lowercase)
_BLANK = frozenset(("", " ", "\t"))
_LINE = re.compile(r"([A-Za-z])[ \t]*=[ \t]*(.*)")
_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_QUAD = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_SEPARATORS = re.compile(r"[\s,]+")


@lru_cache(maxsize=256)
def _parse(text: str) -> Sdp:
    session: list[str] = []
    sections: list[list[str]] = []
    current = session
    for line in _lines(text):
        if line[0] == "m":
            current = []
            sections.append(current)
        current.append(line)
    if not session or session[0] != "v=0":
        raise MalformedSdp("does not begin with v=0")
    if len(sections) > MAX_MEDIA:
        raise MalformedSdp("too many media sections")
    if len(session) == 1 and not sections:
        raise MalformedSdp("describes nothing")
    address, direction = _address(session) or _origin_address(session), _direction(session)
    media, faults = [], []
    for section in sections:
        try:
            media.append(_section(section, address, direction))
        except MalformedSdp as fault:
            faults.append(fault)
            media.append(_unusable(section))
    if faults and not any(one.kind == "audio" and one.port for one in media):
        raise faults[0]
    return Sdp(tuple(session), tuple(media))


def _lines(text: str) -> list[str]:
    """Return the lines of the form `x=value`; what is none is passed over."""
    lines = []
    text = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    for raw in text.split("\n"):
        line = raw.strip()
        if line[1:2] == "=" and line[0] in _TYPES and line[2:3] not in _BLANK:
            lines.append(line)  # as nearly all are written
        elif (found := _LINE.fullmatch(line)) is not None:
            lines.append(f"{found[1].lower()}={found[2]}")
    return lines


def _section(lines: list[str], address: str, direction: str) -> MediaDescription:
    head = lines[0][2:]
    fields = [field for field in _SEPARATORS.split(head) if field] if "," in head else head.split()
    if len(fields) < 4:
        raise MalformedSdp("m= line is too short")
    port = fields[1].partition("/")[0]
    if not (port.isascii() and port.isdigit() and len(port) < 6 and int(port) < 65536):
        raise MalformedSdp("no usable port in m= line")
    address = _address(lines) or address
    if not address and int(port):
        raise MalformedSdp("no usable connection address (c= line)")
    return MediaDescription(
        kind=fields[0].lower(),
        port=int(port),
        protocol=fields[2].upper(),
        formats=tuple(fields[3:]),
        lines=tuple(lines[1:]),
        address=address,
        direction=_direction(lines) or direction or "sendrecv",
    )


def _unusable(lines: list[str]) -> MediaDescription:
    """Return a stream that cannot be read as one that is refused, so that it keeps its place."""
    fields = [*lines[0][2:].split(), "", "", "", ""]
    return MediaDescription(
        kind=fields[0].lower() or "audio",
        port=0,
        protocol=fields[2] or "RTP/AVP",
        formats=tuple(fields[3:-4]) or ("0",),
        lines=tuple(lines[1:]),
        address="",
        direction="inactive",
    )


def _address(lines: list[str]) -> str:
    """Return the address of the first usable c= line: IPv4, IPv6 or a host name (RFC 8866 §5.7)."""
    for line in lines:
        if line.startswith("c="):
            fields = _SEPARATORS.split(line[2:].strip()) if "," in line else line[2:].split()
            if len(fields) >= 3 and fields[0].upper() == "IN":
                address = _usable(fields[2])
                if address:
                    return address
    return ""


def _origin_address(lines: list[str]) -> str:
    """Return the address of the o= line, for descriptions without a c= line."""
    origin = next((line for line in lines if line.startswith("o=")), "")
    address = _usable(origin.split()[-1]) if len(origin.split()) > 5 else ""
    return "" if _HOST_NAME.fullmatch(address) and not _QUAD.fullmatch(address) else address


def _usable(text: str) -> str:
    text = text.partition("/")[0].strip("[]")
    if _QUAD.fullmatch(text):
        numbers = [int(number) for number in text.split(".")]
        return ".".join(map(str, numbers)) if max(numbers) < 256 else ""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text.lower().rstrip(".") if _HOST_NAME.fullmatch(text) else ""


def _direction(lines: list[str]) -> str:
    for line in lines:
        if line.startswith("a=") and (name := line[2:].strip().lower()) in _DIRECTIONS:
            return name
    return ""
