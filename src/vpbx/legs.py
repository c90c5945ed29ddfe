"""What is kept of a call's legs: who was at each, and how good their sound was.

Plain values, which call control measures and history keeps with the call's row as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from vpbx.frozen import dataclass
from vpbx.jsontext import compact

__all__ = ["CallLeg", "Grade", "Sound", "dump_legs", "grade", "load_legs", "way_name", "worst"]

_GOOD, _FAIR = 4.0, 3.1

_MOST = 24
"""Legs that are kept of a call: somebody may be passed on for hours."""


class Grade(StrEnum):
    """A MOS in a word. The limits are those of R 80 ("satisfied") and R 60 ("many dissatisfied",
    ITU-T G.107 Table B.1)."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


def grade(mos: float) -> Grade:
    """Return a MOS in a word."""
    if mos >= _GOOD:
        return Grade.GOOD
    return Grade.FAIR if mos >= _FAIR else Grade.POOR


@dataclass(frozen=True, slots=True)
class Sound:
    """One direction of a leg: from its device to us, or the other way."""

    packets: int
    """That arrived."""
    lost: int
    jitter_ms: float | None
    """None: it was not measured."""
    mos: float
    """By the E-model, 1 to 4.5."""

    @property
    def loss(self) -> float:
        """The share that was lost, in percent."""
        return 100 * self.lost / (self.packets + self.lost) if self.lost else 0.0

    @property
    def grade(self) -> Grade:
        """How it sounds, in a word."""
        return grade(self.mos)


@dataclass(frozen=True, slots=True)
class CallLeg:
    """One leg that talked, or was played to."""

    who: str
    """Name of the employee, else the outside number; "": it was hidden."""
    login: str = ""
    """Of the employee."""
    way: str = ""
    """The trunk, registration or connected PBX it went through, as calls name it."""
    codec: str = ""
    received: Sound | None = None
    """What came from the device; None: nothing at all."""
    sent: Sound | None = None
    """What it was sent, as it reports by RTCP; None: it reports nothing."""
    rtt_ms: float | None = None
    """There and back between the device and us."""

    @property
    def silent(self) -> bool:
        """Whether nothing came from it."""
        return self.received is None

    @property
    def mos(self) -> float | None:
        """The worse of its directions; None: nothing was measured."""
        known = [sound.mos for sound in (self.received, self.sent) if sound is not None]
        return min(known) if known else None


def way_name(way: str) -> str:
    """Return the name in the key of a way: the trunk's, the registered number, the other PBX's
    domain."""
    kind, _, rest = way.partition(" ")
    if kind in ("registration", "branch"):
        return rest.partition(" of ")[0]
    return rest if kind == "trunk" else way


def worst(legs: Iterable[CallLeg]) -> int | None:
    """Return a call's MOS in hundredths: that of its worst leg; None: nothing was measured."""
    known = [leg.mos for leg in legs if leg.mos is not None]
    return round(100 * min(known)) if known else None


def dump_legs(legs: Iterable[CallLeg]) -> str:
    """Return legs as they are kept; "" for none."""
    kept = [
        [leg.who, leg.login, leg.way, leg.codec, _dump(leg.received), _dump(leg.sent), leg.rtt_ms]
        for leg in tuple(legs)[:_MOST]
    ]
    return compact(kept) if kept else ""


def load_legs(text: str | None) -> tuple[CallLeg, ...]:
    """Return what `dump_legs` made; of a call that has none, nothing."""
    if not text:
        return ()
    return tuple(
        CallLeg(who, login, way, codec, _load(received), _load(sent), rtt_ms)
        for who, login, way, codec, received, sent, rtt_ms in json.loads(text)
    )


def _dump(sound: Sound | None) -> list[Any] | None:
    if sound is None:
        return None
    return [sound.packets, sound.lost, sound.jitter_ms, sound.mos]


def _load(kept: list[Any] | None) -> Sound | None:
    return None if kept is None else Sound(*kept)
