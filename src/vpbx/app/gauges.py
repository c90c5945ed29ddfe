"""Gauges of the server as a whole, for /metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from vpbx.app import logs
from vpbx.calls import CallService, TrunkState
from vpbx.crm import Outbox
from vpbx.sip import SipStack

__all__ = ["Gauges"]


class Gauges:
    """What is going on now, asked when somebody looks at /metrics."""

    def __init__(self, calls: CallService, stack: SipStack, outbox: Outbox) -> None:
        self._calls, self._stack, self._outbox = calls, stack, outbox

    def collect(self) -> Iterator[Metric]:
        for name, text, value in (
            ("vpbx_calls", "Calls in progress", len(self._calls.active())),
            ("vpbx_sip_sessions", "SIP call legs", self._stack.sessions),
            (
                "vpbx_sip_subscriptions",
                "Subscriptions of phones",
                len(self._stack.subscriptions),
            ),
            ("vpbx_crm_commands_waiting", "CRM commands in memory", self._outbox.in_memory),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        lost = CounterMetricFamily("vpbx_log_lines_dropped", "Log lines that could not be written")
        lost.add_metric([], logs.dropped_lines())
        yield lost
        yield from _trunk_gauges(self._calls.connections.carriers.states())


def _trunk_gauges(states: Iterable[TrunkState]) -> Iterator[Metric]:
    up = GaugeMetricFamily("vpbx_trunk_up", "Whether a trunk takes calls", labels=["trunk"])
    busy = GaugeMetricFamily("vpbx_trunk_calls", "Calls over a trunk", labels=["trunk"])
    for trunk in states:
        up.add_metric([trunk.name], float(trunk.state == "ok"))
        busy.add_metric([trunk.name], trunk.calls)
    yield from (up, busy)
