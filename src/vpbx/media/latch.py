"""How the ports of a session are guarded by an RTPProxy on another machine (`--media`).

It has to do so by itself. It sends to the address given by U/L until a packet comes from
elsewhere; then it sends there, "latched", and accepts another source only within ten seconds
after the next U/L. But a packet that comes while it is not latched yet, and is none of RTP, or
comes while no address is known, latches for good. So each port is first latched to a socket of
our own that never reads, by one packet from it (which is caught and passed to nobody); what
comes before an address is known is dropped, what comes after is learned, and the address is set
again until the side is heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from math import inf

import structlog

from vpbx.clock import Clock, Timer

from .control import checked
from .end import End
from .model import Side
from .sink import Sink
from .wire import Wire, packets_heard

__all__ = ["Latch"]

log = structlog.get_logger("vpbx.media")

_GUARD_LOOKS, _GUARD_REPEAT = 300, 100
_SETTLE_S = 0.25
"""After this RTPProxy in this process has seen what came to its ports: it takes 1 to 5 ms."""
_RELEARN_S = 8.0
"""A little less than RTPProxy's window for a new source."""
_HEARD_PACKETS = 50
"""In that time: a second of speech, more than what a scanner sends."""


class Latch:
    """Of the two ports of a session; `sink` is our socket, None where RTPProxy cannot reach it."""

    def __init__(
        self, wire: Wire, callid: str, ends: Mapping[Side, End], clock: Clock, sink: Sink | None
    ) -> None:
        self._wire = wire
        self._callid = callid
        self._ends = ends
        self._clock = clock
        self._sink = sink
        self._confirm_until = 0.0
        self._timer: Timer | None = None
        self.guarded = False
        """Whether a packet of ours is counted with those of each side."""

    def guard(self, *, here: bool) -> None:
        """Latch the ports to our own socket. `here`: RTPProxy is in this process after all."""
        if self._sink is not None:
            self._sink.latch(*(end.port for end in self._ends.values()))
            self.guarded = True
            self._confirm_until = self._clock.now() + _SETTLE_S if here else inf

    async def confirm(self) -> None:
        """Wait until RTPProxy has seen the guarding packets; usually it has, long ago."""
        if self._sink is None or self._clock.now() >= self._confirm_until:
            return
        for attempt in range(1, _GUARD_LOOKS):
            query = self._wire.count()
            checked(await query)
            stats = packets_heard(query)
            if stats is not None and min(stats.values()) > 0:
                break
            if attempt % _GUARD_REPEAT == 0:
                self._sink.latch(*(end.port for end in self._ends.values()))
            await asyncio.sleep(0.001)
        else:
            self.guarded = False
            log.warning("a media port could not be guarded", callid=self._callid)
        self._confirm_until = 0.0

    def note_baseline(self, end: End) -> None:
        """Keep how many packets a side has sent by now: those that come now are a new peer's."""
        self._wire.count().add_done_callback(partial(self._noted, end))

    def _noted(self, end: End, done: asyncio.Future[str]) -> None:
        stats = packets_heard(done)
        if stats is not None:
            end.baseline = stats[end.side]

    def look_later(self) -> None:
        """Have the address of each side set again until it is heard."""
        if self._timer is None:
            self._timer = self._clock.call_later(_RELEARN_S, self._relearn)

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _relearn(self) -> None:
        """Open RTPProxy's window for a new source again unless the sides are heard."""
        self._timer = None
        if any(end.relearn for end in self._ends.values()):
            self._wire.count().add_done_callback(self._heard)

    def _heard(self, done: asyncio.Future[str]) -> None:
        stats = packets_heard(done)
        if self._wire.closed or stats is None:
            return
        for side, end in self._ends.items():
            if not end.relearn:
                continue
            heard, end.baseline = stats[side] - end.baseline, stats[side]
            if heard < _HEARD_PACKETS:
                self._wire.send(end.relearn)
            else:
                end.relearn = ""
        self.look_later()
