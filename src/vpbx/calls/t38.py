"""What a leg and we tell each other of fax over packets: SDP of T.38 (ITU-T T.38 Annex D).

One image stream over UDPTL, in the place of the audio stream or beside it; whatever else is
offered is refused in its place (RFC 3264 §6). We say version 0, redundancy and transferred TCF,
which every implementation knows.
"""

from __future__ import annotations

import re

from vpbx.media import PacketPeer
from vpbx.sip import MalformedSdp, MediaDescription, Sdp

__all__ = ["answer", "is_alone", "offer", "peer_of"]

_VERSION, _RATE, _MOST_BYTES = 0, 14400, 1400
_LEAST_BYTES = 200
"""Some say of IFP packets what should be said of datagrams; less than this nobody means."""
_RATES = range(2400, 33601)
_QUAD = re.compile(r"\d+(\.\d+){3}")
_NOWHERE = "0.0.0.0"  # noqa: S104 - a hold of RFC 2543


def peer_of(text: str | None) -> PacketPeer | None:
    """Return who speaks T.38 by a description; None when it has no T.38 that we can use.

    Its address must be given in numbers, IPv4.
    """
    stream = next((media for media in _media(text) if _usable(media)), None)
    if stream is None or stream.address == _NOWHERE or not _QUAD.fullmatch(stream.address):
        return None
    rate = _number(stream, "t38maxbitrate", _RATE)
    return PacketPeer(
        host=stream.address,
        port=stream.port,
        version=min(_number(stream, "t38faxversion", 0), _VERSION),
        rate=min(rate, _RATE) if rate in _RATES else _RATE,
        local_tcf=_local_tcf(stream),
        most_bytes=min(
            max(_number(stream, "t38faxmaxdatagram", _MOST_BYTES), _LEAST_BYTES), _MOST_BYTES
        ),
    )


def is_alone(text: str | None) -> bool:
    """Say whether a description is of T.38 and no sound."""
    streams = _media(text)
    sound = any(one.kind == "audio" and one.port for one in streams)
    return not sound and any(_usable(one) for one in streams)


def offer(
    before: str | None, origin: tuple[int, int], host: str, port: int, *, like: str = ""
) -> str:
    """Return the offer of T.38 at `host`:`port` in place of the sound that was agreed `before`
    (our last description). It says what a description `like` says of T.38, else what we speak."""
    streams = _media(before)
    live = next((one for one in streams if one.port), None)
    image = _image_like(port, like) if like else _image(port, local_tcf=False)
    parts = [image if one is live else _refused(one) for one in streams]
    return _session(origin, host) + "".join(parts or [image])


def answer(offered: str, origin: tuple[int, int], host: str, port: int, *, like: str = "") -> str:
    """Return the answer that takes the T.38 of an offer, and nothing else of it; `like`: as in
    `offer`."""
    parts, taken = [], False
    for one in _media(offered):
        if not taken and _usable(one):
            taken = True
            image = _image(port, local_tcf=_local_tcf(one))
            parts.append(_image_like(port, like) if like else image)
        else:
            parts.append(_refused(one))
    return _session(origin, host) + "".join(parts)


def _media(text: str | None) -> tuple[MediaDescription, ...]:
    try:
        return Sdp.parse(text).media if text else ()
    except MalformedSdp:
        return ()


def _usable(media: MediaDescription) -> bool:
    t38 = any(form.lower() == "t38" for form in media.formats)
    return media.kind == "image" and media.port > 0 and media.protocol == "UDPTL" and t38


def _local_tcf(media: MediaDescription) -> bool:
    return (media.attribute("t38faxratemanagement") or "").lower() == "localtcf"


def _number(stream: MediaDescription, name: str, default: int) -> int:
    value = stream.attribute(name) or ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 7 else default


def _session(origin: tuple[int, int], host: str) -> str:
    session_id, version = origin
    lines = ["v=0", f"o=- {session_id} {version} IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    return "".join(f"{line}\r\n" for line in lines)


def _image(port: int, *, local_tcf: bool) -> str:
    management = "localTCF" if local_tcf else "transferredTCF"
    lines = [
        f"m=image {port} udptl t38",
        f"a=T38FaxVersion:{_VERSION}",
        f"a=T38MaxBitRate:{_RATE}",
        f"a=T38FaxRateManagement:{management}",
        "a=T38FaxMaxBuffer:2000",
        f"a=T38FaxMaxDatagram:{_MOST_BYTES}",
        "a=T38FaxUdpEC:t38UDPRedundancy",
    ]
    return "".join(f"{line}\r\n" for line in lines)


def _image_like(port: int, like: str) -> str:
    """Say of T.38 what this description does, in its own words."""
    said = next((one.lines for one in _media(like) if _usable(one)), ())
    own = [line for line in said if line[:5].lower() == "a=t38"]
    return "".join(f"{line}\r\n" for line in (f"m=image {port} udptl t38", *own))


def _refused(media: MediaDescription) -> str:
    return f"m={media.kind} 0 {media.protocol} {' '.join(media.formats)}\r\n"
