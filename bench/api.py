"""Requests a second and their p99, beside the least that FastAPI can do.

A company of 300 employees, asked by wrk over one thread and 16 connections that stay open: 20
of the list of users; one user; the history of today, which is 20 calls. Beside each, in turn
and for as long, as many connections ask a minimal FastAPI application (bench/minimal.py: the
same uvicorn, httptools and uvloop, a parameter in, a small object out). What our API does more:
the key, rights, the company, the parameters' many spellings, the answer itself, security
headers; and for history the database.

makecall for one employee after another, whose phones (SIPp) are busy, so that each request is a
whole call: INVITE, 486, ACK, its journal and its row of history. That is several times the work
of any HTTP request, so here the yardstick is a minimal endpoint in the same process that makes
the same call; the ratio to one that does nothing stands beside it.

Ratios are medians over the rounds.
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
    rounds = 1 if quick else ROUNDS
    with minimal() as (base, _):
        with served(out) as (pbx, key):
            for name, path in (
                ("users list", "/users?limit=20"),
                ("one user", f"/users/e{numbers()[7]}"),
                ("history of today", "/history/json?period=today"),
            ):
                ours = Asked(pbx.api + path, key=key)
                _compare(report, name, ours, Asked(f"{base}/items/one?limit=20"), rounds)
        _makecall(out, report, f"{base}/orders", rounds)


@dataclass(frozen=True)
class Asked:
    """What wrk asks for."""

    url: str
    script: Path | None = None
    key: str = ""

    def run(self, seconds: int = ROUND_S) -> Result:
        return wrk(self.url, self.script, key=self.key, seconds=seconds)


def _compare(report: Report, name: str, ours: Asked, least: Asked, rounds: int) -> list[Result]:
    """Ask both in turn, report, and return what ours did."""
    ours.run(seconds=1)
    pairs = [(ours.run(), least.run()) for _ in range(rounds)]
    report.figure(name, statistics.median(one.per_s for one, _ in pairs), "/s")
    report.figure(f"{name}, p99", statistics.median(one.p99_ms for one, _ in pairs), "ms")
    report.figure(f"{name}: minimal", statistics.median(two.per_s for _, two in pairs), "/s")
    ratio = statistics.median(one.per_s / two.per_s for one, two in pairs)
    report.figure(f"{name}: ours / minimal", ratio, "", SHARE, at_least=True)
    refused = sum(result.refused for pair in pairs for result in pair)
    if refused:
        report.note(f"{refused} requests were refused")
    return [one for one, _ in pairs]


def _makecall(out: Path, report: Report, idle_url: str, rounds: int) -> None:
    folder, phones_port = _company(out)
    script = _script(folder / "makecall.lua", [f"e{telnum}" for telnum in numbers()])
    phones = Phones(folder, phones_port, scenario="busy_phone.xml")
    try:
        key = Pbx(folder / "data").vpbx("key", "add", DOMAIN)["key"]
        with minimal(folder / "data") as (base, api):
            ours = Asked(f"{api}/crmapi/v1/makecall", script, key)
            least = Asked(f"{base}/calls", script)
            results = _compare(report, "makecall", ours, least, rounds)
            idle = [Asked(idle_url, script).run() for _ in range(rounds)]
    finally:
        phones.close()
    ratio = statistics.median(
        one.per_s / other.per_s for one, other in zip(results, idle, strict=True)
    )
    report.figure("makecall: ours / minimal that makes no call", ratio, "")


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


def _company(out: Path) -> tuple[Path, int]:
    """Make a company in a folder of its own; return that and the port of its phones."""
    folder = (out / "api").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    phones_port = free_port()
    asyncio.run(
        make_company(folder / "data", carrier_port=free_port(), phones_port=phones_port, crm_url="")
    )
    return folder, phones_port


@contextmanager
def served(out: Path) -> Iterator[tuple[Pbx, str]]:
    """Start a server with a company and a little history; give it and a key to it."""
    folder, _ = _company(out)
    now = datetime.fromtimestamp(time.time(), ZoneInfo("Europe/Moscow"))
    midnight = now.replace(hour=0, minute=0, second=0)
    # a tenth of them is inner calls, which this list leaves out
    seed_sqlite(folder / "data" / "vpbx.sqlite3", [Day(int(midnight.timestamp()) + 1, 22)])
    pbx = Pbx(folder / "data")
    try:
        pbx.start()
        key = pbx.vpbx("key", "add", DOMAIN)["key"]
        time.sleep(1)  # within which the server knows of the key
        yield pbx, key
    finally:
        pbx.kill()


@contextmanager
def minimal(data: Path | None = None) -> Iterator[tuple[str, str]]:
    """Start the minimal application; give its base URL, and with `data` that of the API."""
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.minimal", *([str(data)] if data else [])],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        base, *api = (f"http://127.0.0.1:{int(port)}" for port in server.stdout.readline().split())
        yield base, "".join(api)
    finally:
        server.kill()
        server.wait()
