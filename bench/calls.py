"""What an answered call costs, how many a second go through, and how soon."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.asterisk import BARE, Asterisk, NoAsterisk
from bench.base import server as base_server
from bench.company import make_company, numbers
from bench.load import LoadResult, Phones, numbers_file, resident_mb, run_calls
from bench.report import Report
from tests.support.pbx import Pbx, free_port

WARM_UP = 300
ROUNDS = 3
CPU_RATE = 150
MEMORY_RATE = 50


@dataclass
class Bed:
    """A server with its company, phones and CRM, ready to be called."""

    folder: Path
    pbx: Pbx
    carrier_port: int
    phones_port: int
    crm_port: int
    numbers: Path

    def calls(self, *, rate: int, calls: int, talk_ms: int = 1000) -> LoadResult:
        """Let the carrier call through this server."""
        return run_calls(
            self.folder,
            numbers=self.numbers,
            target_port=int(self.pbx.sip.rpartition(":")[2]),
            local_port=self.carrier_port,
            rate=rate,
            calls=calls,
            talk_ms=talk_ms,
            pid=self.pbx.pid,
        )

    def told_crm(self) -> dict[str, int]:
        """Return how many commands of each kind the CRM has got."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.crm_port}/") as answer:
            counts: dict[str, int] = json.load(answer)
            return counts

    @contextmanager
    def watched(self) -> Iterator[dict[str, list[float]]]:
        """Look at the wire meanwhile (as root); at the end the delays seen are in the result."""
        ports = (self.pbx.sip.rpartition(":")[2], self.carrier_port, self.phones_port)
        command = [sys.executable, "-m", "bench.wire", *map(str, ports), str(self.crm_port)]
        watcher = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        delays: dict[str, list[float]] = {}
        try:
            assert watcher.stdout is not None
            watcher.stdout.readline()
            yield delays
            delays.update(json.loads(watcher.communicate("")[0]))
        finally:
            watcher.kill()


@contextmanager
def bed(
    out: Path,
    name: str,
    *,
    crm: bool,
    database: str = "",
    before: Callable[[Path], None] = lambda data: None,
    phones_port: int = 0,
) -> Iterator[Bed]:
    """Start everything a measurement of calls needs, in a folder of its own.

    `before` gets the data directory, its database filled with the company, before the server
    starts on it. With a `phones_port` of its own there are no phones: a `bench.talkers` is to be.
    """
    folder = (out / name).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    carrier_port, own_phones = free_port(), bool(phones_port)
    phones_port = phones_port or free_port()
    receiver = subprocess.Popen(
        [sys.executable, "-m", "bench.crm_receiver"], stdout=subprocess.PIPE, text=True
    )
    assert receiver.stdout is not None
    crm_port = int(receiver.stdout.readline())
    url = f"http://127.0.0.1:{crm_port}/crm" if crm else ""
    asyncio.run(
        make_company(
            folder / "data",
            carrier_port=carrier_port,
            phones_port=phones_port,
            crm_url=url,
            database=database,
        )
    )
    before(folder / "data")
    table = numbers_file(
        folder / "numbers.csv",
        [(telnum, f"7910{place:07d}") for place, telnum in enumerate(numbers())],
    )
    phones = None if own_phones else Phones(folder, phones_port)
    pbx = Pbx(folder / "data", database=database, rtp_ports="22000-31998")
    try:
        pbx.start(timeout_s=120)
        yield Bed(folder, pbx, carrier_port, phones_port, crm_port, table)
    finally:
        pbx.kill()
        if phones is not None:
            phones.close()
        receiver.kill()


def run(
    chosen: list[str], out: Path, report: Report, *, peer: str, quick: bool, base: str = ""
) -> None:
    """Make the measurements named in `chosen`; `base` is a checkout to compare costs with."""
    if "cpu" in chosen:
        cpu(out, report, peer=peer, quick=quick)
        if base:
            compare(out, report, Path(base).resolve(), quick=quick)
    if "rate" in chosen:
        rate(out, report, quick=quick)
    if "latency" in chosen:
        latency(out, report, quick=quick)
    if "memory" in chosen:
        memory(out, report, quick=quick)


