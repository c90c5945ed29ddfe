"""What the SIP part says of who floods it and who guesses passwords: /metrics and doctor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from vpbx.calls import CallService
from vpbx.sip import SipStack

__all__ = ["SipMetrics", "defence"]


def defence(stack: SipStack, calls: CallService) -> dict[str, Any]:
    """Return the counts since the start, and `guessed_accounts`, those being guessed now."""
    budgets, guessing = stack.layer.budgets, calls.guessing
    return {
        "dropped": budgets.dropped if budgets is not None else 0,
        "delayed": budgets.delayed if budgets is not None else 0,
        "wrong_passwords": guessing.failures,
        "slowed": guessing.slowed,
        "shut_out": guessing.shut,
        "guessed_accounts": guessing.guessed_accounts,
    }


_COUNTERS = {
    "dropped": ("vpbx_sip_dropped", "Datagrams not read: their source was over its budget"),
    "delayed": ("vpbx_sip_delayed", "Messages of connections that had to wait for their budget"),
    "wrong_passwords": ("vpbx_sip_wrong_passwords", "Wrong passwords of phones"),
    "slowed": ("vpbx_sip_slowed", "Tries of a password that had to wait or were sent away"),
    "shut_out": ("vpbx_sip_shut_out", "Times a source was shut out of an account"),
}


class SipMetrics:
    """A collector of prometheus_client, asked when somebody looks."""

    def __init__(self, stack: SipStack, calls: CallService) -> None:
        self._stack = stack
        self._calls = calls

    def collect(self) -> Iterator[Metric]:
        """Give the metrics as they are now."""
        counts = defence(self._stack, self._calls)
        for key, (name, text) in _COUNTERS.items():
            yield CounterMetricFamily(name, text, value=counts[key])
        yield GaugeMetricFamily(
            "vpbx_sip_guessed_accounts",
            "Accounts whose password is being guessed now",
            value=len(counts["guessed_accounts"]),
        )
