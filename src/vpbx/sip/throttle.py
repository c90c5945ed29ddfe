"""Sources that send rubbish or guess passwords are shut out for a while.

Two counts a source: malformed messages, over whose limit nothing from it is read any more; and
failures (wrong passwords, unknown callers) that the user agents report, over whose limit its
new requests outside of dialogs are dropped. Each is logged once a window. Over UDP a source
can be forged, so hosts that `trusted` names (carriers) are never shut out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network

import structlog

from ..clock import Clock
from .transport import Hop

log = structlog.get_logger("vpbx.sip")


@dataclass(frozen=True, slots=True)
class ThrottleLimits:
    """How much is too much, in `window_s`; who goes over is shut out for `block_s`."""

    window_s: float = 60.0
    block_s: float = 60.0
    malformed: int = 50
    failures: int = 20
    sources: int = 10_000
    """How many sources are remembered; the oldest are forgotten."""


class _Source:
    __slots__ = ("blocked_until", "failures", "malformed", "muted_until", "since")

    def __init__(self, now: float) -> None:
        self.since = now
        self.malformed = 0
        self.failures = 0
        self.muted_until = 0.0
        self.blocked_until = 0.0


class Throttle:
    """Counts by source address (an IPv6 /64 is one source)."""

    def __init__(
        self,
        clock: Clock,
        limits: ThrottleLimits | None = None,
        trusted: Callable[[str], bool] | None = None,
    ) -> None:
        self._clock = clock
        self._limits = limits or ThrottleLimits()
        self._trusted = trusted
        self._sources: dict[str, _Source] = {}

    def failed(self, hop: Hop) -> None:
        """Count a failed authentication or an unknown caller from `hop`."""
        source = self._source(hop.host)
        source.failures += 1
        if source.failures == self._limits.failures + 1 and not self._is_trusted(hop.host):
            source.blocked_until = self._clock.now() + self._limits.block_s
            log.warning(
                "A source is shut out: too many failed requests",
                source=hop.host,
                seconds=self._limits.block_s,
            )

    def malformed(self, hop: Hop, reason: str) -> None:
        """Count a malformed message from `hop`; the first in a window is logged."""
        source = self._source(hop.host)
        source.malformed += 1
        if source.malformed == 1:
            log.warning("A source sends malformed SIP", source=hop.host, reason=reason)
        if source.malformed == self._limits.malformed + 1 and not self._is_trusted(hop.host):
            source.muted_until = self._clock.now() + self._limits.block_s

    def blocked(self, hop: Hop) -> bool:
        """Say whether new requests of `hop` are to be dropped now."""
        if not self._sources:
            return False
        source = self._sources.get(_source_of(hop.host))
        return source is not None and self._clock.now() < max(
            source.blocked_until, source.muted_until
        )

    def muted(self, hop: Hop) -> bool:
        """Say whether nothing of `hop` is to be read now."""
        if not self._sources:
            return False
        source = self._sources.get(_source_of(hop.host))
        return source is not None and self._clock.now() < source.muted_until

    def _is_trusted(self, host: str) -> bool:
        return self._trusted is not None and self._trusted(host)

    def _source(self, host: str) -> _Source:
        key = _source_of(host)
        now = self._clock.now()
        source = self._sources.get(key)
        if source is not None:
            shut = max(source.muted_until, source.blocked_until)
            if now - source.since < self._limits.window_s or now < shut:
                return source
            del self._sources[key]
        while len(self._sources) >= self._limits.sources:
            del self._sources[next(iter(self._sources))]
        source = self._sources[key] = _Source(now)
        return source


@lru_cache(maxsize=4096)
def _source_of(host: str) -> str:
    if ":" not in host:
        return host
    try:
        return str(ip_network(f"{host.partition('%')[0]}/64", strict=False))
    except ValueError:
        return host
