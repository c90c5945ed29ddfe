"""Measures the sound of a session, leg by leg (see `quality`).

RTCP comes to a socket of ours: what devices report is read here, and passed on to the other side
as RTPProxy would have done. Encrypted legs are no exception: the process in front of RTPProxy has
decrypted it, and hands it on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import TypeAlias

from vpbx.clock import Clock

from . import kernel
from .end import End
from .listeners import Address
from .model import MediaError, Side
from .quality import Counted, Heard, LegQuality, Stream, counted, quality_of, received_of
from .rtcp import Reports, parse
from .wire import Wire

__all__ = ["Meter", "Part"]

_MOST_PER_S = 20
"""Of one side: who sends more RTCP has it passed on by RTPProxy, unread."""
_RATE = 8000
_STATIC_PAYLOADS = range(96)
"""Those whose clock RTPProxy knows."""

_BOTH = (Side.A, Side.B)
_Terms: TypeAlias = tuple[int, int, bool]
"""Packets that RTPProxy did not see, how many times a second the clock of the codec ticks, and
whether RTPProxy knows that."""


class Meter:
    """Of one session."""

    __slots__ = ("_asides", "_base", "_clock", "_ears", "_ends", "_heard", "_wire")

    def __init__(self, wire: Wire, ends: Mapping[Side, End], clock: Clock) -> None:
        self._wire = wire
        self._ends = ends
        self._clock = clock
        now = clock.now()
        self._heard = {side: Heard(now) for side in _BOTH}
        self._base: dict[Side, asyncio.Future[str] | None] = dict.fromkeys(_BOTH)
        self._asides = dict.fromkeys(_BOTH, 0)
        self._ears = {side: _Ear() for side in _BOTH}

    def begins(self, side: Side) -> None:
        """Note that a side is sent sound from now on, if it has reported nothing yet."""
        heard = self._heard[side]
        if not heard.sources:
            heard.since = self._clock.now()

    def attend(self) -> None:
        """Hear RTCP at the gates of both sides, as soon as they guard against strangers'."""
        for side, end in self._ends.items():
            if end.gate is not None:
                end.gate.hear_reports(partial(self._reported, side))

    @property
    def hearing(self) -> set[Side]:
        """Whose RTCP comes here."""
        ends = self._ends.items()
        return {side for side, end in ends if end.gate is not None and end.gate.hears_reports}

    def _reported(self, side: Side) -> None:
        ear, end = self._ears[side], self._ends[side]
        gate = end.gate
        if gate is None:
            return
        now = self._clock.now()
        for packet, source in gate.reports():
            if ear.floods(now):
                gate.reports_no_more()
                return
            reports = parse(packet)
            if reports is None or not _is_whose(end, source, reports):
                continue
            ear.source = source
            heard = self._heard[side]
            heard.is_one_stream = end.channel is not None or end.browser is not None
            heard.reported(reports, now, _clock_rate(end))
            self._pass_on(end, packet, reports, now)

    def _pass_on(self, end: End, packet: bytes, reports: Reports, now: float) -> None:
        other = self._ends[end.side.other]
        if other.gate is None or other.target is None:
            return
        ear = self._ears[other.side]
        host, port = other.target[0], other.target[1] + 1
        if ear.source is not None and ear.source[0] == host:
            port = ear.source[1]
        kernel.send_from(other.gate.numbers[1], packet, (host, port))
        self._heard[other.side].told(reports.stamp, now)

    def part(self, side: Side) -> Part:
        """End what is measured of the leg at `side`; what comes now is another's."""
        part = Part(self._look_now(), side, self._heard[side])
        self._anew(side, part.at_end)
        return part

    def parts(self) -> Mapping[Side, Part]:
        """End what is measured of both legs."""
        now = self._look_now()
        parts = {side: Part(now, side, self._heard[side]) for side in _BOTH}
        for side in _BOTH:
            self._anew(side, now)
        return parts

    def _look_now(self) -> _Look:
        asked = {side: self._wire.measure(side) for side in _BOTH}
        return _Look(asked, dict(self._base), {side: self._terms(side) for side in _BOTH})

    def _terms(self, side: Side) -> _Terms:
        end = self._ends[side]
        gate, peer = end.gate, end.peer
        aside = 0 if gate is None else gate.aside - self._asides[side]
        timed = peer is not None and bool(peer.payloads) and peer.payloads[0] in _STATIC_PAYLOADS
        return aside, _clock_rate(end), timed

    def _anew(self, side: Side, now: _Look) -> None:
        self._base[side] = now.asked[side]
        self._heard[side] = Heard(self._clock.now())
        gate = self._ends[side].gate
        self._asides[side] = gate.aside if gate is not None else 0
        self._ears[side].source = None


class _Look:
    """RTPProxy's counters of both sides at one moment, and what they count from."""

    __slots__ = ("_base", "_found", "_terms", "asked")

    def __init__(
        self,
        asked: Mapping[Side, asyncio.Future[str]],
        base: Mapping[Side, asyncio.Future[str] | None],
        terms: Mapping[Side, _Terms],
    ) -> None:
        self.asked = asked
        self._base = base
        self._terms = terms
        self._found: dict[Side, Stream | None] | None = None

    async def found(self) -> Mapping[Side, Stream | None]:
        """Return what came from each side, as soon as RTPProxy has answered."""
        if self._found is None:
            for answer in self.asked.values():
                with suppress(MediaError, OSError):
                    await answer
            self._found = {side: self._of(side) for side in _BOTH}
        return self._found

    def _of(self, side: Side) -> Stream | None:
        aside, rate, timed = self._terms[side]
        return received_of(_since(self.asked[side], self._base[side]), aside, rate, timed=timed)


class Part:
    """What was measured of one leg."""

    __slots__ = ("_heard", "_side", "at_end")

    def __init__(self, at_end: _Look, side: Side, heard: Heard) -> None:
        self.at_end = at_end
        self._side = side
        self._heard = heard

    async def quality(self) -> LegQuality:
        """Return it, as soon as RTPProxy has answered."""
        found = await self.at_end.found()
        return quality_of(found[self._side], self._heard, found[self._side.other])


class _Ear:
    """What is known of the RTCP of one side."""

    __slots__ = ("_many", "_second", "source")

    def __init__(self) -> None:
        self.source: Address | None = None
        """Where RTCP comes from."""
        self._second = self._many = 0

    def floods(self, now: float) -> bool:
        """Count a packet, and say whether there are too many."""
        if int(now) != self._second:
            self._second, self._many = int(now), 0
        self._many += 1
        return self._many > _MOST_PER_S


def _is_whose(end: End, source: Address, reports: Reports) -> bool:
    """Whether RTCP is of the device whose sound comes in: from the port beside its sound's, or
    with that sound's SSRC, which a stranger does not know."""
    gate = end.gate
    return gate is not None and (gate.is_beside(source) or reports.ssrc == gate.voice)


def _since(asked: asyncio.Future[str], base: asyncio.Future[str] | None) -> Counted:
    now = counted(asked) if asked.done() else None
    before = counted(base) if base is not None and base.done() else None
    if now is None:
        return Counted()
    return now if before is None else now.since(before)


def _clock_rate(end: End) -> int:
    peer = end.peer
    if peer is None or not peer.payloads or not peer.rates:
        return _RATE
    return dict(peer.rates).get(peer.payloads[0], _RATE)
