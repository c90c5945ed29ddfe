"""Work beside other work, whose end somebody sees."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

__all__ = ["to_its_end", "watched"]

_T = TypeVar("_T")

log = structlog.get_logger("vpbx.tasks")


def watched(task: asyncio.Task[_T]) -> asyncio.Task[_T]:
    """Have the log tell the exception that ends `task`, at once, and return the task.

    For tasks that nobody waits for: asyncio itself would speak only when the task is collected
    as garbage, if ever.
    """
    task.add_done_callback(_see)
    return task


def _see(task: asyncio.Task[Any]) -> None:
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        log.error("a task failed", task=_name(task), exc_info=error)


def _name(task: asyncio.Task[Any]) -> str:
    coroutine = task.get_coro()
    return getattr(coroutine, "__qualname__", task.get_name())


async def to_its_end(work: Coroutine[Any, Any, _T]) -> _T:
    """Do `work` whole, also when whoever waits for it is cancelled meanwhile; they are then."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.cancelled():
            await task
        raise
