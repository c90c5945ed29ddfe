"""What simulated phones and carriers do by themselves with calls that come in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeAlias

from vpbx.sim.call import Call

__all__ = ["Behaviour", "answering", "rejecting"]

Behaviour: TypeAlias = Callable[[Call], Coroutine[None, None, None]]
"""What a phone or carrier does with a call that comes in (it rings already)."""


def answering(tone_hz: float, *, after_s: float = 0.0) -> Behaviour:
    """Answer after a while, and say a tone until the call ends."""

    async def behave(call: Call) -> None:
        await asyncio.sleep(after_s)
        if not call.is_over:
            await call.answer(tone_hz)

    return behave


def rejecting(code: int = 486, *, after_s: float = 0.0) -> Behaviour:
    """Refuse after a while."""

    async def behave(call: Call) -> None:
        await asyncio.sleep(after_s)
        if not call.is_over:
            call.reject(code)

    return behave
