"""Floods of each kind: how long others wait, what memory grows to, whether calls go on.

Each kind is measured in rounds, and each round first without the flood, with the same calls and
the same `OPTIONS`, so that what the machine does by itself is known for that very minute. What
counts is the middle of the rounds. Where a target is missed and the machine alone is already
near it, the figure says nothing of the server, and the report says so.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench import flood, flood_http
from bench.calls import Bed, asterisk, bed
from bench.load import LoadResult, cpu_seconds, resident_mb, run_calls
from bench.report import Report, percentile

FLOOD_S = 5.0
QUIET_S = 3.0
ROUNDS = 3
CALLS_PER_S = 10
OPTIONS_P99_MS = 50
MEMORY_MB = 400
_TOO_LOUD = 0.5
"""A machine that takes so much of a target by itself cannot tell whether it is met."""
_EVERY_S = 0.05
_GIVEN_UP_MS = 5000.0


class Probe(threading.Thread):
    """OPTIONS from a source of its own, twenty a second, until `stop`."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.2", 0))
        self._socket.settimeout(0.2)
        self._to = ("127.0.0.1", port)
        self._sent: dict[int, float] = {}
        self._milliseconds: list[float] = []
        self._goes_on = True
        self.start()
        threading.Thread(target=self._read, daemon=True).start()

    def run(self) -> None:
        name, own = os.urandom(4).hex(), self._socket.getsockname()[1]
        number = 0
        while self._goes_on:
            number += 1
            self._sent[number] = time.monotonic()
            self._socket.sendto(
                (
                    "OPTIONS sip:probe@127.0.0.1 SIP/2.0\r\n"
                    f"Via: SIP/2.0/UDP 127.0.0.2:{own};branch=z9hG4bK{name}{number};rport\r\n"
                    "From: <sip:p@127.0.0.2>;tag=1\r\nTo: <sip:p@127.0.0.1>\r\nMax-Forwards: 70\r\n"
                    f"Call-ID: {name}{number}\r\nCSeq: {number} OPTIONS\r\n"
                    "Content-Length: 0\r\n\r\n"
                ).encode(),
                self._to,
            )
            time.sleep(_EVERY_S)

    def _read(self) -> None:
        while self._goes_on or self._sent:
            try:
                data = self._socket.recv(65_535)
            except TimeoutError:
                if not self._goes_on:
                    return
                continue
            found = re.search(rb"CSeq: (\d+) ", data)
            if found and (at := self._sent.pop(int(found[1]), None)) is not None:
                self._milliseconds.append((time.monotonic() - at) * 1000)

    def stop(self) -> tuple[list[float], int]:
        """Return the delays in milliseconds and how many were never answered."""
        self._goes_on = False
        time.sleep(1)
        return self._milliseconds, len(self._sent)


@dataclass
class _Round:
    """What a stretch of time, with or without a flood, came to."""

    delays: list[float]
    lost: int
    failed: int
    cpu_s: float
    took_s: float
    sent: int = 0

    @property
    def p99(self) -> float:
        """Milliseconds."""
        return percentile(self.delays, 0.99) if self.delays else _GIVEN_UP_MS


@dataclass
class _Target:
    """A switch under attack; `ports` are where each kind goes that is not for SIP over UDP."""

    who: str
    port: int
    pid: int
    call: Callable[[int], LoadResult]
    judged: bool
    ports: dict[str, int] = field(default_factory=dict)


def run(out: Path, report: Report, *, peer: str, quick: bool, chosen: Sequence[str] = ()) -> None:
    """Make every flood, or those `chosen`, on our server, and on the peer where one is asked for.

    The peer is attacked by SIP over UDP and TCP only.
    """
    kinds = list(flood.KINDS | flood_http.KINDS)
    if quick:
        kinds = ["options", "anywhere", "stream", "http-header"]
    kinds = [kind for kind in kinds if not chosen or kind in chosen]
    rounds = 1 if quick else ROUNDS
    with bed(out, "attack", crm=False) as ours:
        target = _Target(
            "ours",
            int(ours.pbx.sip.rpartition(":")[2]),
            ours.pbx.pid,
            lambda calls: ours.calls(rate=CALLS_PER_S, calls=calls),
            judged=True,
            ports=_ports(ours),
        )
        _attacks(report, target, kinds, rounds)
        if peer == "asterisk":
            with asterisk(out, ours.phones_port, report) as other:
                if other is not None:

                    def call(calls: int) -> LoadResult:
                        return run_calls(
                            ours.folder,
                            numbers=ours.numbers,
                            target_port=other.port,
                            local_port=ours.carrier_port,
                            rate=CALLS_PER_S,
                            calls=calls,
                            pid=other.pid,
                        )

                    target = _Target("asterisk", other.port, other.pid, call, judged=False)
                    by_sip = [kind for kind in kinds if kind in flood.BY_SIP]
                    _attacks(report, target, by_sip, rounds)


