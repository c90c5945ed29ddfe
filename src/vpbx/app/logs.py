"""Logs go to stderr: for eyes on a terminal, JSON lines for machines elsewhere."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog

__all__ = ["set_up"]


def set_up(level: str, stream: TextIO | None = None) -> None:
    """Send our events and those of libraries to `stream` (stderr), from `level` upwards."""
    target = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=not target.isatty()),
    ]
    last: list[structlog.typing.Processor]
    if target.isatty():
        last = [
            # never the values of variables: keys and passwords are among them
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        ]
    else:
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    numeric = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=lambda *names: _NamedLogger(target, *names),
        cache_logger_on_first_use=True,
    )
    _adopt_libraries(max(numeric, logging.WARNING), [*shared, *last], target)


class _NamedLogger(structlog.WriteLogger):
    """Writes lines, and knows the name that `structlog.get_logger(name)` gave it."""

    def __init__(self, file: TextIO, name: str = "vpbx", *_: Any) -> None:
        super().__init__(file)
        self.name = name


def _adopt_libraries(
    level: int, processors: list[structlog.typing.Processor], target: TextIO
) -> None:
    """Let warnings of uvicorn, asyncio and the rest look like ours."""
    handler = logging.StreamHandler(target)
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *processors[-1:]],
        foreign_pre_chain=processors[:-1],
    )
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
