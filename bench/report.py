"""Figures beside their targets."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of `values` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Report:
    """Prints each figure as it is measured, and a count of missed targets at the end."""

    def __init__(self) -> None:
        self._missed: list[str] = []
        self._unjudged: list[str] = []

    def note(self, text: str) -> None:
        """Say something that is no figure."""
        print(f"  {text}", flush=True)

    def heading(self, text: str) -> None:
        """Begin a measurement."""
        print(f"\n{text}", flush=True)

    def figure(
        self,
        name: str,
        value: float,
        unit: str,
        target: float | None = None,
        *,
        at_least: bool = False,
    ) -> None:
        """Print a figure; with a target whether it is met: an upper bound, or a lower one."""
        verdict = ""
        if target is not None:
            met = value >= target if at_least else value <= target
            verdict = f"target {'≥' if at_least else '≤'} {target:g}: {'met' if met else 'MISSED'}"
            if not met:
                self._missed.append(name)
        print(f"  {name:<52} {value:>10.2f} {unit:<8} {verdict}", flush=True)

    def unjudged(self, name: str, value: float, unit: str, target: float, why: str) -> None:
        """Print a figure beyond its target that says nothing here, and why."""
        self._unjudged.append(name)
        print(f"  {name:<52} {value:>10.2f} {unit:<8} target ≤ {target:g}: {why}", flush=True)

    def delays(self, name: str, milliseconds: Sequence[float], target: float) -> None:
        """Print the median and the 99th percentile of delays, the latter against its target."""
        if not milliseconds:
            self._missed.append(name)
            print(f"  {name}: nothing was seen", flush=True)
            return
        self.figure(f"{name}, median of {len(milliseconds)}", statistics.median(milliseconds), "ms")
        self.figure(f"{name}, p99", percentile(milliseconds, 0.99), "ms", target)

    def end(self) -> None:
        """Print how many targets were missed."""
        if self._unjudged:
            print(f"\n{len(self._unjudged)} figures say nothing, the machine is not quiet enough")
        if self._missed:
            print(f"\n{len(self._missed)} targets missed: {', '.join(self._missed)}")
        else:
            print("\nall targets met")
