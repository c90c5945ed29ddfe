"""What readers of history wait for: that what calls have told is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

__all__ = ["CaughtUp", "Written"]

CaughtUp: TypeAlias = Callable[[float], Awaitable[object]]
"""Waits, at most for the seconds it is given, until what the calls of this node have told is
written (`vpbx.db.Writer.caught_up`)."""

_WAIT_S = 0.3
"""A database that takes longer is away, and what it has is told without what it has not."""


class Written:
    """Lets readers find what has just ended: a call is either among those in progress or in
    history, however short the moment between the two. `caught_up` None: nothing is waited for."""

    def __init__(self, caught_up: CaughtUp | None) -> None:
        self._caught_up = caught_up

    async def wait(self) -> None:
        """Wait until it is written, but not for long."""
        if self._caught_up is not None:
            await self._caught_up(_WAIT_S)
