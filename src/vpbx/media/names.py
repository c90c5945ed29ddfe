"""Host names in SDP (RFC 8866 §5.7), looked up beside calls."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

log = structlog.get_logger("vpbx.media")

_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}")
_THREADS = 4
_MOST_WAITING = 64
_KEPT_S = 60.0
_MOST_KEPT = 1024


class Names:
    """Finds the IPv4 address of a name; an answer is kept for a minute, a failure too.

    Threads of its own, so that slow name servers keep nothing else waiting; what is too much
    for them counts as not found, and the peer's address is then learned from its packets.
    """

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._kept: dict[str, tuple[float, str]] = {}
        self._waiting: dict[str, list[Callable[[str], None]]] = {}

    def find(self, name: str, found: Callable[[str], None]) -> None:
        """Call `found` with the address, soon; not at all when there is none."""
        loop = asyncio.get_running_loop()
        kept = self._kept.get(name)
        if kept is not None and loop.time() - kept[0] < _KEPT_S:
            if kept[1]:
                loop.call_soon(found, kept[1])
        elif name in self._waiting:
            self._waiting[name].append(found)
        elif _NAME.fullmatch(name) and len(self._waiting) < _MOST_WAITING:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_THREADS, "vpbx-names")
            self._waiting[name] = [found]
            asked = loop.run_in_executor(self._pool, _address_of, name)
            asked.add_done_callback(lambda done: self._done(name, done))

    def _done(self, name: str, done: asyncio.Future[str]) -> None:
        waiting = self._waiting.pop(name, [])
        address = "" if done.cancelled() or done.exception() is not None else done.result()
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[name] = (asyncio.get_running_loop().time(), address)
        if not address:
            log.warning("the host name in an SDP has no IPv4 address", name=name)
            return
        for found in waiting:
            found(address)

    def close(self) -> None:
        """Ask nobody any more."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def _address_of(name: str) -> str:
    answers = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_DGRAM)
    return str(answers[0][4][0])
