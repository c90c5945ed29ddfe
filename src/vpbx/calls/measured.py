"""What was measured of a call's legs: who sat in its seats, and how good their sound was."""

from __future__ import annotations

from collections.abc import Mapping

from vpbx.calls.leg import Leg
from vpbx.legs import CallLeg, Sound
from vpbx.media import Part, Side, Stream, mos

__all__ = ["Measured"]


class Measured:
    """Of one chapter of a call; a leg that never answered is none."""

    __slots__ = ("_over",)

    def __init__(self) -> None:
        self._over: list[tuple[Leg, str, str, Part]] = []

    def over(self, leg: Leg, part: Part) -> None:
        """Note that a leg has left its seat."""
        voice = leg.sound.voice if leg.sound.described else None
        self._over.append((leg, _name(leg), voice.name if voice is not None else "", part))

    def all_over(self, seats: Mapping[Side, Leg], parts: Mapping[Side, Part]) -> None:
        """Note that those in the seats leave them at once."""
        for side, leg in seats.items():
            if side in parts and leg.session.answered:
                self.over(leg, parts[side])

    async def take(self, client: str) -> tuple[CallLeg, ...]:
        """Return the legs that are over, and begin anew. `client`: the outside number."""
        over, self._over = self._over, []
        return tuple(
            [await _leg(leg, name or client, codec, part) for leg, name, codec, part in over]
        )


def _name(leg: Leg) -> str:
    party = leg.party
    return "" if party is None else party.name or party.ext or party.login


async def _leg(leg: Leg, who: str, codec: str, part: Part) -> CallLeg:
    quality = await part.quality()
    return CallLeg(
        who=who,
        login=leg.party.login if leg.party is not None else "",
        way=leg.way,
        codec=codec,
        received=_sound(codec, quality.received, quality.rtt_ms),
        sent=_sound(codec, quality.sent, quality.rtt_ms),
        rtt_ms=None if quality.rtt_ms is None else round(quality.rtt_ms, 1),
    )


def _sound(codec: str, stream: Stream | None, rtt_ms: float | None) -> Sound | None:
    if stream is None:
        return None
    return Sound(
        packets=stream.packets,
        lost=stream.lost,
        jitter_ms=None if stream.jitter_ms is None else round(stream.jitter_ms, 1),
        mos=round(mos(codec, stream.loss, stream.jitter_ms, rtt_ms), 2),
    )
