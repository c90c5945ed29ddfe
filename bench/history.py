"""Two million calls of one company: a day's list, a month as CSV, and calls meanwhile.

On SQLite and on a PostgreSQL started for this, each filled straight in the database with
180 days of likely calls (bench/rows.py), about 11,000 a day. Everything is asked of a running
`vpbx serve` by HTTP/1.1 with `http.client`, from the request to the last byte:

- A day's list: a working day in the middle, whole answer as JSON, by each filter, and without
  one, which is no target; a round asks each once for each of ten days; median and worst over all.
- A month as CSV: the month before, read in pieces and thrown away; rows a second of the whole
  answer, and the most memory (VmRSS of the server, looked at every 50 ms) while it streams.
- Calls meanwhile: 50 a second, everything on, while one client streams that month over and
  over; INVITE in to INVITE out as seen on the wire (needs root), and the same just before
  without the stream, to compare with.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from bench import rows
from bench.calls import WARM_UP, Bed, bed
from bench.company import DOMAIN
from bench.load import resident_mb
from bench.report import Report, percentile
from tests.support.postgres import NoPostgres, running_postgres

ROWS = 2_000_000
DAYS = 180
ASKED_DAYS = 10
DAY_MS = 50
ROWS_PER_S = 50_000
MEMORY_MB = 150
INVITE_MS = 30
CUSTOMER = "79000000017"
"""One of those who call most often."""
FILTERS: dict[str, dict[str, str | int]] = {
    "user": {"user": "e74990000000"},
    "customer": {"client": CUSTOMER},
    "a number with few calls": {"diversion": rows.NUMBERS[7]},
    "the number with most calls": {"diversion": rows.NUMBERS[0]},
    "missed": {"type": "missed"},
    "out": {"type": "out"},
    "user, in": {"user": "e74990000000", "type": "in"},
    "number, missed": {"diversion": rows.NUMBERS[0], "type": "missed"},
    "first 100 of all": {"limit": 100},
    "everything": {},
}


def run(out: Path, report: Report, *, quick: bool) -> None:
    """Measure on both kinds of database."""
    total = ROWS // 10 if quick else ROWS
    spread = rows.days(int(time.time()) // rows.DAY_S * rows.DAY_S, DAYS, total)

    def fill_sqlite(data: Path) -> None:
        rows.seed_sqlite(data / "vpbx.sqlite3", spread)

    report.heading(f"History of {total:,} rows on SQLite")
    with bed(out, "history-sqlite", crm=True, before=fill_sqlite) as one:
        _measure(one, spread, report, quick=quick)
    (out / "history-sqlite" / "data" / "vpbx.sqlite3").unlink()  # most of a gigabyte

    report.heading(f"History of {total:,} rows on PostgreSQL")
    try:
        with running_postgres(shared_buffers="256MB") as server:
            server.sql("CREATE DATABASE bench TEMPLATE template0")
            url = server.url("bench")

            def fill_postgres(_data: Path) -> None:
                asyncio.run(rows.seed_postgres(url, spread))

            with bed(out, "history-postgres", crm=True, database=url, before=fill_postgres) as one:
                _measure(one, spread, report, quick=quick)
    except NoPostgres as why:
        report.note(f"skipped: {why}")


class Client:
    """Asks one server for history over one connection."""

    def __init__(self, one: Bed, key: str) -> None:
        base = urlsplit(one.pbx.api)
        self._path = base.path
        self._headers = {"X-API-KEY": key}
        self._connection = http.client.HTTPConnection(base.netloc, timeout=60)
        self._connection.connect()

    def day(self, day: rows.Day, wanted: dict[str, str | int]) -> tuple[float, int]:
        """Ask for a day as JSON; return the milliseconds it took and how many rows came."""
        period = {"start": _moment(day.starts_s), "end": _moment(day.starts_s + rows.DAY_S - 1)}
        started = time.perf_counter()
        body = self._ask("/history/json", {**period, **wanted}).read()
        return (time.perf_counter() - started) * 1000, body.count(b'{"uid":')

    def last_month(self) -> int:
        """Read the month before as CSV to its end; return how many rows came."""
        self._connection.close()  # it may have stood too long; the next request opens one
        answer, count = self._ask("/history/csv", {"period": "last_month"}), 0
        while piece := answer.read(65536):
            count += piece.count(b"\n")
        return count

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _ask(self, path: str, query: dict[str, str | int]) -> http.client.HTTPResponse:
        self._connection.request(
            "GET", f"{self._path}{path}?{urlencode(query)}", headers=self._headers
        )
        answer = self._connection.getresponse()
        assert answer.status == 200, answer.read()
        return answer


def _moment(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y%m%dT%H%M%SZ")


def _measure(one: Bed, spread: list[rows.Day], report: Report, *, quick: bool) -> None:
    key = one.pbx.vpbx("key", "add", DOMAIN)["key"]
    time.sleep(1)  # within which the server knows of the key
    client = Client(one, key)
    try:
        _days(client, spread, report)
        _month(client, one, report)
        _calls_meanwhile(client, one, report, quick=quick)
    finally:
        client.close()


def _days(client: Client, spread: list[rows.Day], report: Report) -> None:
    asked = spread[DAYS // 2 : DAYS // 2 + ASKED_DAYS]
    for wanted in FILTERS.values():
        client.day(spread[3], wanted)  # the first time plans the statement
    for name, wanted in FILTERS.items():
        answers = [client.day(day, wanted) for day in asked]
        took = [milliseconds for milliseconds, _ in answers]
        found = statistics.mean(count for _, count in answers)
        label = f"a day, {name} ({found:.0f} rows)"
        target = DAY_MS if wanted else None
        report.figure(f"{label}, median", statistics.median(took), "ms", target)
        report.figure(f"{label}, worst", max(took), "ms", target)


def _month(client: Client, one: Bed, report: Report) -> None:
    with _memory(one.pbx.pid) as seen:
        started = time.perf_counter()
        count = client.last_month()
        took = time.perf_counter() - started
    report.figure(
        f"a month as CSV ({count:,} rows)", count / took, "rows/s", ROWS_PER_S, at_least=True
    )
    report.figure("memory of the server before", seen[0], "MB")
    report.figure("memory of the server meanwhile, most", max(seen), "MB", MEMORY_MB)


def _calls_meanwhile(client: Client, one: Bed, report: Report, *, quick: bool) -> None:
    one.calls(rate=50, calls=WARM_UP)
    if os.geteuid() != 0:
        report.note("calls meanwhile skipped: looking at the wire needs root")
        return
    calls, over, counted = (500 if quick else 1000), threading.Event(), [0]
    with one.watched() as undisturbed:
        one.calls(rate=50, calls=calls)
    report.figure(
        "INVITE in to INVITE out, nothing else going on, p99",
        percentile(undisturbed["invite"], 0.99),
        "ms",
    )
    report.figure("memory of the server after these calls", resident_mb(one.pbx.pid), "MB")

    def stream() -> None:
        while not over.is_set():
            counted[0] += client.last_month()

    started = time.perf_counter()
    streaming = threading.Thread(target=stream)
    streaming.start()
    try:
        with one.watched() as delays, _memory(one.pbx.pid) as seen:
            result = one.calls(rate=50, calls=calls)
    finally:
        over.set()
        streaming.join()
    took = time.perf_counter() - started
    report.figure("calls lost while streaming", result.failed, "calls", 0)
    report.figure("memory of the server with calls and stream, most", max(seen), "MB")
    report.figure("rows streamed meanwhile", counted[0] / took, "rows/s")
    report.delays("INVITE in to INVITE out while streaming", delays["invite"], INVITE_MS)


@contextmanager
def _memory(pid: int) -> Iterator[list[float]]:
    """Look at the memory of a process all the time; the list grows meanwhile."""
    seen, over = [resident_mb(pid)], threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            seen.append(resident_mb(pid))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join()
