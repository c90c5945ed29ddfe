"""Measures the sound of a session, leg by leg (see `quality`).

RTCP comes to a socket of ours a second after the call has begun: from then on what devices
report is read here, and passed on to the other side as RTPProxy would have done. Encrypted legs
are no exception: the process in front of RTPProxy has decrypted it, and hands it on from there.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import TypeAlias

from vpbx.clock import Clock

from . import kernel
from .end import End
from .listeners import Address, read
from .model import MediaError, Side
from .quality import Counted, Heard, LegQuality, Stream, counted, quality_of
from .rtcp import Reports, parse
from .wire import Wire

__all__ = ["Meter", "Part"]

_BEGINS_S = 1.0
"""No device reports before that (RFC 3550 §6.2), and many calls are over by then."""
_MOST_PER_S = 20
"""Of one side: who sends more RTCP has it passed on by RTPProxy, unread."""
_RATE = 8000
_STATIC_PAYLOADS = range(96)
"""Those whose clock RTPProxy knows."""

_SIDES = tuple(Side)
"""Gone through by C; the enumeration itself is by functions of Python, 15 us a call."""

_Clock: TypeAlias = tuple[int, bool]
"""How many times a second the clock of a codec ticks, and whether RTPProxy knows that."""


class Meter:
    """Of one session."""

    __slots__ = ("_asides", "_base", "_begun_at", "_clock", "_ears", "_ends", "_heard", "_wire")

    def __init__(self, wire: Wire, ends: Mapping[Side, End], clock: Clock) -> None:
        self._wire = wire
        self._ends = ends
        self._clock = clock
        self._begun_at = clock.now()
        self._heard = {side: Heard(self._begun_at) for side in _SIDES}
        self._base: dict[Side, asyncio.Future[str] | None] = dict.fromkeys(_SIDES)
        self._asides = dict.fromkeys(_SIDES, 0)
        self._ears: dict[Side, _Ear] = {}

    def begins(self, side: Side) -> None:
        """Note that a side is sent sound from now on, if it has reported nothing yet."""
        heard = self._heard[side]
        if not heard.sources:
            heard.since = self._clock.now()

    def look(self) -> None:
        """Begin to hear RTCP where that is due (the engine calls this while calls are on)."""
        if len(self._ears) == len(self._ends) or self._clock.now() - self._begun_at < _BEGINS_S:
            return
        for side, end in self._ends.items():
            gate = end.gate
            if side not in self._ears and gate is not None and gate.source is not None:
                self._ears[side] = _Ear(gate.hear_reports(partial(self._reported, side)))

    @property
    def hearing(self) -> set[Side]:
        """Whose RTCP comes here."""
        return {side for side, ear in self._ears.items() if ear.sock is not None}

    def _reported(self, side: Side) -> None:
        ear, end = self._ears[side], self._ends[side]
        gate = end.gate
        if ear.sock is None or gate is None:
            return
        now = self._clock.now()
        for packet, source in read(ear.sock)[0]:
            if ear.floods(now):
                gate.reports_no_more()
                ear.sock = None
                return
            reports = parse(packet)
            if reports is None or not _is_whose(end, source, reports):
                continue
            ear.source = source
            heard = self._heard[side]
            heard.is_one_stream = end.channel is not None or end.browser is not None
            heard.reported(reports, now, _clock_of(end)[0])
            self._pass_on(end, packet, reports, now)

    def _pass_on(self, end: End, packet: bytes, reports: Reports, now: float) -> None:
        other = self._ends[end.side.other]
        if other.gate is None or other.target is None:
            return
        ear = self._ears.get(other.side)
        host, port = other.target[0], other.target[1] + 1
        if ear is not None and ear.source is not None and ear.source[0] == host:
            port = ear.source[1]
        kernel.send_from(other.gate.numbers[1], packet, (host, port))
        self._heard[other.side].told(reports.stamp, now)

    def part(self, side: Side) -> Part:
        """End what is measured of the leg at `side`; what comes now is another's."""
        part = self._part(side, {one: self._wire.measure(one) for one in _SIDES})
        self._anew(side, part)
        return part

    def _anew(self, side: Side, part: Part) -> None:
        self._base[side] = part.asked[side]
        self._heard[side] = Heard(self._clock.now())
        gate = self._ends[side].gate
        self._asides[side] = gate.aside if gate is not None else 0
        if side in self._ears:
            self._ears[side].source = None

    def parts(self) -> Mapping[Side, Part]:
        """End what is measured of both legs."""
        parts = self._parts({side: self._wire.measure(side) for side in _SIDES})
        for side in _SIDES:
            self._anew(side, parts[side])
        return parts

    def _parts(self, asked: Mapping[Side, asyncio.Future[str]]) -> Mapping[Side, Part]:
        return {side: self._part(side, asked) for side in _SIDES}

    def _part(self, side: Side, asked: Mapping[Side, asyncio.Future[str]]) -> Part:
        return Part(
            side,
            asked,
            dict(self._base),
            {one: self._aside(one) for one in _SIDES},
            {one: _clock_of(self._ends[one]) for one in _SIDES},
            self._heard[side],
        )

    def _aside(self, side: Side) -> int:
        gate = self._ends[side].gate
        return 0 if gate is None else gate.aside - self._asides[side]


class Part:
    """What was measured of one leg; known as soon as RTPProxy has answered."""

    __slots__ = ("_aside", "_base", "_clocks", "_heard", "_side", "asked")

    def __init__(
        self,
        side: Side,
        asked: Mapping[Side, asyncio.Future[str]],
        base: Mapping[Side, asyncio.Future[str] | None],
        aside: Mapping[Side, int],
        clocks: Mapping[Side, _Clock],
        heard: Heard,
    ) -> None:
        self._side = side
        self.asked = asked
        """RTPProxy's counters at its end."""
        self._base = base
        self._aside = aside
        self._clocks = clocks
        self._heard = heard

    async def quality(self) -> LegQuality:
        """Return it."""
        for answer in self.asked.values():
            with suppress(MediaError, OSError):
                await answer
        other = self._of(self._side.other, Heard(), None)
        return self._of(self._side, self._heard, other.received)

    def _of(self, side: Side, heard: Heard, other: Stream | None) -> LegQuality:
        rate, timed = self._clocks[side]
        mine = _since(self.asked[side], self._base[side])
        return quality_of(mine, self._aside[side], heard, other, rate, timed=timed)


class _Ear:
    """A socket for RTCP of one side; None: it cannot be, or is no more."""

    __slots__ = ("_many", "_second", "sock", "source")

    def __init__(self, sock: socket.socket | None) -> None:
        self.sock = sock
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
    if gate is None or gate.source is None:
        return False
    host, port = gate.source
    return source == (host, port + 1) or reports.ssrc == gate.voice


def _since(asked: asyncio.Future[str], base: asyncio.Future[str] | None) -> Counted:
    now = counted(asked) if asked.done() else None
    before = counted(base) if base is not None and base.done() else None
    if now is None:
        return Counted()
    return now if before is None else now.since(before)


def _clock_of(end: End) -> _Clock:
    peer = end.peer
    if peer is None or not peer.payloads:
        return _RATE, False
    voice = peer.payloads[0]
    return dict(peer.rates).get(voice, _RATE), voice in _STATIC_PAYLOADS
