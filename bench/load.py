"""SIPp on both ends of a switch, and what the switch spent meanwhile."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

SCENARIOS = Path(__file__).parent / "scenarios"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time a process and its ended children have used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def resident_mb(pid: int) -> float:
    """Return the memory a process holds, in megabytes."""
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(match[1]) / 1024 if match else 0.0


@dataclass(frozen=True)
class LoadResult:
    """One run of SIPp against a switch."""

    calls: int
    failed: int
    retransmissions: int
    cpu_ms_per_call: float
    wall_s: float
    answer_ms: float
    """Mean time from INVITE to 200, the phone's own ringing included."""


def numbers_file(path: Path, rows: list[tuple[str, str]]) -> Path:
    """Write SIPp's table of (called number, caller number), taken one after another."""
    path.write_text("SEQUENTIAL\n" + "".join(f"{called};{caller}\n" for called, caller in rows))
    return path


class Phones:
    """SIPp as all the phones, at one address."""

    def __init__(
        self, work: Path, port: int, *, ring_ms: int = 300, scenario: str = "phone.xml"
    ) -> None:
        self.port = port
        command = ["sipp", "-sf", str(SCENARIOS / scenario), "-i", "127.0.0.1", "-p", str(port)]
        command += ["-mi", "127.0.0.1", "-d", str(ring_ms), "-nostdin", "-l", "5000"]
        self._log = (work / "phones.log").open("w")
        self._process = subprocess.Popen(command, cwd=work, stdout=self._log, stderr=self._log)

    def close(self) -> None:
        """End SIPp."""
        self._process.kill()
        self._process.wait()
        self._log.close()


def run_calls(
    work: Path,
    *,
    numbers: Path,
    target_port: int,
    local_port: int,
    rate: int,
    calls: int,
    talk_ms: int = 1000,
    pid: int,
) -> LoadResult:
    """Place `calls` calls at `rate` a second and wait for the end of the last."""
    stats = work / f"caller-{time.monotonic_ns()}.csv"
    command = ["sipp", f"127.0.0.1:{target_port}", "-sf", str(SCENARIOS / "caller.xml")]
    command += ["-i", "127.0.0.1", "-p", str(local_port), "-mi", "127.0.0.1", "-nostdin"]
    command += ["-inf", str(numbers), "-r", str(rate), "-m", str(calls), "-d", str(talk_ms)]
    command += [
        "-l",
        "5000",
        "-trace_stat",
        "-stf",
        str(stats),
        "-fd",
        "1",
        "-timeout",
        str(calls // rate + 60),
    ]
    before, started = cpu_seconds(pid), time.monotonic()
    with (work / "caller.log").open("w") as log:
        subprocess.run(command, cwd=work, stdout=log, stderr=log, check=False)
    wall = time.monotonic() - started
    time.sleep(1.0)  # the last histories and CRM commands belong to the calls
    spent = cpu_seconds(pid) - before
    with stats.open() as file:
        last = list(csv.DictReader(file, delimiter=";"))[-1]
    succeeded, failed = int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"])
    hours, minutes, seconds, microseconds = last["ResponseTime1(C)"].split(":")
    answer_s = int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(microseconds) / 1e6
    return LoadResult(
        calls=succeeded,
        failed=failed,
        retransmissions=int(last["Retransmissions(C)"]),
        cpu_ms_per_call=spent / max(1, succeeded) * 1000,
        wall_s=wall,
        answer_ms=answer_s * 1000,
    )
