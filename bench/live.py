"""What it costs calls that 50 tabs show the Live page: 200 changes a second of the company.

Each call comes in, rings, is answered and ends: four changes. Fifty calls a second, with and
without the tabs in turn, on one server; a quarter of the company's calls are on the board of each
tab at any time.
"""

from __future__ import annotations

import asyncio
import os
import statistics
from pathlib import Path
from urllib.parse import urlsplit

from bench.calls import Bed, bed, median
from bench.company import DOMAIN
from bench.helper import Helper
from bench.report import Report, percentile
from tests.support.console import log_in
from vpbx.accounts import Accounts
from vpbx.app.database import open_database
from vpbx.app.datadir import DataDir
from vpbx.clock import LoopClock
from vpbx.directory import Directory

TABS, VIEWERS = 50, 5
RATE = 50
TALK_MS = 600
ROUNDS = 5
_PASSWORD = "bench horse staple"


def run(out: Path, report: Report, *, quick: bool) -> None:
    """INVITE in to INVITE out with and without tabs, in turn, on one server."""
    report.heading(f"{TABS} tabs on the Live page, {RATE} calls a second of four changes each")
    if os.geteuid() != 0:
        report.note("skipped: looking at the wire needs root")
        return
    calls = 200 if quick else 500
    delays: dict[str, list[float]] = {"on": [], "off": []}
    spent: dict[str, list[float]] = {"on": [], "off": []}
    shown = size = 0
    with bed(out, "live", crm=False, before=_invite) as one, _tabs(one) as tabs:
        one.calls(rate=RATE, calls=200, talk_ms=TALK_MS)
        for number in range(ROUNDS):
            for word in ("off", "on") if number % 2 else ("on", "off"):
                tabs.say(word)
                with one.watched() as seen:
                    result = one.calls(rate=RATE, calls=calls, talk_ms=TALK_MS)
                boards, octets = tabs.say("off")
                shown, size = shown + boards, size + octets
                delays[word] += seen["invite"]
                spent[word].append(result.cpu_ms_per_call)
                if result.failed:
                    report.note(f"{result.failed} calls failed")
    seconds = ROUNDS * (calls / RATE + 2)
    report.figure("boards a tab got a second", shown / TABS / seconds, "1/s", 4)
    report.figure("bytes a board", size / max(1, shown), "")
    for word, name in (("off", "without"), ("on", "with")):
        report.figure(f"INVITE to INVITE {name}, median", statistics.median(delays[word]), "ms")
        report.figure(f"INVITE to INVITE {name}, p99", percentile(delays[word], 0.99), "ms")
        report.figure(f"CPU a call {name}", median(spent[word]), "ms")
    report.figure("median with / without", _ratio(delays, 0.5), "", 1.1)
    report.figure("p99 with / without", _ratio(delays, 0.99), "", 1.1)


def _ratio(delays: dict[str, list[float]], share: float) -> float:
    return percentile(delays["on"], share) / percentile(delays["off"], share)


def _logins() -> list[str]:
    return [f"viewer{number}" for number in range(VIEWERS)]


def _invite(data: Path) -> None:
    """Make administrators who look; one of them may have 20 tabs."""

    async def add() -> None:
        database = await open_database(DataDir(data), "")
        directory = Directory(database)
        await directory.start()
        domain = await directory.domain(DOMAIN)
        assert domain is not None
        accounts = Accounts(database, directory, LoopClock())
        for login in _logins():
            values = {"name": login, "login": login, "role": "admin", "password": "bench-password"}
            await directory.users.add(await directory.current(domain), values)
            invited = await accounts.invite(await directory.current(domain), login)
            await accounts.accept(invited.token, _PASSWORD)
        await directory.stop()
        await database.close()

    asyncio.run(add())


def _tabs(one: Bed) -> Helper:
    """`bench.tabs`, of employees who are logged in; it counts boards and their bytes."""
    place = urlsplit(one.pbx.api).netloc
    cookies = [log_in(place, DOMAIN, login, _PASSWORD) for login in _logins()]
    return Helper("bench.tabs", place, DOMAIN, str(TABS), *cookies)
