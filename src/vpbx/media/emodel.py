"""How good sound is for who hears it: the E-model (ITU-T G.107), as far as a network is measured.

    R = 93.2 - Id - Ie,eff

with all that depends on rooms and loudness at its default (G.107 Table 2). Id is what delay
costs (the two straight lines that G.107 §7.4 comes to without echo), Ie,eff what the codec and
lost packets cost (G.107 §7.5), with a codec's Ie and Bpl of G.113 Appendix I. A MOS (1 to 4.5)
is another way to write R (G.107 Annex B).

Wideband codecs stand on the same scale as G.711, so their better sound shows as no more than
that of a clear line, and what packet loss costs is what can be compared.
"""

from __future__ import annotations

__all__ = ["delay_impairment", "equipment_impairment", "mos", "mos_of", "rating"]

_CLEAR = 93.2
"""R of a line on which nothing is lost or late."""
_CODECS: dict[str, tuple[float, float]] = {
    "PCMA": (0.0, 25.1),
    "PCMU": (0.0, 25.1),
    "G722": (0.0, 25.1),
    "OPUS": (0.0, 25.1),
    "G729": (11.0, 19.0),
    "GSM": (20.0, 10.0),
    "ILBC": (11.0, 32.0),
    "SPEEX": (11.0, 19.0),
}
"""Ie and Bpl. G.711: with concealment of losses (its Appendix I), as all phones have it."""
_UNKNOWN = (11.0, 19.0)
_LATE_MS, _PER_MS, _PER_LATE_MS = 177.3, 0.024, 0.11
_PACKET_MS = 20.0
_BUFFER = 2.0
"""A receiver's jitter buffer holds about twice the jitter."""


def mos(codec: str, loss: float, jitter_ms: float | None, rtt_ms: float | None) -> float:
    """Return the MOS of sound in `codec` (its name in SDP), of which the share `loss` (0 to 1)
    was lost; a jitter or round trip that nobody measured costs nothing."""
    delay_ms = _PACKET_MS + (rtt_ms or 0.0) / 2 + _BUFFER * (jitter_ms or 0.0)
    return mos_of(rating(delay_ms, equipment_impairment(codec, loss)))


def rating(delay_ms: float, equipment: float) -> float:
    """Return R for a delay from mouth to ear and an Ie,eff."""
    return _CLEAR - delay_impairment(delay_ms) - equipment


def delay_impairment(delay_ms: float) -> float:
    """Return Id of a delay from mouth to ear."""
    return _PER_MS * delay_ms + _PER_LATE_MS * max(0.0, delay_ms - _LATE_MS)


def equipment_impairment(codec: str, loss: float) -> float:
    """Return Ie,eff, for losses that come at random (BurstR 1)."""
    ie, bpl = _CODECS.get(codec.upper(), _UNKNOWN)
    percent = 100.0 * min(max(loss, 0.0), 1.0)
    return ie + (95.0 - ie) * percent / (percent + bpl)


def mos_of(r: float) -> float:
    """Return the MOS of an R."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)
