"""`make bench`: all measurements, or those named (`python -m bench calls`)."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from bench import api, attack, blf, bridge, calls, console, crm_log, groups, history, live, media
from bench.report import Report

OUT = Path("bench-out")
WHAT = ["cpu", "rate", "latency", "memory", "departments", "queues", "media"]
WHAT += ["history", "api", "attack", "blf", "bridge", "crm-log", "console", "live"]


def main() -> None:
    """Run what was asked for and print every figure beside its target."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*WHAT, []])
    parser.add_argument("--quick", action="store_true", help="fewer calls: a look, not a result")
    parser.add_argument("--minutes", type=float, default=0, help="of `queues`: how long to wait")
    options = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    report = Report()
    chosen = options.what or WHAT
    peer, base = os.environ.get("PEER", ""), os.environ.get("BASE", "")
    calls.run(chosen, OUT, report, peer=peer, quick=options.quick, base=base)
    if "departments" in chosen:
        groups.departments(OUT, report, quick=options.quick)
    if "queues" in chosen:
        groups.queues(OUT, report, quick=options.quick, minutes=options.minutes)
    if "media" in chosen:
        media.run(OUT, report, peer=peer, quick=options.quick)
    if "history" in chosen:
        history.run(OUT, report, quick=options.quick)
    if "api" in chosen:
        api.run(OUT, report, quick=options.quick)
    if "attack" in chosen:
        floods = os.environ.get("FLOODS", "").replace(",", " ").split()
        attack.run(OUT, report, peer=peer, quick=options.quick, chosen=floods)
    if "blf" in chosen:
        blf.run(OUT, report, quick=options.quick)
    if "bridge" in chosen:
        bridge.run(OUT, report, quick=options.quick)
    if "crm-log" in chosen:
        crm_log.run(OUT, report, quick=options.quick)
    if "console" in chosen:
        console.run(OUT, report, quick=options.quick)
    if "live" in chosen:
        live.run(OUT, report, quick=options.quick)
    report.end()


if __name__ == "__main__":
    main()
