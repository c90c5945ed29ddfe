"""Saying things that strangers can cause, without letting them fill the log."""

from __future__ import annotations

import time
from typing import Any

import structlog

__all__ = ["Sparing"]


class Sparing:
    """Logs at most `most` lines in `window_s`; what was left out is counted in the first line of
    the next window."""

    def __init__(self, logger: str, *, most: int = 20, window_s: float = 10.0) -> None:
        self._log = structlog.get_logger(logger)
        self._most = most
        self._window_s = window_s
        self._since = float("-inf")
        self._said = self._left_out = 0

    def info(self, event: str, **values: Any) -> None:
        """Log at `info`, or count."""
        if self._may(values):
            self._log.info(event, **values)

    def warning(self, event: str, **values: Any) -> None:
        """Log at `warning`, or count."""
        if self._may(values):
            self._log.warning(event, **values)

    def _may(self, values: dict[str, Any]) -> bool:
        now = time.monotonic()
        if now - self._since >= self._window_s:
            self._since, self._said = now, 0
        if self._said >= self._most:
            self._left_out += 1
            return False
        self._said += 1
        if self._left_out:
            values["left_out"], self._left_out = self._left_out, 0
        return True