def _ports(ours: Bed) -> dict[str, int]:
    http = int(ours.pbx.api.split("/")[2].rpartition(":")[2])
    return {
        **dict.fromkeys(flood_http.KINDS, http),
        "websockets": http,
        "https": int(ours.pbx.addresses["https"].rstrip("/").rpartition(":")[2]),
        "tls": int(ours.pbx.sip_tls.rpartition(":")[2]),
    }


def _attacks(report: Report, target: _Target, kinds: list[str], rounds: int) -> None:
    target.call(CALLS_PER_S)  # what is loaded on first use is loaded
    for kind in kinds:
        report.heading(f"Attack, {target.who}: {(flood.KINDS | flood_http.KINDS)[kind][0]}")
        quiet, under = [], []
        for _ in range(rounds):
            quiet.append(_stretch(target, QUIET_S))
            under.append(_stretch(target, FLOOD_S, kind))
        _tell(report, target, quiet, under)


def _stretch(target: _Target, seconds: float, kind: str = "") -> _Round:
    attacker = None
    if kind:
        at = target.ports.get(kind, target.port)
        command = [sys.executable, "-m", "bench.flood", kind, str(at), str(seconds)]
        attacker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    cpu, began = cpu_seconds(target.pid), time.monotonic()
    probe = Probe(target.port)
    result = target.call(int(seconds * CALLS_PER_S))
    delays, lost = probe.stop()
    sent = int(attacker.communicate(timeout=60)[0] or 0) if attacker else 0
    took = time.monotonic() - began
    spent = cpu_seconds(target.pid) - cpu
    delays += [_GIVEN_UP_MS] * lost
    return _Round(delays, lost, result.failed, spent, took, sent)


def _tell(report: Report, target: _Target, quiet: list[_Round], under: list[_Round]) -> None:
    def middle(rounds: list[_Round], figure: Callable[[_Round], float]) -> float:
        return median(figure(one) for one in rounds)

    sent = middle(under, lambda one: one.sent)
    alone = middle(quiet, lambda one: one.cpu_s / one.took_s)
    spent = middle(under, lambda one: one.cpu_s - alone * one.took_s)
    report.figure("sent", sent / FLOOD_S, "a second")
    report.figure("processor of the server", 100 * middle(under, lambda r: r.cpu_s / r.took_s), "%")
    if sent:
        report.figure("processor for one of the flood", 1e6 * max(0.0, spent) / sent, "µs")
    before, p99 = middle(quiet, lambda one: one.p99), middle(under, lambda one: one.p99)
    report.figure("OPTIONS from elsewhere, p99 without the flood", before, "ms")
    if target.judged and p99 > OPTIONS_P99_MS and before > _TOO_LOUD * OPTIONS_P99_MS:
        why = f"not judged, {before:.0f} ms without any flood"
        report.unjudged("OPTIONS from elsewhere, p99", p99, "ms", OPTIONS_P99_MS, why)
    else:
        limit = OPTIONS_P99_MS if target.judged else None
        report.figure("OPTIONS from elsewhere, p99", p99, "ms", limit)
    report.figure("  times as long as without", p99 / max(before, 0.001), "")
    none, most = (0, MEMORY_MB) if target.judged else (None, None)
    report.figure("OPTIONS lost", middle(under, lambda one: one.lost), "", none)
    report.figure("calls that failed", middle(under, lambda one: one.failed), "", none)
    report.figure("memory", resident_mb(target.pid), "MB", most)
