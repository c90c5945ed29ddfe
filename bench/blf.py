"""What it costs calls that their lines are watched: 500 subscriptions on 100 lines."""

from __future__ import annotations

import asyncio
import os
import statistics
from dataclasses import replace
from pathlib import Path

from bench.calls import Bed, bed, median
from bench.company import DOMAIN, numbers
from bench.helper import Helper
from bench.load import numbers_file
from bench.report import Report, percentile
from vpbx.app.database import open_database
from vpbx.app.datadir import DataDir
from vpbx.directory import Directory

LINES, WATCHERS = 100, 5
RATE = 50
ROUNDS = 3


def run(out: Path, report: Report, *, quick: bool) -> None:
    """INVITE in to INVITE out with and without subscriptions, in turn, on one server."""
    report.heading(
        f"{LINES * WATCHERS} subscriptions on {LINES} lines, {RATE} calls a second on these lines"
    )
    if os.geteuid() != 0:
        report.note("skipped: looking at the wire needs root")
        return
    calls = 250 if quick else 750
    delays: dict[str, list[float]] = {"on": [], "off": []}
    spent: dict[str, list[float]] = {"on": [], "off": []}
    with bed(out, "blf", crm=False, before=_allow) as one, _watchers(one) as watchers:
        rows = [(telnum, f"7910{place:07d}") for place, telnum in enumerate(numbers()[:LINES])]
        lines = replace(one, numbers=numbers_file(one.folder / "lines.csv", rows))
        lines.calls(rate=RATE, calls=300, talk_ms=300)
        for _ in range(ROUNDS):
            for word in ("off", "on"):
                watchers.say(word)
                with lines.watched() as seen:
                    result = lines.calls(rate=RATE, calls=calls, talk_ms=300)
                delays[word] += seen["invite"]
                spent[word].append(result.cpu_ms_per_call)
                if result.failed:
                    report.note(f"{result.failed} calls failed")
        notified, held = watchers.say("off")
    report.note(f"{notified} notifications in the last {calls} calls, the ends of all included")
    for word, name in (("off", "without"), ("on", "with")):
        report.figure(f"INVITE to INVITE {name}, median", statistics.median(delays[word]), "ms")
        report.figure(f"INVITE to INVITE {name}, p99", percentile(delays[word], 0.99), "ms")
        report.figure(f"CPU a call {name}", median(spent[word]), "ms")
    report.figure("subscriptions left at the end", held, "", 0)
    report.figure("median with / without", _ratio(delays, 0.5), "", 1.15)
    report.figure("p99 with / without", _ratio(delays, 0.99), "", 1.5)


def _ratio(delays: dict[str, list[float]], share: float) -> float:
    return percentile(delays["on"], share) / percentile(delays["off"], share)


def _allow(data: Path) -> None:
    """Put those who watch on the BLF list."""

    async def add() -> None:
        database = await open_database(DataDir(data), "")
        directory = Directory(database)
        await directory.start()
        domain = await directory.domain(DOMAIN)
        assert domain is not None
        await directory.blf.add(domain, _logins())
        await directory.stop()
        await database.close()

    asyncio.run(add())


def _logins() -> list[str]:
    return [f"e{telnum}" for telnum in numbers()[-WATCHERS:]]


def _watchers(one: Bed) -> Helper:
    """`bench.watchers`; it counts NOTIFYs that came, and the subscriptions there are."""
    return Helper("bench.watchers", one.pbx.sip, str(LINES), *_logins())
