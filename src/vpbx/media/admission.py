"""Who is to send to a media port: what an SDP and its signalling say of the packets."""

from __future__ import annotations

from dataclasses import replace

from vpbx.frozen import dataclass

from .listeners import Address
from .packet_filter import Source, rtp_filter

__all__ = ["Admission"]

_RTP_HEADER, _RTP_VERSION = 12, 2


@dataclass(frozen=True, slots=True)
class Admission:
    """Who is to send."""

    exact: Address | None
    """By the SDP; None: it names no address."""
    payloads: tuple[int, ...] = ()
    """Payload types; none: all."""
    events: int | None = None
    """The one of telephone-event: some send it as a stream of its own, with another SSRC."""
    behind: str = ""
    """The address of a NAT the sender is behind."""
    fallback: str = ""
    """That address, to be tried where the exact port turns out to be closed."""

    @property
    def sources(self) -> tuple[Source, ...]:
        """What a listening socket lets in."""
        exact: tuple[Source, ...] = (self.exact,) if self.exact else ()
        return (*exact, (self.behind, None)) if self.behind else exact

    def same_place(self, other: Admission) -> bool:
        """Say whether both differ by payload types at most."""
        return replace(self, payloads=other.payloads, events=other.events) == other

    def filter(self, sources: tuple[Source, ...], ssrc: int | None = None) -> bytes:
        """Return the filter for packets of these sources, with that SSRC if one is given."""
        return rtp_filter(sources, self.payloads, ssrc, self.events)

    def fits(self, packet: bytes) -> bool:
        """Say whether a packet is one that `filter` lets through, wherever it comes from."""
        if len(packet) < _RTP_HEADER or packet[0] >> 6 != _RTP_VERSION:
            return False
        kind = packet[1] & 0x7F
        return not self.payloads or kind in self.payloads or kind == self.events

    def voice(self, packet: bytes) -> int | None:
        """Return the SSRC of a packet of sound; None for a telephone-event."""
        if packet[1] & 0x7F == self.events:
            return None
        return int.from_bytes(packet[8:12], "big")
