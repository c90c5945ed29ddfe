"""Which sessions have given a password lately.

Kept in memory: after a restart whoever does something weighty is asked once more.
"""

from __future__ import annotations

from collections import OrderedDict

from vpbx.clock import Clock

__all__ = ["LASTS_S", "Proofs"]

LASTS_S = 600.0
_MOST = 50_000


class Proofs:
    """When each session gave a password last, by its number."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at: OrderedDict[int, float] = OrderedDict()

    def note(self, session_id: int) -> None:
        """A session has just given the password of its account."""
        self._at.pop(session_id, None)
        self._at[session_id] = self._clock.now()
        while len(self._at) > _MOST:
            self._at.popitem(last=False)

    def is_recent(self, session_id: int) -> bool:
        """Say whether a session gave it within the last ten minutes."""
        at = self._at.get(session_id)
        return at is not None and self._clock.now() - at < LASTS_S
