"""Call ids: decimal, at most 15 digits, unique across nodes, sorted by when calls began.

    milliseconds since `EPOCH_S` (12 digits) | node (2 digits) | sequence (1 digit)

So they pass unharmed through JavaScript's numbers, INT8 columns and spreadsheets, which keep 15
digits, until the year 2056. Ids of before, of 63 bits, are longer: they stay as they were given
out, and clash with none of these.
"""

from __future__ import annotations

from vpbx.clock import Clock

__all__ = ["EPOCH_S", "MAX_DIGITS", "CallIds"]

EPOCH_S = 1_735_689_600
"""2025-01-01T00:00:00Z."""

MAX_DIGITS = 15
_NODES = 100
_A_MILLISECOND = 10
_MAX_MS = 10**12 - 1


class CallIds:
    """Gives out the call ids of one node (0 to 99)."""

    def __init__(self, node: int, clock: Clock) -> None:
        if not 0 <= node < _NODES:
            raise ValueError(f"node must be 0 to {_NODES - 1}, not {node}")
        self._node = node
        self._clock = clock
        self._ms = 0
        self._sequence = 0

    def follow(self, last: int) -> None:
        """Go on after the id `last`, given out by any node: the clock may have been set back.

        What is too long to be an id of this kind says nothing and is passed over.
        """
        ms = last // (_NODES * _A_MILLISECOND)
        if ms <= _MAX_MS:
            self._ms, self._sequence = max(self._ms, ms + 1), 0

    def new(self) -> str:
        """Return the next id: greater than all before it, even when the clock is set back."""
        ms = int((self._clock.time() - EPOCH_S) * 1000)
        if ms > self._ms:
            self._ms, self._sequence = ms, 0
        elif self._sequence < _A_MILLISECOND - 1:
            self._sequence += 1
        else:  # borrowed from the next millisecond, which then begins where this one ended
            self._ms, self._sequence = self._ms + 1, 0
        return str((self._ms * _NODES + self._node) * _A_MILLISECOND + self._sequence)
