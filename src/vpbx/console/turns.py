"""Long work for one viewer, done a little in a turn of the loop: calls have theirs between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

__all__ = ["by_turns"]

_TURN_S = 0.0005
_BETWEEN_S = 0.001

_Item = TypeVar("_Item")


async def by_turns(items: Iterable[_Item]) -> AsyncIterator[_Item]:
    """Give the items; what is done to make and to use them is a third of the loop's time at most,
    half a millisecond at once."""
    end = time.perf_counter() + _TURN_S
    for item in items:
        yield item
        if time.perf_counter() >= end:
            await asyncio.sleep(_BETWEEN_S)
            end = time.perf_counter() + _TURN_S
