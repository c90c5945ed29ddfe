"""A sign of life in the data directory: when was the last run last there?

Calls that a crash cut off ended then. It is written by the steady clock, so neither the time
the machine stood still nor a clock that was set makes a call longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from vpbx.clock import Clock, Timer

__all__ = ["Pulse"]

_EVERY_S = 2.0


class Pulse:
    """Writes a file of one line. What the disk thinks of it stops nobody."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._timer: Timer | None = None
        self._writing: asyncio.Future[None] | None = None

    def last(self) -> float | None:
        """Return when the last run wrote, by its steady clock; None when nobody knows."""
        try:
            return float(self._path.read_text())
        except (OSError, ValueError):
            return None

    def start(self) -> None:
        """Write from now on."""
        self._beat()

    async def stop(self) -> None:
        """Write no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is not None:
            await self._writing

    def _beat(self) -> None:
        self._timer = self._clock.call_later(_EVERY_S, self._beat)
        if self._writing is None or self._writing.done():  # else the disk takes its time
            loop = asyncio.get_running_loop()
            self._writing = loop.run_in_executor(None, _write, self._path, self._clock.steady())


def _write(path: Path, now: float) -> None:
    """Write over what is there: a full disk has room for that, and a reader finds one or other."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, f"{now:017.3f}\n".encode())
        finally:
            os.close(descriptor)
