"""One name kept current by DNS for as long as somebody cares."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog

from vpbx.clock import Clock
from vpbx.sip.resolver import LONGEST_S, SHORTEST_S, Found, Resolver, Unresolved
from vpbx.sip.transport import Hop
from vpbx.tasks import watched

__all__ = ["Followed"]

log = structlog.get_logger("vpbx.sip")

_AGAIN_S = (2.0, 5.0, 10.0, 30.0, 60.0)
"""Pauses after failures in a row; the last from then on."""


class Followed:
    """One name, kept current by its TTL from `start` to `stop`.

    `changed` is called after every answer that brought news. Until the first answer `pending`.
    `usable` says which of what it leads to may be used; it is asked each time, of the very
    address that is sent to, so no name can lead elsewhere in between.
    """

    def __init__(
        self,
        resolver: Resolver,
        clock: Clock,
        host: str,
        port: int = 0,
        transport: str = "",
        *,
        changed: Callable[[], None] = lambda: None,
        usable: Callable[[Hop], bool] = lambda hop: True,
    ) -> None:
        self.host, self.port, self.transport = host, port, transport
        self.found: Found | None = resolver.local(host, port, transport)
        self.problem = ""
        """Why the name leads nowhere at the moment, or is not known to lead elsewhere."""
        self._resolver = resolver
        self._clock = clock
        self._changed = changed
        self._usable = usable
        self._answered = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        if self.found is not None:
            self._answered.set()

    @property
    def pending(self) -> bool:
        """Whether nothing is known yet."""
        return not self._answered.is_set()

    @property
    def hops(self) -> tuple[Hop, ...]:
        """Everything it leads to now."""
        return self._those(self.found.hops) if self.found is not None else ()

    def order(self) -> tuple[Hop, ...]:
        """Return the hops in the order to try them for one call."""
        return self._those(self.found.order()) if self.found is not None else ()

    @property
    def shut(self) -> bool:
        """Whether all that it leads to may not be used."""
        return self.found is not None and not self.hops

    def _those(self, hops: tuple[Hop, ...]) -> tuple[Hop, ...]:
        return tuple(hop for hop in hops if self._usable(hop))

    def start(self) -> None:
        """Begin to follow it; an address has nothing to follow."""
        static = self.found is not None and not self.found.ttl_s
        if self._task is None and not static:
            self._task = watched(asyncio.get_running_loop().create_task(self._follow()))

    def stop(self) -> None:
        """Leave it."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def ready(self, timeout_s: float) -> None:
        """Wait for the first answer, at most so long."""
        if self.pending:
            self.start()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._answered.wait(), timeout_s)

    async def _follow(self) -> None:
        failures = 0
        while True:
            try:
                found = await self._resolver.find(self.host, self.port, self.transport)
            except Unresolved as error:
                pause_s = _AGAIN_S[min(failures, len(_AGAIN_S) - 1)]
                failures += 1
                self._failed(error)
            except Exception:
                log.exception("a name could not be looked up", name=self.host)
                pause_s = _AGAIN_S[-1]
            else:
                failures = 0
                pause_s = min(max(found.ttl_s, SHORTEST_S), LONGEST_S)
                self._learned(found)
            self._answered.set()
            await self._sleep(pause_s)

    async def _sleep(self, pause_s: float) -> None:
        done = asyncio.Event()
        timer = self._clock.call_later(pause_s, done.set)
        try:
            await done.wait()
        finally:
            timer.cancel()

    def _learned(self, found: Found) -> None:
        before, self.found = self.found, found
        if self.problem:
            self.problem = ""
            log.info("a name resolves again", name=self.host, addresses=_addresses(found.hops))
        elif before is not None and set(before.hops) != set(found.hops):
            log.info("a name leads elsewhere now", name=self.host, addresses=_addresses(found.hops))
        if before is None or before.places != found.places:
            self._changed()

    def _failed(self, error: Unresolved) -> None:
        """Note it; what was known stays good unless DNS itself says that it is gone."""
        if not self.problem:
            log.warning(
                "a name does not resolve",
                name=self.host,
                reason=error.reason,
                goes_on_with=_addresses(self.hops) if not error.gone else [],
            )
        self.problem = error.reason
        if error.gone and self.found is not None:
            self.found = None
        self._changed()


def _addresses(hops: Iterable[Hop]) -> list[str]:
    return sorted({hop.host for hop in hops})
