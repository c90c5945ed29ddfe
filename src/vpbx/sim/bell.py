"""Waiting for something to become true, without polling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

__all__ = ["Bell"]

T = TypeVar("T")


class Bell:
    """Rung on every change; those who wait look again each time."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def until(
        self, look: Callable[[], T | None], timeout_s: float, missing: Callable[[], str]
    ) -> T:
        """Return what `look` sees as soon as it is not None.

        TimeoutError, with the text that `missing` makes, when that takes over `timeout_s`.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while (seen := look()) is None:
                    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiters.add(waiter)
                    await waiter
        except TimeoutError:
            raise TimeoutError(f"{missing()} (waited {timeout_s:g} s)") from None
        return seen
