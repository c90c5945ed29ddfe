"""Floods of each kind: how long others wait, what memory grows to, whether calls go on."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench import flood, flood_http
from bench.calls import Bed, asterisk, bed
from bench.load import LoadResult, cpu_seconds, resident_mb, run_calls
from bench.report import Report

FLOOD_S = 8.0
CALLS_PER_S = 10
OPTIONS_P99_MS = 50
MEMORY_MB = 400
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


def run(out: Path, report: Report, *, peer: str, quick: bool) -> None:
    """Make every flood on our server, and on the peer where one is asked for."""
    kinds = ["nothing", "options", "anywhere", "stream"] if quick else list(flood.KINDS)
    with bed(out, "attack", crm=False) as ours:
        port = int(ours.pbx.sip.rpartition(":")[2])
        _attacks(report, "ours", kinds, port, ours.pbx.pid, _calls(ours), targets=True)
        over_http = list(flood_http.KINDS)[: 2 if quick else None]
        http = int(ours.pbx.api.split("/")[2].rpartition(":")[2])
        _attacks(report, "ours", over_http, port, ours.pbx.pid, _calls(ours), targets=True, at=http)
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

                    _attacks(report, "asterisk", kinds, other.port, other.pid, call, targets=False)


def _calls(ours: Bed) -> Callable[[int], LoadResult]:
    return lambda calls: ours.calls(rate=CALLS_PER_S, calls=calls)


def _attacks(
    report: Report,
    who: str,
    kinds: list[str],
    port: int,
    pid: int,
    call: Callable[[int], LoadResult],
    *,
    targets: bool,
    at: int = 0,
) -> None:
    """`at` is the port to attack, where it is not that of SIP."""
    call(CALLS_PER_S)  # what is loaded on first use is loaded
    for kind in kinds:
        report.heading(f"Attack, {who}: {(flood.KINDS | flood_http.KINDS)[kind][0]}")
        command = [sys.executable, "-m", "bench.flood", kind, str(at or port), str(FLOOD_S)]
        cpu, began = cpu_seconds(pid), time.monotonic()
        attacker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        probe = Probe(port)
        result = call(int(FLOOD_S * CALLS_PER_S))
        delays, lost = probe.stop()
        share = (cpu_seconds(pid) - cpu) / (time.monotonic() - began)
        sent = int(attacker.communicate(timeout=60)[0] or 0)
        report.figure("sent", sent / FLOOD_S, "a second")
        report.figure("processor of the server", 100 * share, "%")
        delays += [_GIVEN_UP_MS] * lost
        report.delays("OPTIONS from elsewhere", delays, OPTIONS_P99_MS if targets else 1e9)
        report.figure("OPTIONS lost", lost, "", 0 if targets else None)
        report.figure("calls that failed", result.failed, "", 0 if targets else None)
        report.figure("memory", resident_mb(pid), "MB", MEMORY_MB if targets else None)
