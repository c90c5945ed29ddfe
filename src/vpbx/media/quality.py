"""How good the sound of a session is, side by side: what RTPProxy counts of what it receives,
and what the devices report of what they receive (RFC 3550 §6.4).

RTPProxy counts in C, at its own cost, and is asked when a leg is over. It does not see what is
kept from it for a while (a seat on hold, a side whose digits are caught); a gate counts those
packets, or they would be losses. Sequence numbers and reports are passed on as they are (a
translator, RFC 3550 §7.2): so what a device reports as lost is what was lost on both legs, and
what the other leg lost is taken off; its jitter likewise, as far as the two are independent. A
round trip is timed from when a sender report was passed on to when the device answers it.
"""

from __future__ import annotations

import asyncio
from dataclasses import field
from math import sqrt

from vpbx.frozen import dataclass

from .rtcp import Block, Reports

__all__ = [
    "COUNTERS",
    "Counted",
    "Heard",
    "LegQuality",
    "Stream",
    "counted",
    "quality_of",
    "received_of",
]

COUNTERS = "rtpa_nsent rtpa_nrcvd rtpa_ndups rtpa_javg"
"""What RTPProxy is asked for."""

_MOST_STAMPS = 8
_MOST_SOURCES = 8
_MOST_RTT_S = 10.0
_MOST_JITTER_S = 5.0
_MOST_PER_S = 1000
"""Packets a second: nothing that makes sound sends more."""
_FIRST_BLOCK_S = 30.0
_PER_S = 50
"""Packets a second, of 20 ms each."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Sound in one direction."""

    packets: int
    """That arrived."""
    lost: int
    jitter_ms: float | None
    """None: nobody measured it."""

    @property
    def loss(self) -> float:
        """The share that was lost, 0 to 1."""
        return self.lost / (self.packets + self.lost) if self.lost else 0.0


@dataclass(frozen=True, slots=True)
class LegQuality:
    """How the sound of one leg was on its way between the device and here."""

    received: Stream | None = None
    """What came from the device; None: nothing did."""
    sent: Stream | None = None
    """What we sent it, as it reports; None: it reported nothing."""
    rtt_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """RTPProxy's counters of what it received from one side."""

    expected: int = 0
    received: int = 0
    duplicates: int = 0
    jitter: float = 0.0
    """The mean, in units of the codec's clock."""

    def since(self, before: Counted) -> Counted:
        """Return what was counted after `before`."""
        received = self.received - before.received
        total = self.jitter * self.received - before.jitter * before.received
        return Counted(
            self.expected - before.expected,
            received,
            self.duplicates - before.duplicates,
            max(0.0, total / received) if received > 0 else 0.0,
        )


def counted(done: asyncio.Future[str]) -> Counted | None:
    """Return RTPProxy's answer to a question for `COUNTERS`."""
    if done.cancelled() or done.exception() is not None:
        return None
    words = done.result().split()
    try:
        expected, received, duplicates = map(int, words[:3])
        return Counted(expected, received, duplicates, float(words[3]))
    except (ValueError, IndexError):
        return None  # one elsewhere may not know them


@dataclass(slots=True)
class _Source:
    """What a device reports of one source that it hears."""

    first: Block
    last: Block
    before: int
    """Packets that came to it before its first report, as far as is known."""


