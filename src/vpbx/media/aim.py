"""Where RTPProxy is told to send what either side of a session hears, and when.

The commands themselves cost little; waking RTPProxy's thread for one and ours for the answer
costs as much as all of them. So the address of one side is not sent before something is to be
heard there, then without waiting for the answer, together with what follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from . import kernel
from .end import End
from .equipment import Equipment
from .latch import Latch
from .listeners import Address
from .model import Side
from .wire import NOWHERE, Aimed, Wire

__all__ = ["Aim"]


class Aim:
    """Of one session; its ends tell it what comes to their gates."""

    __slots__ = ("_ends", "_latch", "_shared", "_wire", "audible")

    def __init__(
        self, wire: Wire, callid: str, ends: Mapping[Side, End], shared: Equipment
    ) -> None:
        self._wire = wire
        self._ends = ends
        self._shared = shared
        self._latch: Latch | None = None
        if shared.gates is None:
            self._latch = Latch(wire, callid, ends, shared.clock, shared.sink)
        self.audible = False
        """Whether something is to be heard already."""

    @property
    def nobody(self) -> Address:
        """Where what nobody is to hear is sent."""
        return self._shared.sink.address if self._shared.sink is not None else NOWHERE

    @property
    def own_packets(self) -> int:
        """How many packets of ours are counted with those of each side."""
        return int(self._latch is not None and self._latch.guarded)

    def begin(self) -> None:
        """Let nobody be learned at the ports before an SDP says whom to expect."""
        if self._latch is not None:
            self._latch.guard(here=self._shared.config.remote is None)

    def take(self, end: End) -> None:
        """Note where to send for a side, as `end` describes it now."""
        end.untold = self._aimed(end)
        end.relearn = ""

    def _aimed(self, end: End) -> Aimed:
        peer, target = end.peer, end.told
        mute = end.gate is None and peer is not None and not peer.listens
        # Where nobody hears it, whoever comes is learned all the same.
        return self.nobody if target is None or (mute and self._shared.sink) else target, peer

    def another_peer(self, end: End) -> None:
        """Note that what a side has sent so far was another one's."""
        if self._latch is not None:
            self._latch.note_baseline(end)

    async def tell(self) -> None:
        """Send the addresses not sent yet; that one fails is told, and silence ends the call."""
        self.audible = True
        if self._latch is not None:
            await self._latch.confirm()
        for end in self._ends.values():
            if end.gate is not None:
                end.gate.guard()
        if self._wire.closed:
            return
        a, b = (end.untold for end in self._ends.values())
        if a is not None and b is not None and self._latch is None:
            for end in self._ends.values():
                end.untold = None
            self._wire.tell(self._wire.both(a, b))
            return
        for end in self._ends.values():
            if end.untold is not None:
                self._send(end, end.untold)
        if self._latch is not None:
            self._latch.look_later()

    def tell_anew(self, end: End) -> asyncio.Future[str]:
        """Send the address of a side as `end` describes it now; the future is the answer."""
        return self._send(end, self._aimed(end))

    def _send(self, end: End, aimed: Aimed) -> asyncio.Future[str]:
        end.untold = None
        command = self._wire.address(end.side, *aimed)
        end.relearn = command if end.gate is None else ""
        return self._wire.tell(command)

    def redirect(self, end: End, source: Address) -> None:
        """Send to a side where its packets come from (its gate has learned that)."""
        if self._wire.closed:
            return
        end.target = source
        if self.audible:
            self.tell_anew(end)
        else:
            self.take(end)

    def pass_on(self, end: End, packet: bytes) -> None:
        """Send the other side a packet that came while `end`'s gate was learning."""
        if self._wire.closed:
            return
        other = self._ends[end.side.other]
        if other.gate is not None and other.target is not None and not other.quiet:
            kernel.send_from(other.gate.numbers[0], packet, other.target)

    def close(self) -> None:
        """Look for nobody any more, and leave no circle behind."""
        self._ends = {}
        if self._latch is not None:
            self._latch.close()
