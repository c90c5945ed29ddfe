"""Sources that send rubbish or guess passwords are shut out for a while."""

from __future__ import annotations

from ..clock import Clock
from .transport import Hop


class Throttle:
    """Counts failures by source address."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def failed(self, hop: Hop) -> None:
        """Count a failed authentication or an unknown caller from `hop`."""
        raise NotImplementedError

    def blocked(self, hop: Hop) -> bool:
        """Say whether `hop` is shut out now."""
        raise NotImplementedError
