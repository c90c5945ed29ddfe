"""Where log lines go out: never in the way of who writes them.

A full disk, a closed pipe or a reader that has stopped reading must cost lines, not calls. So
lines wait in a bounded queue for a thread of their own; what does not fit is dropped and counted,
and the count is said as soon as something can be said again.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import threading
import time
from collections import deque
from collections.abc import Callable

__all__ = ["Outlet", "Sieve", "StandardError"]

_MAX_BYTES = 8 * 1024 * 1024
_MAX_LINE = 16 * 1024
_BATCH_BYTES = 64 * 1024
_AGAIN_S = 0.5
_GATHER_S = 0.1
"""So long lines are gathered: each time the thread wakes, whoever logs waits for a moment."""
_PIPE_BYTES = 64 * 1024
_REPEAT_S = 60.0
_MOST_KINDS = 256
_OF_A_CALL = re.compile(rb"(ERR:|WARN:)[^:\n]*(:.*)", re.DOTALL)


class Outlet:
    """Lines on their way to a file descriptor, which it does not close.

    `tell_dropped(count)` makes the line that says how many were dropped (empty: none).
    """

    def __init__(
        self,
        descriptor: int,
        tell_dropped: Callable[[int], str],
        *,
        max_bytes: int = _MAX_BYTES,
    ) -> None:
        self.dropped = 0
        """Lines that never went out, since the start."""
        self._untold = 0
        self._descriptor = descriptor
        self._tell_dropped = tell_dropped
        self._max_bytes = max_bytes
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        # Re-entrant: the garbage collector may run while it is held, and log.
        self._changed = threading.Condition(threading.RLock())
        self._closing_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="vpbx-log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Take a line (its end included or not). Never waits, never raises."""
        data = line.encode("utf-8", "backslashreplace")
        if len(data) > _MAX_LINE:
            data = data[:_MAX_LINE] + b"..."
        if not data.endswith(b"\n"):
            data += b"\n"
        self.put(data)

    def put(self, data: bytes) -> None:
        """Take bytes that end a line."""
        with self._changed:
            if self._bytes + len(data) > self._max_bytes:
                self.drop()
                return
            self._lines.append(data)
            self._bytes += len(data)
            if len(self._lines) == 1:  # else it is awake already
                self._changed.notify()

    def drop(self) -> None:
        """Count a line that cannot be written."""
        with self._changed:
            self.dropped += 1
            self._untold += 1

    def flush(self) -> None:
        """Do nothing: the thread writes as soon as it can."""

    def close(self, timeout_s: float = 1.0) -> None:
        """Write what is left, as far as that goes within `timeout_s`."""
        with self._changed:
            self._closing_at = time.monotonic() + timeout_s
            self._changed.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while self._wait_for_lines():
            if self._closing_at is None:
                time.sleep(_GATHER_S)
            batch = self._next_batch()
            while batch and not self._is_over():
                batch = batch[self._write(batch) :]

    def _wait_for_lines(self) -> bool:
        """Wait until there are some; False when there are none and none will come."""
        with self._changed:
            while not self._lines:
                if self._closing_at is not None:
                    return False
                self._changed.wait()
        return True

    def _next_batch(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        with self._changed:
            while self._lines and size < _BATCH_BYTES:
                parts.append(self._lines.popleft())
                size += len(parts[-1])
            self._bytes -= size
            if self._untold:
                if told := self._tell_dropped(self._untold):
                    parts.append(told.encode() + b"\n")
                self._untold = 0
        return b"".join(parts)

    def _write(self, data: bytes) -> int:
        """Return how much went out; on a fault, wait a little and return 0."""
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:  # the terminal of somebody who likes it so
            with contextlib.suppress(OSError, ValueError):
                select.select([], [self._descriptor], [], _AGAIN_S)
        except OSError:  # no room, nobody reads: perhaps later
            with self._changed:
                if self._closing_at is None:
                    self._changed.wait(_AGAIN_S)
                else:
                    self._closing_at = 0.0
        return 0

    def _is_over(self) -> bool:
        return self._closing_at is not None and time.monotonic() > self._closing_at


class Sieve:
    """Lets RTPProxy say the same of many calls once a minute: a full disk is one fault.

    Its lines are `ERR:CALL:FUNCTION:LINE: TEXT`; whatever else comes goes through.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._said: dict[bytes, tuple[float, int]] = {}
        """When each was said last, and how often it was kept back since."""

    def sift(self, lines: bytes) -> bytes:
        """Return of whole lines those that are to be said."""
        if b"ERR:" not in lines and b"WARN:" not in lines:
            return lines
        return b"".join(self._line(line) for line in lines.splitlines(keepends=True))

    def _line(self, line: bytes) -> bytes:
        found = _OF_A_CALL.match(line)
        if found is None:
            return line
        what, now = found[1] + found[2].rstrip(), self._now()
        said_at, kept_back = self._said.get(what, (-_REPEAT_S, 0))
        if now - said_at < _REPEAT_S:
            self._said[what] = said_at, kept_back + 1
            return b""
        if len(self._said) >= _MOST_KINDS:
            self._said.clear()
        self._said[what] = now, 0
        if kept_back:
            return line.rstrip() + f" (and {kept_back} times more since it was said)\n".encode()
        return line


class StandardError:
    """Lets what libraries and C code print to descriptor 2 go through an outlet too.

    They would wait where it blocks, and with them the sound of all calls. `outlet` must write
    to the copy that is made before (`duplicate`).
    """

    def __init__(self) -> None:
        self.original = os.dup(2)
        """The real standard error."""
        self._outlet: Outlet | None = None

    def adopt(self, outlet: Outlet) -> None:
        """From now on, read what is printed to descriptor 2 and pass it on."""
        self._outlet = outlet
        outside, inside = os.pipe()
        os.dup2(inside, 2)
        os.close(inside)
        threading.Thread(
            target=self._pass_on, args=(outside,), name="vpbx-stderr", daemon=True
        ).start()

    def restore(self) -> None:
        """Make descriptor 2 what it was."""
        os.dup2(self.original, 2)

    def _pass_on(self, outside: int) -> None:
        assert self._outlet is not None
        rest, sieve = b"", Sieve()
        while data := os.read(outside, _PIPE_BYTES):
            rest += data
            whole, newline, rest = rest.rpartition(b"\n")
            if newline and (said := sieve.sift(whole + newline)):
                self._outlet.put(said)
            if len(rest) > _MAX_LINE:
                self._outlet.put(rest + b"\n")
                rest = b""
        if rest:
            self._outlet.put(rest + b"\n")
        os.close(outside)
