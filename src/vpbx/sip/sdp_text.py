"""Session descriptions as we write them: our own, answers, and others' with our address in them."""

from __future__ import annotations

from collections.abc import Sequence

from vpbx.sip.sdp import DIRECTIONS, AudioCodec, MediaDescription, Sdp

__all__ = ["build", "direction_answer", "refused", "retarget"]

_ANSWERS = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
_PAST_US = ("a=candidate:", "a=ice-", "a=remote-candidates:", "a=rtcp:", "a=end-of-candidates")
_CODEC_LINES = ("a=rtpmap:", "a=fmtp:", "a=rtcp-fb:")


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
    protocol: str = "RTP/AVP",
    attributes: Sequence[str] = (),
) -> str:
    """Write a description of one audio stream at `address`:`port`.

    `attributes` are further lines of it (`a=crypto:…`). Within a dialog `session_id` stays and
    `version` grows by one with every change (RFC 3264 §8).
    """
    formats = " ".join(str(codec.payload) for codec in codecs)
    lines = [
        "v=0",
        _origin(address, session_id, version),
        "s=-",
        _connection(address),
        "t=0 0",
        f"m=audio {port} {protocol} {formats}",
        *_codec_lines(codecs),
        *attributes,
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
    numbers = [word for word in sdp.origin.split()[1:] if word.isascii() and word.isdigit()]
    theirs, their_version = (*numbers, "0", "0")[:2]
    ours = _origin(
        address,
        theirs if session_id is None else session_id,
        their_version if version is None else version,
    )
    lines = _retarget_session(sdp, ours, _connection(address), direction)
    audio = sdp.audio
    for media in sdp.media:
        if media is audio:
            lines += _retarget_audio(media, port, codecs, direction)
        else:
            lines.append(f"m={media.kind} 0 {media.protocol} {' '.join(media.formats)}")
    return "\r\n".join(lines) + "\r\n"


def _retarget_session(sdp: Sdp, origin: str, connection: str, direction: str | None) -> list[str]:
    """Write what stands before the streams, with these lines o= and c=."""
    lines: list[str] = []
    written = False
    for line in sdp.lines:
        if line.startswith("o="):
            line = origin
        elif line.startswith("c=") or line.startswith(_PAST_US):
            continue
        elif line.startswith(("b=", "t=")) and not written:
            lines.append(connection)
            written = True
        elif direction is not None and line[2:].lower() in DIRECTIONS:
            continue
        lines.append(line)
    if not written:
        lines.append(connection)
    return lines


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
        if direction is not None and line[2:].lower() in DIRECTIONS:
            continue
        lines.append(line)
    if direction is not None:
        lines.append(f"a={direction}")
    return lines