@dataclass(slots=True)
class Heard:
    """What one device reports, and what it was told."""

    since: float = 0.0
    """When it began to be sent sound (engine's clock)."""
    sources: dict[int, _Source] = field(default_factory=dict)
    stamps: dict[int, float] = field(default_factory=dict)
    """Sender reports that were passed on to it, and when."""
    jitters: list[float] = field(default_factory=list)
    """In seconds, one for each report."""
    trips: list[float] = field(default_factory=list)
    """Round trips, in seconds."""
    is_one_stream: bool = False
    """Whether it hears one stream whoever speaks (`one_stream`): then it counts on."""
    _reported_at: float = 0.0

    def told(self, stamp: int, now: float) -> None:
        """Note that it is passed a sender report."""
        if not stamp:
            return
        while len(self.stamps) >= _MOST_STAMPS:
            del self.stamps[next(iter(self.stamps))]
        self.stamps[stamp] = now

    def reported(self, reports: Reports, now: float, clock_rate: int) -> None:
        """Take what it reports; what cannot be is dropped."""
        for block in reports.blocks:
            jitter_s = block.jitter / clock_rate
            known = self.sources.get(block.ssrc)
            if jitter_s > _MOST_JITTER_S or not self._believable(block, known, now):
                continue
            if known is None and len(self.sources) < _MOST_SOURCES:
                self.sources[block.ssrc] = self._new(block, now)
            elif known is not None:
                known.last = block
            _keep(self.jitters, jitter_s)
            self._trip(block, now)
            self._reported_at = now

    def _new(self, block: Block, now: float) -> _Source:
        """Return what a first report of a source comes to."""
        if not self.is_one_stream or not self.sources:
            return _Source(block, block, _before(block, now - self.since))
        return _Source(block, block, round((now - self._reported_at) * _PER_S))

    def _believable(self, block: Block, known: _Source | None, now: float) -> bool:
        most = _MOST_PER_S * max(1.0, now - self.since)
        if known is None:
            return block.lost <= most
        came = block.highest - known.last.highest
        lost = block.lost - known.last.lost
        return 0 <= came <= most and lost <= came

    def _trip(self, block: Block, now: float) -> None:
        at = self.stamps.get(block.lsr) if block.lsr else None
        if at is None:
            return
        trip = now - at - block.dlsr / 65536
        if -0.005 <= trip <= _MOST_RTT_S:
            _keep(self.trips, max(0.0, trip))

    def totals(self) -> tuple[int, int]:
        """Return how many packets it should have had, and how many were lost."""
        sources = self.sources.values()
        expected = sum(one.before + one.last.highest - one.first.highest for one in sources)
        losses = [max(0, one.last.lost) for one in sources]
        lost = max(losses, default=0) if self.is_one_stream else sum(losses)
        return expected, min(lost, expected)


def _before(block: Block, seconds: float) -> int:
    """Return how many packets stand behind a first report: it does not say where they began."""
    if block.lost > 0 and block.fraction:
        return block.lost * 256 // block.fraction
    return round(min(seconds, _FIRST_BLOCK_S) * _PER_S)


_MOST_KEPT = 720


def _keep(values: list[float], value: float) -> None:
    if len(values) < _MOST_KEPT:
        values.append(value)


def received_of(mine: Counted, aside: int, clock_rate: int, *, timed: bool) -> Stream | None:
    """Return what came from a device. `aside`: packets RTPProxy did not see and that were not
    lost. `timed`: whether RTPProxy knows the clock of the codec."""
    if mine.received <= 0:
        return None
    missing = max(0, mine.expected - mine.received)
    aside = min(aside, missing)
    jitter_ms = 1000 * mine.jitter / clock_rate if timed else None
    return Stream(mine.received + aside, missing - aside, jitter_ms)


def quality_of(received: Stream | None, heard: Heard, other: Stream | None) -> LegQuality:
    """Return the quality of a leg. `other`: what came from the other side of the session, whose
    faults the device's reports repeat."""
    if not heard.sources:
        return LegQuality(received)
    trips = sorted(heard.trips)
    rtt_ms = 1000 * trips[len(trips) // 2] if trips else None
    return LegQuality(received, _sent(heard, other), rtt_ms)


def _sent(heard: Heard, other: Stream | None) -> Stream | None:
    expected, lost = heard.totals()
    if expected <= 0:
        return None
    before = round(expected * other.loss) if other is not None else 0
    lost = max(0, lost - before)
    jitter_ms = 1000 * sum(heard.jitters) / len(heard.jitters)
    theirs = other.jitter_ms if other is not None else None
    if theirs is not None:
        jitter_ms = sqrt(max(0.0, jitter_ms**2 - theirs**2))
    return Stream(max(0, expected - before - lost), lost, jitter_ms)
