"""Lets `bench.talkers` play a plan, and measures what the switch spends on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.load import TICKS_PER_S
from bench.talkers import Plan


def tree_seconds(pid: int) -> float:
    """Return the CPU time that a process and all below it have used so far."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry)] = int(fields[1])
            used[int(entry)] = sum(map(int, fields[11:15])) / TICKS_PER_S
    wanted, total = [pid], 0.0
    while wanted:
        one = wanted.pop()
        total += used.get(one, 0.0)
        wanted += [child for child, parent in parents.items() if parent == one]
    return total


@dataclass
class Played:
    """What a play came to, and what the switch spent on its phases."""

    counts: dict[str, Any] = field(default_factory=dict)
    setup_s: float = 0.0
    talk_s: float = 0.0
    end_s: float = 0.0

    @property
    def spent_s(self) -> float:
        return self.setup_s + self.talk_s + self.end_s


@contextmanager
def talkers(plan: Plan) -> Iterator[subprocess.Popen[str]]:
    """Run `bench.talkers` with a plan."""
    running = subprocess.Popen(
        [sys.executable, "-m", "bench.talkers"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdin is not None
        running.stdin.write(json.dumps(asdict(plan)) + "\n")
        running.stdin.flush()
        yield running
    finally:
        running.kill()
        running.wait()


def play(plan: Plan, pid: int) -> Played:
    """Let a plan happen; `pid` is the switch."""
    played = Played()
    with talkers(plan) as running:
        assert running.stdout is not None
        last = tree_seconds(pid)
        for line in running.stdout:
            told = json.loads(line)
            now = tree_seconds(pid)
            match told.pop("phase"):
                case "talking":
                    played.setup_s = now - last
                case "over":
                    played.talk_s = now - last
                case "counts":
                    played.end_s = now - last
                    played.counts = told
            last = now
    if not played.counts:
        sys.exit("the talkers ended before their calls")
    return played
