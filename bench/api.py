"""Requests a second and their p99, beside the least that FastAPI can do.

A company of 300 employees, asked by wrk over one thread and 16 connections that stay open:
20 of the list of users; one user; the history of today, which is 20 calls; and makecall for
one employee after another, whose phones (SIPp) are busy, so that each request is a whole call:
INVITE, 486, ACK, its journal and its row of history. Beside each, in turn and for as long, the
same number of connections ask a minimal FastAPI application (bench/minimal.py: the same uvicorn,
httptools and uvloop, a parameter or a small body in, a small object out). The ratio is the
median over the rounds; what our API does more is: the key, rights, the company, the
parameters' many spellings, the answer itself, security headers.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from bench.company import DOMAIN, make_company, numbers
from bench.load import Phones
from bench.report import Report
from bench.rows import Day, seed_sqlite
from tests.support.pbx import Pbx, free_port

CONNECTIONS = 16
ROUNDS = 3
ROUND_S = 3
SHARE = 0.5
"""Of the minimal endpoint's rate: what is wanted."""
_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True)
class Result:
    """One run of wrk."""

    per_s: float
    p99_ms: float
    refused: int


def wrk(url: str, script: Path | None = None, *, key: str = "", seconds: int = ROUND_S) -> Result:
    """Ask `url` over and over for `seconds`."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency"]
    if key:
        command += ["-H", f"X-API-KEY: {key}"]
    if script is not None:
        command += ["-s", str(script)]
    said = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    slow = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    assert rate is not None, said
    assert slow is not None, said
    slow_ms = float(slow[1]) * _UNITS_MS[slow[2]]
    return Result(float(rate[1]), slow_ms, int(refused[1]) if refused else 0)


def run(out: Path, report: Report, *, quick: bool) -> None:
    """Measure all four, each beside the minimal endpoint."""
    report.heading(f"The API by wrk, {CONNECTIONS} connections, beside a minimal FastAPI endpoint")
    if shutil.which("wrk") is None:
        report.note("skipped: wrk is not installed (apt-get install wrk)")
        return
    with served(out) as (pbx, key), minimal() as base:
        order = _script(out / "api" / "order.lua", ["79101234567"])
        calls = _script(out / "api" / "makecall.lua", [f"e{telnum}" for telnum in numbers()])
        item, orders = f"{base}/items/one?limit=20", f"{base}/orders"
        for name, path, script, yardstick, theirs in (
            ("users list", "/users?limit=20", None, item, None),
            ("one user", f"/users/e{numbers()[7]}", None, item, None),
            ("history of today", "/history/json?period=today", None, item, None),
            ("makecall", "/makecall", calls, orders, order),
        ):
            ours, least = [], []
            wrk(pbx.api + path, script, key=key, seconds=1)
            for _ in range(1 if quick else ROUNDS):
                ours.append(wrk(pbx.api + path, script, key=key))
                least.append(wrk(yardstick, theirs))
            _print(report, name, ours, least)


def _print(report: Report, name: str, ours: list[Result], least: list[Result]) -> None:
    report.figure(f"{name}", statistics.median(r.per_s for r in ours), "/s")
    report.figure(f"{name}, p99", statistics.median(r.p99_ms for r in ours), "ms")
    report.figure(f"{name}: minimal endpoint", statistics.median(r.per_s for r in least), "/s")
    ratio = statistics.median(
        one.per_s / other.per_s for one, other in zip(ours, least, strict=True)
    )
    report.figure(f"{name}: ours / minimal", ratio, "", SHARE, at_least=True)
    refused = sum(result.refused for result in ours)
    if refused:
        report.note(f"{refused} requests were refused")


def _script(path: Path, users: list[str]) -> Path:
    """Write what makes wrk POST a JSON body, for one user after another."""
    listed = ", ".join(f'"{user}"' for user in users)
    path.write_text(
        f"local users, place = {{{listed}}}, 0\n"
        'wrk.method = "POST"\n'
        'wrk.headers["Content-Type"] = "application/json"\n'
        "request = function()\n"
        "  place = place % #users + 1\n"
        """  local body = '{"phone":"79101234567","user":"' .. users[place] .. '"}'\n"""
        "  return wrk.format(nil, nil, nil, body)\n"
        "end\n"
    )
    return path


@contextmanager
def served(out: Path) -> Iterator[tuple[Pbx, str]]:
    """Start a server with a company, a key to it, busy phones and a little history."""
    folder = (out / "api").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    phones_port = free_port()
    asyncio.run(
        make_company(folder / "data", carrier_port=free_port(), phones_port=phones_port, crm_url="")
    )
    zone = ZoneInfo("Europe/Moscow")
    midnight = datetime.fromtimestamp(time.time(), zone).replace(hour=0, minute=0, second=0)
    seed_sqlite(folder / "data" / "vpbx.sqlite3", [Day(int(midnight.timestamp()) + 1, 20)])
    phones = Phones(folder, phones_port, scenario="busy_phone.xml")
    pbx = Pbx(folder / "data", rtp_ports="22000-31998")
    try:
        pbx.start()
        key = pbx.vpbx("key", "add", DOMAIN)["key"]
        time.sleep(1)  # within which the server knows of the key
        yield pbx, key
    finally:
        pbx.kill()
        phones.close()


@contextmanager
def minimal() -> Iterator[str]:
    """Start the minimal application and give its base URL."""
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.minimal"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        base = f"http://127.0.0.1:{int(server.stdout.readline())}"
        yield base
    finally:
        server.kill()
        server.wait()
