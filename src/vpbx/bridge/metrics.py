"""What a bridge counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["Metrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """`vpbx_bridge_*`. `result`: written, repeated, refused; of contact: found, unknown, late."""

    def __init__(
        self, registry: CollectorRegistry, waiting: Callable[[], int], away: Callable[[], bool]
    ) -> None:
        self._commands = Counter(
            "vpbx_bridge_commands", "Commands by result", ["cmd", "result"], registry=registry
        )
        self._seconds = Histogram(
            *("vpbx_bridge_seconds", "From a command to its answer", ["cmd"]),
            registry=registry,
            buckets=_SECONDS,
        )
        up = Gauge("vpbx_bridge_database_up", "Whether the database answers", registry=registry)
        up.set_function(lambda: float(not away()))
        queue = Gauge("vpbx_bridge_waiting", "Commands that wait for it", registry=registry)
        queue.set_function(lambda: float(waiting()))

    def tell(self, cmd: str, result: str, seconds: float) -> None:
        """Count a command that was answered."""
        self._commands.labels(cmd, result).inc()
        self._seconds.labels(cmd).observe(seconds)