def cpu(out: Path, report: Report, *, peer: str, quick: bool) -> None:
    """CPU an answered call, in turn with everything on, with no CRM, and of the peer."""
    report.heading(f"CPU of the process per answered call, {CPU_RATE} calls a second (median)")
    calls = 500 if quick else 1500
    spent: dict[str, list[float]] = {"crm": [], "bare": [], "peer": [], "peer bare": []}
    with bed(out, "cpu-crm", crm=True) as full, bed(out, "cpu-bare", crm=False) as bare:
        crm_url = f"http://127.0.0.1:{full.crm_port}/crm"
        with (
            asterisk(out, full.phones_port, report, crm_url=crm_url) if peer else nothing()
        ) as other:
            for one in (full, bare):
                one.calls(rate=50, calls=WARM_UP)
            bare_numbers = _numbers_for(full.folder / "bare-numbers.csv", BARE)
            for _ in range(ROUNDS):
                spent["crm"].append(_answered(full.calls(rate=CPU_RATE, calls=calls), report))
                spent["bare"].append(_answered(bare.calls(rate=CPU_RATE, calls=calls), report))
                if other is not None:
                    told = full.told_crm()
                    for whose, table in (("peer", full.numbers), ("peer bare", bare_numbers)):
                        result = run_calls(
                            full.folder,
                            numbers=table,
                            target_port=other.port,
                            local_port=free_port(),
                            rate=CPU_RATE,
                            calls=calls,
                            pid=other.pid,
                        )
                        spent[whose].append(_answered(result, report))
                    now = full.told_crm()
                    theirs = sum(now.values()) - sum(told.values())
                    report.note(f"the peer told the CRM {theirs} of {calls * 5} commands")
        told = full.told_crm()
    ours = (WARM_UP + ROUNDS * calls) * 5
    report.note(f"the CRM got {sum(told.values())} commands, {ours} of them due from us: {told}")
    with_crm, no_crm = median(spent["crm"]), median(spent["bare"])
    report.figure(
        "everything on (history, contact, 3 events, history command)", with_crm, "ms", 2.5
    )
    report.figure("no CRM set", no_crm, "ms", 1.5)
    if spent["peer"]:
        same, dial = median(spent["peer"]), median(spent["peer bare"])
        report.figure("the peer: a row in SQLite, five commands by CURL()", same, "ms")
        report.figure("the peer's bare Dial()", dial, "ms")
        report.figure("everything on / the peer's same work", with_crm / same, "", 0.45)
        report.figure("everything on / the peer's bare Dial()", with_crm / dial, "")
        report.figure("no CRM set / the peer's bare Dial()", no_crm / dial, "", 0.5)


def _numbers_for(path: Path, prefix: str) -> Path:
    rows = [(prefix + telnum, f"7910{place:07d}") for place, telnum in enumerate(numbers())]
    return numbers_file(path, rows)


def compare(out: Path, report: Report, base: Path, *, quick: bool) -> None:
    """CPU an answered call of this checkout and of another one, in turn.

    The ratio is the median of those of single rounds: what else the machine does meanwhile
    makes both dearer.
    """
    report.heading(f"CPU per answered call, everything on, beside {base}")
    rounds, calls = (5, 300) if quick else (9, 900)
    ratios: list[float] = []
    with (
        bed(out, "compare", crm=True) as ours,
        base_server(
            base,
            out / "compare-base",
            carrier_port=ours.carrier_port,
            phones_port=ours.phones_port,
            crm_url=f"http://127.0.0.1:{ours.crm_port}/crm",
        ) as (pid, port),
    ):

        def theirs(rate: int, calls: int) -> LoadResult:
            return run_calls(
                ours.folder,
                numbers=ours.numbers,
                target_port=port,
                local_port=ours.carrier_port,
                rate=rate,
                calls=calls,
                pid=pid,
            )

        ours.calls(rate=50, calls=WARM_UP)
        theirs(50, WARM_UP)
        for number in range(rounds):
            turns = [lambda: ours.calls(rate=100, calls=calls), lambda: theirs(100, calls)]
            order = (0, 1) if number % 2 == 0 else (1, 0)
            spent = {who: _answered(turns[who](), report) for who in order}
            report.note(f"{spent[0]:.2f} ms, there {spent[1]:.2f} ms")
            ratios.append(spent[0] / spent[1])
    report.figure("here / there, median of rounds", median(ratios), "", 1.0)


