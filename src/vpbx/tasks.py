"""Work beside other work, whose end somebody sees."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import structlog

__all__ = ["watched"]

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
