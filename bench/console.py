"""The console of a big company: how long the server takes for each page.

1,000 employees, 300 numbers, 20 departments and two million calls of a year, put straight into
SQLite (bench/rows.py). An administrator who is logged in asks a running `vpbx serve` for each
page of the menu, for lists and reports as they are used, once to warm up and then in rounds; from
the request to the last byte, over one connection.
"""

from __future__ import annotations

import asyncio
import http.client
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bench import rows
from bench.company import DOMAIN
from bench.report import Report
from tests.support.console import log_in
from tests.support.pbx import Pbx
from vpbx.accounts import Accounts
from vpbx.app.database import open_database
from vpbx.app.datadir import DataDir
from vpbx.clock import LoopClock
from vpbx.console import PAGES
from vpbx.directory import Directory

EMPLOYEES = 1_000
NUMBERS = 300
DEPARTMENTS = 20
CALLS = 2_000_000
DAYS = 365
PAGE_MS = 100
ROUNDS = 7
_PASSWORD = "bench horse staple"
MORE = [
    "/history?period=this_month",
    "/history?period=this_month&kind=missed",
    "/history?period=last_month&client=79000000",
    "/history?start={first}&end={last}&client=79000123456",
    "/history?start={first}&end={last}&tag=nothing",
    "/employees?search=e7499000",
    "/reports?period=last_month&by=day",
    "/reports?period=last_month&by=employee",
    *(f"/reports?start={{first}}&end={{last}}&by={by}" for by in ("day", "hour")),
    *(f"/reports?start={{first}}&end={{last}}&by={by}" for by in ("employee", "department")),
    "/history?start={first}&end={last}&login=e74990000000",
]


def run(out: Path, report: Report, *, quick: bool) -> None:
    """Measure every page."""
    total = CALLS // 10 if quick else CALLS
    folder = (out / "console").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    report.heading(f"Console: {EMPLOYEES:,} employees, {NUMBERS} numbers, {total:,} calls")
    try:
        made = time.perf_counter()
        today = int(time.time()) // rows.DAY_S * rows.DAY_S
        fill(folder / "data", rows.days(today, DAYS, total))
        report.note(f"filled in {time.perf_counter() - made:.0f} s")
        measure(folder / "data", report)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # most of a gigabyte


def fill(data: Path, spread: list[rows.Day]) -> None:
    """Make the company and its history."""
    asyncio.run(_make_company(data))
    rows.seed_sqlite(data / "vpbx.sqlite3", spread)


async def _make_company(folder: Path) -> None:
    data = DataDir(folder)
    data.prepare()
    opened = await open_database(data, "")
    directory = Directory(opened)
    await directory.start()
    try:
        domain = (await directory.companies.add(DOMAIN, "Europe/Moscow", "bench-password")).domain
        await directory.trunk_rules.add("carrier", "127.0.0.1:9")
        await directory.companies.edit(domain, {"limit_users": 2 * EMPLOYEES, "language": "en"})
        for place in range(EMPLOYEES):
            telnum = f"7499{place:07d}"
            domain = await directory.current(domain)
            values = {"name": f"Employee {place}", "login": f"e{telnum}"}
            await directory.users.add(domain, {**values, "password": "bench-password"})
            if place < NUMBERS:
                await directory.telnums.add(domain, telnum, trunk="carrier", user=f"e{telnum}")
        for place in range(DEPARTMENTS):
            domain = await directory.current(domain)
            group = await directory.groups.add(domain, {"name": f"Department {place}"})
            members = [f"e7499{n:07d}" for n in range(place, EMPLOYEES, DEPARTMENTS)]
            await directory.groups.change_users(domain, group.id, {"add": members})
        accounts = Accounts(opened, directory, LoopClock())
        invited = await accounts.invite(await directory.current(domain), "admin")
        await accounts.accept(invited.token, _PASSWORD)
    finally:
        await directory.stop()
        await opened.close()


def measure(data: Path, report: Report) -> None:
    """Ask a server on `data` for every page."""
    with _server(data) as reader:
        count_ahead(reader, report)
    with _server(data) as reader:
        for path in reader.paths():
            first = reader.ask(path)
            if "/reports?start" in path:  # nothing is in memory yet
                report.figure(f"{path[:68]}, first", first, "ms", PAGE_MS)
            took = [reader.ask(path) for _ in range(ROUNDS)]
            report.figure(
                f"{path[:76]} (first {first:.0f}, worst {max(took):.0f})",
                statistics.median(took),
                "ms",
                PAGE_MS,
            )


def count_ahead(reader: Reader, report: Report) -> None:
    """Ask for a year's report of calls that nobody has counted, until the page has figures."""
    started = time.perf_counter()
    pages = [path for path in reader.paths() if "/reports?start" in path]
    took = [reader.ask(pages[0])]
    while any(reader.is_counting(path) for path in pages):
        time.sleep(1)
        took.append(reader.ask(pages[0]))
    report.figure("a year's report while it is counted: says so, worst", max(took), "ms")
    report.figure(
        "a year's calls counted, while somebody waits", time.perf_counter() - started, "s"
    )


@contextmanager
def _server(data: Path) -> Iterator[Reader]:
    pbx = Pbx(data).start(timeout_s=120)
    try:
        yield Reader(pbx)
    finally:
        pbx.kill()


class Reader:
    """An administrator at their browser."""

    def __init__(self, pbx: Pbx) -> None:
        base = urlsplit(pbx.api)
        self._connection = http.client.HTTPConnection(base.netloc, timeout=120)
        cookies = log_in(base.netloc, DOMAIN, "admin", _PASSWORD)
        self._headers = {"Host": DOMAIN, "Cookie": cookies}

    def paths(self) -> list[str]:
        """Return what is asked for."""
        last = time.strftime("%Y-%m-%d", time.gmtime())
        first = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 360 * 86_400))
        number = f"/numbers/7499{0:07d}"
        found = [page.path for page in PAGES if page.label]
        found += [number, f"{number}/calendar", "/employees/e74990000001"]
        return found + [path.format(first=first, last=last) for path in MORE]

    def ask(self, path: str) -> float:
        """Ask for a page; return the milliseconds it took."""
        started = time.perf_counter()
        self._page(path)
        return (time.perf_counter() - started) * 1000

    def is_counting(self, path: str) -> bool:
        """Say whether a report has no figures yet."""
        return b'aria-busy="true"' in self._page(path)

    def _page(self, path: str) -> bytes:
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        page = answer.read()
        assert answer.status == 200, (path, answer.status)
        return page
