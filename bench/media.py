"""300 concurrent recorded calls with sound both ways: loss, CPU a call, MP3s ready."""

from __future__ import annotations

import time
from pathlib import Path

from bench.asterisk import Asterisk
from bench.calls import asterisk, bed, nothing
from bench.company import numbers
from bench.play import Played, play, tree_seconds
from bench.report import Report
from bench.talkers import FRAME_S, Plan
from tests.support.pbx import free_port

CALLS, TALK_S = 300, 20.0
RATE = 30
_PATIENCE_S = 120.0


def run(out: Path, report: Report, *, peer: str, quick: bool) -> None:
    """Ours, with the MP3s counted; then the peer with MixMonitor, which makes none."""
    count, talk_s = (60, 8.0) if quick else (CALLS, TALK_S)
    report.heading(f"{count} concurrent recorded G.711 calls of {talk_s:g} s with sound both ways")
    phones_port = free_port()
    with bed(out, "media", crm=True, phones_port=phones_port) as one:
        plan = Plan(
            pbx=int(one.pbx.sip.rpartition(":")[2]),
            carrier=one.carrier_port,
            phones=phones_port,
            calls=_calls(count),
            rate=RATE,
            ring_s=0.2,
            talk_s=talk_s,
        )
        before = tree_seconds(one.pbx.pid)
        played = play(plan, one.pbx.pid)
        ended = time.monotonic()
        ready = _wait_for_recordings(one.folder / "data" / "records", count)
        ready_s, spent = time.monotonic() - ended, tree_seconds(one.pbx.pid) - before
        ours = spent / count * 1000
        _tell(report, "", played, count, talk_s)
        report.figure("MP3s", ready, "", count, at_least=True)
        report.figure("the last MP3 ready after the end of the calls", ready_s, "s")
        report.figure("CPU a call, MP3 counted", ours, "ms")
        crm_url = f"http://127.0.0.1:{one.crm_port}/crm"
        with (
            asterisk(out, phones_port, report, crm_url=crm_url, record=True) if peer else nothing()
        ) as other:
            if other is not None:
                _beside(other, plan, report, ours, count, talk_s)


def _beside(
    other: Asterisk, plan: Plan, report: Report, ours: float, count: int, talk_s: float
) -> None:
    plan.pbx, plan.carrier = other.port, free_port()
    played = play(plan, other.pid)
    _tell(report, "the peer's ", played, count, talk_s)
    theirs = played.spent_s / count * 1000
    report.figure("the peer's CPU a call, no MP3", theirs, "ms")
    report.figure("ours with MP3 / the peer's", ours / theirs, "", 0.3)


def _calls(count: int) -> list[tuple[str, str]]:
    return [(called, f"7910{place:07d}") for place, called in enumerate(numbers()[:count])]


def _tell(report: Report, whose: str, played: Played, count: int, talk_s: float) -> None:
    counts = played.counts
    report.figure(f"{whose}calls answered", counts["answered"], "calls", count, at_least=True)
    report.figure(f"{whose}packets sent", counts["sent"], "")
    lost = counts["sent"] - counts["received"]
    report.figure(
        f"{whose}packets lost, of a thousand", lost / max(1, counts["sent"]) * 1000, "", 1
    )
    least = 2 * count * talk_s / FRAME_S
    report.figure(f"{whose}packets sent, of those due", counts["sent"] / least, "")


def _wait_for_recordings(records: Path, count: int) -> int:
    until = time.monotonic() + _PATIENCE_S
    while (found := len(list(records.rglob("*.mp3")))) < count and time.monotonic() < until:
        time.sleep(0.5)
    return found
