"""The shape of a step."""

from __future__ import annotations

from typing import Protocol

from vpbx.calls.call import Call
from vpbx.calls.outcome import Outcome

__all__ = ["Step"]


class Step(Protocol):
    """One thing a route does to a call."""

    async def run(self, call: Call) -> Outcome:
        """Do it. Cancelled, it takes back everything it began."""
