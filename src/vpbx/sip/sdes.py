"""Keys for SRTP in a description, RFC 4568: `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:…`.

They stand there in the clear, so they mean something only where signalling is encrypted itself.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Sequence
from dataclasses import field

from vpbx.frozen import dataclass
from vpbx.sip.sdp import MediaDescription

SUITES = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")
"""What we know, best first."""

_KEY_BYTES = 30
_MAX_LINES = 16
_HARMLESS = ("WSH=", "FEC_ORDER=")
"""Session parameters that change nothing for us."""


@dataclass(frozen=True, slots=True)
class CryptoLine:
    """One a=crypto attribute that can be used. `key`: master key and salt, 30 bytes."""

    tag: int
    suite: str
    key: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"a=crypto:{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}"


def fresh_lines() -> tuple[CryptoLine, ...]:
    """Make what an offer of ours says: a key of its own for each suite."""
    return tuple(
        CryptoLine(tag, suite, secrets.token_bytes(_KEY_BYTES))
        for tag, suite in enumerate(SUITES, 1)
    )


def usable_lines(media: MediaDescription) -> tuple[CryptoLine, ...]:
    """Return the crypto attributes of a stream that we can follow, in their order.

    Left out are suites we do not know, key lists, an MKI (packets would bear it) and session
    parameters that turn protection off or change keys.
    """
    lines = (_read(value) for value in media.attributes("crypto")[:_MAX_LINES])
    return tuple(line for line in lines if line is not None)


def _read(value: str) -> CryptoLine | None:
    tag, suite, key, *parameters = [*value.split(), "", "", ""]
    method, _, rest = key.partition(":")
    text, *limits = rest.split("|")
    if not (tag.isascii() and tag.isdigit() and len(tag) < 10) or suite.upper() not in SUITES:
        return None
    if method.lower() != "inline" or any(":" in limit for limit in limits) or ";" in key:
        return None
    if any(p and not p.upper().startswith(_HARMLESS) for p in parameters):
        return None
    try:
        secret = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return CryptoLine(int(tag), suite.upper(), secret) if len(secret) == _KEY_BYTES else None


def matching(lines: Sequence[CryptoLine], other: CryptoLine) -> CryptoLine | None:
    """Return the line of an offer that `other`, of its answer, has chosen: by tag and suite, or
    by suite with phones that count anew."""
    same = [line for line in lines if line.suite == other.suite]
    return next((line for line in same if line.tag == other.tag), same[0] if same else None)


def reply_to(line: CryptoLine, before: CryptoLine | None) -> CryptoLine:
    """Make our side of a chosen line: its tag and suite, and the key we had for it, if any."""
    keep = before is not None and before.suite == line.suite
    key = before.key if keep and before is not None else secrets.token_bytes(_KEY_BYTES)
    return CryptoLine(line.tag, line.suite, key)