def _answered(result: LoadResult, report: Report) -> float:
    if result.failed:
        report.note(f"{result.failed} of {result.calls + result.failed} calls failed")
    return result.cpu_ms_per_call


def rate(out: Path, report: Report, *, quick: bool) -> None:
    """150 calls a second while SIPp shares the machine."""
    report.heading("150 calls a second, everything on, SIPp on the same cores")
    with bed(out, "rate", crm=True) as one:
        one.calls(rate=50, calls=WARM_UP)
        result = one.calls(rate=150, calls=1500 if quick else 6000, talk_ms=500)
    report.figure("calls lost", result.failed, "calls", 0)
    report.figure("calls answered", result.calls, "calls")
    report.figure("messages sent again", result.retransmissions, "")
    report.figure("CPU a call", result.cpu_ms_per_call, "ms")
    report.figure("rate reached", result.calls / (result.wall_s - 0.5), "calls/s")


def latency(out: Path, report: Report, *, quick: bool) -> None:
    """INVITE in to INVITE out, and SIP event to CRM request, at 50 calls a second."""
    report.heading("Delays at 50 calls a second, everything on, seen on the wire")
    if os.geteuid() != 0:
        report.note("skipped: looking at the wire needs root")
        return
    with bed(out, "latency", crm=True) as one:
        one.calls(rate=50, calls=WARM_UP)
        with one.watched() as delays:
            one.calls(rate=50, calls=1000 if quick else 3000)
    report.delays("INVITE in to INVITE out (contact asked)", delays["invite"], 20)
    report.delays("180 of the phone to INCOMING at the CRM", delays["ringing_to_crm"], 50)
    report.delays("200 of the phone to ACCEPTED at the CRM", delays["answer_to_crm"], 50)


def memory(out: Path, report: Report, *, quick: bool) -> None:
    """Memory after 2,000 calls and after 20,000, at a rate that 2,000 calls last 40 s.

    A finished call's transactions wait 32 s for what is sent again (RFC 3261 timers H, J, L, M):
    before that time nothing can be flat.
    """
    total = 6000 if quick else 20000
    report.heading(f"Memory over {total} calls, everything on")
    with bed(out, "memory", crm=True) as one:
        one.calls(rate=MEMORY_RATE, calls=2000, talk_ms=300)
        early = resident_mb(one.pbx.pid)
        for _ in range(4):
            result = one.calls(rate=MEMORY_RATE, calls=(total - 2000) // 4, talk_ms=300)
            report.note(f"{resident_mb(one.pbx.pid):.1f} MB ({result.failed} calls failed)")
        late = resident_mb(one.pbx.pid)
    report.figure("after 2,000 calls", early, "MB")
    report.figure(f"after {total}", late, "MB")
    report.figure("growth since", late / early, "times", 1.05)


@contextmanager
def asterisk(
    out: Path, phones_port: int, report: Report, *, crm_url: str = "", record: bool = False
) -> Iterator[Asterisk | None]:
    """Start the peer, or say why not."""
    try:
        peer = Asterisk(
            (out / "asterisk-root").resolve(),
            port=free_port(),
            phones_port=phones_port,
            crm_url=crm_url,
            record=record,
        )
    except NoAsterisk as why:
        report.note(str(why))
        yield None
        return
    report.note(peer.version)
    try:
        yield peer
    finally:
        peer.close()


@contextmanager
def nothing() -> Iterator[None]:
    """No peer was asked for."""
    yield None


def median(values: list[float]) -> float:
    """Return the middle of an odd number of values."""
    return sorted(values)[len(values) // 2]
