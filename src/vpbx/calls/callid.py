"""Call ids: decimal, unique across nodes, and sorted by when the call began (D12).

63 bits: 41 of milliseconds since `EPOCH_S`, 10 of node, 12 of sequence. A signed 64-bit column
or a client's `long` holds them until the year 2094.
"""

from __future__ import annotations

from vpbx.clock import Clock

__all__ = ["EPOCH_S", "CallIds"]

EPOCH_S = 1_735_689_600
"""2025-01-01T00:00:00Z."""

_NODE_BITS = 10
_SEQUENCE_BITS = 12
_MAX_NODE = (1 << _NODE_BITS) - 1
_MAX_SEQUENCE = (1 << _SEQUENCE_BITS) - 1
_MAX_MS = (1 << 41) - 1


class CallIds:
    """Gives out the call ids of one node (0 to 1023)."""

    def __init__(self, node: int, clock: Clock) -> None:
        if not 0 <= node <= _MAX_NODE:
            raise ValueError(f"node must be 0 to {_MAX_NODE}, not {node}")
        self._node = node
        self._clock = clock
        self._ms = 0
        self._sequence = 0

    def new(self) -> str:
        """Return the next id: greater than all before it, even when the clock is set back."""
        ms = int((self._clock.time() - EPOCH_S) * 1000)
        if ms > self._ms:
            self._ms, self._sequence = ms, 0
        elif self._sequence < _MAX_SEQUENCE:
            self._sequence += 1
        else:  # borrowed from the next millisecond, which then begins where this one ended
            self._ms, self._sequence = self._ms + 1, 0
        value = (self._ms & _MAX_MS) << _NODE_BITS | self._node
        return str(value << _SEQUENCE_BITS | self._sequence)
