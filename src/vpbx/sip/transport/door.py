"""A listening TCP socket whose clients come in a few at a time, and whose handshakes are counted.

asyncio's own servers take all who wait in one turn of the loop and agree on TLS with each at
once, which costs half a millisecond a client: a flood of them would hold up every call. Here a
turn lets a few in. Agreeing on TLS is budgeted by source (an IPv6 /64 is one) and for all; who
is over the budget of a source is shut out before it costs anything, and beyond that of all
nobody is let in for a moment, but waits in the kernel. Handshakes that do not go on are bounded
too, so they cannot use up the files that calls need.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter, OrderedDict
from collections.abc import Callable
from contextlib import suppress

import structlog

from vpbx.sip.transport.base import Limits, network_of
from vpbx.sparing import Sparing
from vpbx.tasks import watched

__all__ = ["Door"]

log = structlog.get_logger("vpbx.sip")
_refusals = Sparing("vpbx.sip")

_BACKLOG = 1024
_AT_ONCE, _HANDSHAKES_AT_ONCE = 8, 2
"""Clients let in in one turn of the loop, without TLS and with."""
_NO_FILES_S = 0.2
_SOURCES = 20_000


class Door:
    """Lets clients of one listening socket in; `make` gives the protocol of each."""

    def __init__(
        self,
        listening: socket.socket,
        make: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        limits: Limits,
    ) -> None:
        self._listening = listening
        self._make = make
        self._tls = tls
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._at_once = _AT_ONCE if tls is None else _HANDSHAKES_AT_ONCE
        self._all = _Tokens(limits.handshakes_per_s, limits.handshakes_per_s, self._loop.time())
        self._sources: OrderedDict[str, _Tokens] = OrderedDict()
        self._agreeing: Counter[str] = Counter()
        """Handshakes that are going on, by source."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._again: asyncio.TimerHandle | None = None
        self._loop.add_reader(listening, self._accept)

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        make: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        limits: Limits,
    ) -> Door:
        """Listen; `OSError` when the place is taken or is not here."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(address)
            sock.listen(_BACKLOG)
        except OSError:
            sock.close()
            raise
        return cls(sock, make, tls, limits)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens: host, port."""
        host, port = self._listening.getsockname()[:2]
        return host, port

    def close(self) -> None:
        """Let nobody in any more; who is in stays."""
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._listening)
        self._listening.close()
        for task in self._tasks:
            task.cancel()

    def _accept(self) -> None:
        for _ in range(self._at_once):
            if self._tls is not None and (wait_s := self._all.wait_s(self._loop.time())) > 0:
                self._pause(wait_s)
                return
            try:
                client, peer = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                _refusals.warning("No SIP connection can be taken", error=str(error))
                self._pause(_NO_FILES_S)
                return
            client.setblocking(False)
            source = network_of(peer[0])
            if self._tls is not None and not self._may_agree(source):
                client.close()
                continue
            task = watched(self._loop.create_task(self._let_in(client, source)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _may_agree(self, source: str) -> bool:
        """Charge a handshake to a source; False when that would be one too many."""
        now, limits = self._loop.time(), self._limits
        tokens = self._sources.pop(source, None)
        if tokens is None:
            if len(self._sources) >= _SOURCES:
                self._sources.popitem(last=False)
            tokens = _Tokens(
                limits.handshakes_per_source_s, limits.handshakes_of_source_at_once, now
            )
        self._sources[source] = tokens
        if tokens.wait_s(now) > 0:
            _refusals.info("TLS is refused: its source asks for it too often", peer=source)
            return False
        going_on = self._agreeing.total()
        if (
            self._agreeing[source] >= limits.handshakes_of_source_at_once
            or going_on >= limits.handshakes_at_once
        ):
            _refusals.info("TLS is refused: too many handshakes are going on", peer=source)
            return False
        tokens.take()
        self._all.take()
        return True

    async def _let_in(self, client: socket.socket, source: str) -> None:
        secure = self._tls is not None
        if secure:
            self._agreeing[source] += 1
        try:
            await self._loop.connect_accepted_socket(
                self._make,
                client,
                ssl=self._tls,
                ssl_handshake_timeout=self._limits.connect_s if secure else None,
            )
        except (OSError, ssl.SSLError) as error:  # it went, or speaks no TLS of ours
            log.debug("A SIP connection came to nothing", peer=source, error=str(error))
            with suppress(OSError):
                client.close()
        finally:
            if secure:
                self._agreeing[source] -= 1
                if not self._agreeing[source]:
                    del self._agreeing[source]

    def _pause(self, seconds: float) -> None:
        """Leave those that wait to the kernel for a while."""
        self._loop.remove_reader(self._listening)
        self._again = self._loop.call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        self._again = None
        self._loop.add_reader(self._listening, self._accept)


class _Tokens:
    """Tokens that come back with time."""

    __slots__ = ("_at", "_most", "_per_s", "left")

    def __init__(self, per_s: float, most: float, now: float) -> None:
        self._per_s, self._most, self._at = per_s, most, now
        self.left = most

    def wait_s(self, now: float) -> float:
        """Return when there is one; 0: now."""
        self.left = min(self._most, self.left + (now - self._at) * self._per_s)
        self._at = now
        return 0.0 if self.left >= 1 else (1 - self.left) / self._per_s

    def take(self) -> None:
        """Use one up."""
        self.left -= 1
