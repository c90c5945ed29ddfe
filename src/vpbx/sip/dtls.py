"""What a description says of DTLS-SRTP and ICE: RFC 5763, RFC 8839, RFC 8842."""

from __future__ import annotations

import re

from vpbx.frozen import dataclass
from vpbx.sip.sdp import MediaDescription, Sdp

PROTOCOLS = ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "RTP/SAVP")
"""Transports of streams whose keys may come by DTLS."""

_SHA_256 = re.compile(r"sha-256[ \t]+([0-9a-f]{2}(?::[0-9a-f]{2}){31})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DtlsLines:
    """One stream's side of it."""

    fingerprint: str
    """SHA-256 of its certificate, `AB:CD:…`."""
    setup: str
    """actpass, active or passive; actpass where nothing is said."""
    ice: bool
    """Whether it is found by ICE, so that address and port of its description mean nothing."""
    mid: str = ""
    bundle: bool = False
    """Whether it offers to be bundled (RFC 9143)."""

    @property
    def active(self) -> bool:
        """Whether the describer begins the handshake, or will when asked to."""
        return self.setup != "passive"


def dtls_of(sdp: Sdp, media: MediaDescription) -> DtlsLines | None:
    """Return what a stream says of DTLS, itself or for the session; None when it does not (or
    knows no fingerprint by SHA-256)."""

    def said(name: str) -> list[str]:
        return media.attributes(name) or sdp.attributes(name)

    found = next((m for value in said("fingerprint") if (m := _SHA_256.fullmatch(value))), None)
    if found is None:
        return None
    setup = (said("setup") or ["actpass"])[0].lower()
    return DtlsLines(
        fingerprint=found[1].upper(),
        setup=setup if setup in ("active", "passive") else "actpass",
        ice=bool(said("ice-ufrag")),
        mid=(media.attribute("mid") or "")[:64],
        bundle=any(value.upper().startswith("BUNDLE") for value in sdp.attributes("group")),
    )
