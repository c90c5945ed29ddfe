"""How often something may be asked: a bucket of tokens for each who asks."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable

from vpbx.clock import Clock

__all__ = ["Rates"]

MAX_ASKING = 10_000


class Rates:
    """Lets each through `per_s` times a second, and as many at once; 0: without a limit."""

    def __init__(self, clock: Clock, per_s: float) -> None:
        self._clock = clock
        self._per_s = per_s
        self._most = max(1.0, per_s)
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        """(tokens, when), whoever asked last at the end."""

    def wait_s(self, who: Hashable) -> int:
        """Return after how many whole seconds `who` may have one more; 0: now."""
        if self._per_s <= 0 or (left := self._now(who)) >= 1:
            return 0
        return max(1, math.ceil((1 - left) / self._per_s))

    def count(self, who: Hashable) -> None:
        """Count one more."""
        if self._per_s <= 0:
            return
        left = self._now(who) - 1
        self._left.pop(who, None)
        self._left[who] = (left, self._clock.now())
        if len(self._left) > MAX_ASKING:
            self._left.popitem(last=False)

    def _now(self, who: Hashable) -> float:
        now = self._clock.now()
        left, at = self._left.get(who, (self._most, now))
        return min(self._most, left + (now - at) * self._per_s)
