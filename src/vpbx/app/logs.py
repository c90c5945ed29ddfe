"""Logs go to stderr: for eyes on a terminal, JSON lines for machines elsewhere.

In a server they go by way of an `Outlet`, so that whoever logs neither waits nor fails,
whatever becomes of stderr.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import re
import sys
import time
from collections.abc import Iterator
from typing import Any, Protocol, TextIO

import structlog

from vpbx.app.outlet import Outlet, StandardError

__all__ = ["dropped_lines", "serving", "set_up"]

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_JSON = json.JSONEncoder(default=repr)
_lost = 0
"""Lines that could not even be made."""
_outlet: Outlet | None = None


class _Sink(Protocol):
    def write(self, line: str, /) -> object: ...
    def flush(self) -> object: ...


def set_up(level: str, stream: TextIO | None = None) -> None:
    """Send our events and those of libraries to `stream` (stderr), from `level` upwards."""
    target = stream or sys.stderr
    _configure(level, target, is_terminal=target.isatty())


@contextlib.contextmanager
def serving(level: str) -> Iterator[None]:
    """Log as a server does, until the end of the context: nothing can hold it up."""
    global _outlet
    is_terminal = sys.stderr.isatty()
    standard_error = StandardError()
    _outlet = outlet = Outlet(standard_error.original, _dropped_line)
    standard_error.adopt(outlet)
    _configure(level, outlet, is_terminal=is_terminal)
    try:
        yield
    finally:
        standard_error.restore()
        outlet.close()


def dropped_lines() -> int:
    """Return how many lines were lost since the start."""
    return _lost + (_outlet.dropped if _outlet is not None else 0)


def _configure(level: str, target: _Sink, *, is_terminal: bool) -> None:
    shared: list[structlog.typing.Processor] = [_described]
    last: list[structlog.typing.Processor] = [_as_json]
    if is_terminal:
        shared = [
            structlog.processors.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=False),
        ]
        last = [
            _printable,
            # never the values of variables: keys and passwords are among them
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    numeric = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=_unfailing(structlog.make_filtering_bound_logger(numeric)),
        logger_factory=lambda *names: _NamedLogger(target, *names),
        cache_logger_on_first_use=True,
    )
    _adopt_libraries(max(numeric, logging.WARNING), shared, last, target)


def _described(logger: Any, method: str, event: structlog.typing.EventDict) -> Any:
    """Say of an event how grave it is, whose, and when: for each call, so in one step."""
    record = event.get("_record")  # where a library speaks
    event["level"] = method
    event["logger"] = logger.name if record is None else record.name
    event["timestamp"] = _stamp()
    return event


def _stamp() -> str:
    second, us = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{_second(second)}.{us:06d}Z"


@functools.lru_cache(maxsize=1)
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _as_json(logger: Any, method: str, event: structlog.typing.EventDict) -> str:
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(logger, method, event)
    return _JSON.encode(event)


class _NamedLogger:
    """Writes lines, and knows the name that `structlog.get_logger(name)` gave it."""

    def __init__(self, file: _Sink, name: str = "vpbx", *_: Any) -> None:
        self._file = file
        self.name = name

    def msg(self, message: str) -> None:
        self._file.write(message + "\n")
        self._file.flush()

    log = debug = info = warn = warning = error = exception = critical = fatal = failure = msg


def _unfailing(base: type[Any]) -> type[Any]:
    """Return a logger that loses a line rather than raise into who logs."""

    class Unfailing(base):  # type: ignore[misc]
        def _proxy_to_logger(self, method_name: str, event: str, **values: Any) -> None:
            try:
                line: Any = {**self._context, **values, "event": event}
                for processor in self._processors:
                    line = processor(self._logger, method_name, line)
                self._logger.msg(line)
            except structlog.DropEvent:
                return
            except Exception:
                _lose()

    return Unfailing


class _Handler(logging.StreamHandler[Any]):
    """Writes what libraries log; what cannot be written is lost, and nothing else happens."""

    def handleError(self, record: logging.LogRecord) -> None:
        _lose()


def _adopt_libraries(
    level: int,
    shared: list[structlog.typing.Processor],
    last: list[structlog.typing.Processor],
    target: _Sink,
) -> None:
    """Let warnings of uvicorn, asyncio and the rest look like ours."""
    handler = _Handler(target)
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        foreign_pre_chain=shared,
    )
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def _lose() -> None:
    global _lost
    _lost += 1


def _dropped_line(count: int) -> str:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return json.dumps(
        {
            "event": "log lines were dropped: stderr takes none, or too slowly",
            "lines": count,
            "level": "warning",
            "logger": "vpbx.app",
            "timestamp": stamp,
        }
    )


def _printable(_logger: Any, _method: str, event: structlog.typing.EventDict) -> Any:
    """Show control characters as escapes: what strangers send must not steer a terminal."""
    for key, value in event.items():
        if isinstance(value, str) and _CONTROL.search(value):
            event[key] = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", value)
    return event
