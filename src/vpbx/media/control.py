"""The RTPProxy command protocol, client side: one line out, one line back.

Two carriers. A *stream* (the socket pair of an engine in this process, `cunix:` or `tcp:`)
answers in the order of the commands, so a queue of futures is all the bookkeeping. *UDP*
puts a cookie before each command, repeats what is not answered, and RTPProxy answers a
repeated cookie from memory.

RTPProxy writes each answer with one non-blocking `write` and forgets it when the socket
buffer is full (seen from 278 unread answers on), so no more than `WINDOW` commands are
under way at once; the others wait here.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

import structlog

from .model import MediaError

log = structlog.get_logger("vpbx.media")

WINDOW = 128
_MAX_QUEUED = 20_000
_UDP_REPEATS_S = (0.2, 0.4, 0.8, 1.6)
_GONE = "the media engine is gone"
_LOOKS = 3
"""After a pause of the whole process the first look comes before the answers are read."""

ERRORS = {
    "E3": "syntax",
    "E50": "no such session",
    "E60": "cannot play that prompt",
    "E61": "cannot record",
    "E71": "no free port",
    "E72": "no free port",
    "E75": "overloaded",
}


class NoPort(MediaError):
    """All ports are taken, or are those of calls that ended a moment ago."""


class Control(Protocol):
    """Sends commands."""

    def send(self, command: str) -> asyncio.Future[str]:
        """Send a line; the future is its answer, or a `MediaError`."""

    def expire(self, older_than: float) -> None:
        """Give up if a command sent before that loop time is unanswered, look after look."""

    def close(self) -> None:
        """Hang up."""


def failed(answer: asyncio.Future[str], error: str) -> asyncio.Future[str]:
    """Let `answer` be an error, which nobody need look at."""
    if not answer.done():
        answer.set_exception(MediaError(error))
        answer.exception()
    return answer


def checked(answer: str) -> str:
    """Return `answer` unless it is RTPProxy's word for an error."""
    if answer.startswith("E"):
        code = answer.split()[0]
        fault = NoPort if ERRORS.get(code) == "no free port" else MediaError
        raise fault(f"the media engine answered {code} ({ERRORS.get(code, 'error')})")
    return answer


class StreamControl(asyncio.Protocol):
    """Commands over a stream, answers in order."""

    def __init__(self, on_lost: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._sent: deque[tuple[float, asyncio.Future[str]]] = deque()
        self._queued: deque[tuple[str, asyncio.Future[str]]] = deque()
        self._flushing = False
        self._rest = b""
        self._eldest: tuple[float, asyncio.Future[str]] | None = None
        self._looks = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is None:
            return
        self._transport = None
        for _, answer in (*self._sent, *self._queued):
            failed(answer, _GONE)
        self._sent.clear()
        self._queued.clear()
        self._on_lost()

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            text = line.strip(b"\0 \r").decode("ascii", "replace")
            if self._sent:
                _, answer = self._sent.popleft()
                if not answer.done():
                    answer.set_result(text)
        if self._queued:
            self._flush()

    def send(self, command: str) -> asyncio.Future[str]:
        answer: asyncio.Future[str] = self._loop.create_future()
        if self._transport is None or len(self._queued) >= _MAX_QUEUED:
            return failed(answer, _GONE if self._transport is None else "overloaded")
        self._queued.append((command, answer))
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)
        return answer

    def _flush(self) -> None:
        self._flushing = False
        room = WINDOW - len(self._sent)
        if self._transport is None or room <= 0 or not self._queued:
            return
        now = self._loop.time()
        lines = []
        while self._queued and room > 0:
            command, answer = self._queued.popleft()
            lines.append(command)
            self._sent.append((now, answer))
            room -= 1
        self._transport.write(("\n".join(lines) + "\n").encode("ascii"))

    def expire(self, older_than: float) -> None:
        eldest = self._sent[0] if self._sent else None
        self._looks = self._looks + 1 if eldest is self._eldest else 1
        self._eldest = eldest
        if eldest is None or eldest[0] >= older_than or self._looks < _LOOKS:
            return
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class UdpControl(asyncio.DatagramProtocol):
    """Commands as datagrams with cookies, repeated until answered."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.DatagramTransport | None = None
        self._sent: dict[str, tuple[asyncio.Future[str], asyncio.TimerHandle]] = {}
        self._prefix = os.urandom(4).hex()
        self._numbers = itertools.count()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        for cookie in tuple(self._sent):
            self._fail(cookie)

    def error_received(self, exc: Exception) -> None:
        """Wait for the repeats: the proxy may be restarting."""

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        cookie, _, text = data.decode("ascii", "replace").strip("\0 \r\n").partition(" ")
        answer, timer = self._sent.pop(cookie, (None, None))
        if answer is not None and timer is not None:
            timer.cancel()
            if not answer.done():
                answer.set_result(text)

    def send(self, command: str) -> asyncio.Future[str]:
        answer: asyncio.Future[str] = self._loop.create_future()
        if self._transport is None or len(self._sent) >= _MAX_QUEUED:
            return failed(answer, _GONE)
        cookie = f"{self._prefix}_{next(self._numbers)}"
        self._transmit(cookie, f"{cookie} {command}".encode("ascii"), answer, _UDP_REPEATS_S)
        return answer

    def _transmit(
        self,
        cookie: str,
        data: bytes,
        answer: asyncio.Future[str],
        pauses: tuple[float, ...],
    ) -> None:
        if not pauses:
            self._fail(cookie)
            return
        if self._transport is not None:
            self._transport.sendto(data)
        again = (cookie, data, answer, pauses[1:])
        self._sent[cookie] = (answer, self._loop.call_later(pauses[0], self._transmit, *again))

    def _fail(self, cookie: str) -> None:
        answer, timer = self._sent.pop(cookie)
        timer.cancel()
        failed(answer, "the media engine does not answer")

    def expire(self, older_than: float) -> None:
        """Every datagram has its own timer."""

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Notifications(asyncio.Protocol):
    """What RTPProxy says unasked, a line each: `TAG` (timed out) or `TAG digit vol len side`."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def close(self) -> None:
        """Hang up: RTPProxy then connects again, perhaps to our successor."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-4096:]
        for line in lines:
            self._on_line(line.strip(b"\0 \r").decode("ascii", "replace"))
