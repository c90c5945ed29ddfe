"""Which place of which way out is tried when one does not take a call, and what is learned of it.

Whoever calls an outside number goes by this: the call of an employee, a customer's that is sent
on, a mobile that rings beside its owner's phones.
"""

from __future__ import annotations

from collections.abc import Sequence

from vpbx.calls.call import Call
from vpbx.calls.inbox import Event, Reminder
from vpbx.calls.leg import Leg
from vpbx.calls.ways import Way
from vpbx.sip import Hop

__all__ = ["Trial", "Trials"]

RINGING = (180, 181, 182)
_OF_THE_WAY = frozenset((401, 407, 408))
"""A wrong password, silence. After somebody's phone has rung 408 says that nobody took it."""


class Trials:
    """The places to try for one call: all of a way, then those of the next one."""

    def __init__(self, call: Call, ways: Sequence[Way]) -> None:
        self._call = call
        self._left = [(way, hop) for way in ways for hop in way.tries]

    def next(self) -> Trial | None:
        """Return what is to be tried now; None: nothing is left."""
        if not self._left:
            return None
        way, hop = self._left.pop(0)
        return Trial(self._call, way, hop, self)

    @property
    def upcoming(self) -> Way | None:
        """The way that would be tried next."""
        return self._left[0][0] if self._left else None


class Trial:
    """One INVITE to one place of a way."""

    def __init__(self, call: Call, way: Way, hop: Hop, others: Trials) -> None:
        self.way = way
        self.hop = hop
        self.others = others
        """What is left to try when it fails."""
        self.rang = False
        """Whether somebody's phone has."""
        self._call = call
        config = call.switch.config
        self._limits = [config.trunk_silence_s, config.trunk_trying_s]
        self._silent: Reminder | None = None
        if others.upcoming is not None:
            self._silent = call.remind(self._limits[0])

    def progress(self, code: int) -> None:
        """It has answered something provisional that is no mere 100."""
        self.rang = self.rang or code in RINGING
        self.stop()

    def is_silent(self, event: Event, leg: Leg) -> bool:
        """Say whether it has not answered in time: nothing at all, or a mere 100. That is no
        reason to give it up where nothing else is left."""
        if self._silent is None or not self._silent.means(event):
            return False
        waited_s, longest_s = self._limits
        if leg.session.proceeding and waited_s < longest_s:
            self._limits[0] = longest_s
            self._silent = self._call.remind(longest_s - waited_s)
            return False
        self._over("it is silent")
        return True

    def failed(self, code: int) -> bool:
        """Take note of a final answer, and say whether another place may do better: it speaks of
        the way, not of who is called."""
        self.stop()
        if code // 100 == 5 or (code in _OF_THE_WAY and not self.rang):
            self._over(f"it answers {code}")
            return True
        self.served()
        return False

    def served(self) -> None:
        """Take note that the way does its work."""
        self.stop()
        self._call.switch.connections.carriers.served(self.way)

    def stop(self) -> None:
        """Wait for nothing any more."""
        if self._silent is not None:
            self._silent.cancel()
            self._silent = None

    def _over(self, why: str) -> None:
        """The last place of a way has failed, and with it the way."""
        self.stop()
        if self.others.upcoming is not self.way:
            self._call.switch.connections.carriers.failed(self.way, why)
