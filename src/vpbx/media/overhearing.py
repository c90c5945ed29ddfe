"""Digits by RFC 4733 that RTPProxy does not hear: of a side, while music is played to the other."""

from __future__ import annotations

from collections.abc import Callable

from .rtp import EVENTS, Packet

__all__ = ["Overhearing"]


_IN_PROGRESS_S = 0.15


class Overhearing:
    """Takes a side's packets in the place of RTPProxy, and tells each digit as it begins.

    `payload_type`: the number that telephone-events come under now. A digit that has begun
    before is known already: what comes of it first is no beginning (it has no marker, RFC 4733
    §2.5.1.1).
    """

    def __init__(
        self, payload_type: int, tell: Callable[[str], None], now: Callable[[], float]
    ) -> None:
        self.payload_type = payload_type
        self._tell = tell
        self._now = now
        self._began_at = now()
        self._last: int | None = None
        """The timestamp of the event heard last: all of its packets have the same one."""

    def heard(self, data: bytes) -> None:
        """Take a packet."""
        packet = Packet.parse(data)
        if packet is None or packet.payload_type != self.payload_type or not packet.payload:
            return
        if packet.timestamp == self._last or packet.payload[0] >= len(EVENTS):
            return
        first, self._last = self._last is None, packet.timestamp
        known = first and not packet.marker and self._now() - self._began_at < _IN_PROGRESS_S
        if not known:
            self._tell(EVENTS[packet.payload[0]])
