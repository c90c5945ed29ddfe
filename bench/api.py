"""Requests a second and their p99, beside the least that FastAPI can do.

A company of 300 employees, asked by wrk over one thread and 16 connections that stay open: 20
of the list of users, and one user. Beside each, in turn and for as long, as many connections ask
a minimal FastAPI application (bench/minimal.py: the same uvicorn, httptools and uvloop, a
parameter in, a small object out). What our API does more: the key, rights, the company, the
parameters' many spellings, the answer itself, security headers.

The history of today, which is some 20 calls, beside a minimal endpoint that answers the same rows
from the same database (bench/minimal_history.py).

makecall for one employee after another, whose phones (SIPp) are busy, so that each request is a
whole call: INVITE, 486, ACK, its journal and its row of history. That is several times the work
of any HTTP request, so here the yardstick is a minimal endpoint in the same process that makes
the same call.

For history and makecall the ratio to a minimal endpoint that does nothing is given too.

Ratios are medians over the rounds.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
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
    with served(out) as (pbx, key), minimal("history", pbx.data) as (base, _):
        nothing = Asked(f"{base}/items/one?limit=20")
        for name, path in (
            ("users list", "/users?limit=20"),
            ("one user", f"/users/e{numbers()[7]}"),
        ):
            _compare(report, name, Asked(pbx.api + path, key=key), nothing, rounds)
        ours = Asked(f"{pbx.api}/history/json?period=today", key=key)
        least = Asked(f"{base}/history?period=today")
        assert ours.rows() == least.rows()
        _compare(report, "history of today", ours, least, rounds, nothing)
    _makecall(out, report, rounds)


@dataclass(frozen=True)
class Asked:
    """What wrk asks for."""

    url: str
    script: Path | None = None
    key: str = ""

    def run(self, seconds: int = ROUND_S) -> Result:
        return wrk(self.url, self.script, key=self.key, seconds=seconds)

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of history that come, links without the server they lead to."""
        request = urllib.request.Request(self.url, headers={"X-API-KEY": self.key})
        with urllib.request.urlopen(request) as answer:
            rows: list[dict[str, Any]] = json.load(answer)
        return [{**row, "record": urlsplit(row["record"]).path} for row in rows]


def _compare(
    report: Report,
    name: str,
    ours: Asked,
    least: Asked,
    rounds: int,
    nothing: Asked | None = None,
) -> None:
    """Ask both in turn, and `nothing` too, which is no target; report."""
    ours.run(seconds=1)
    pairs, idle = [], []
    for _ in range(rounds):
        pairs.append((ours.run(), least.run()))
        if nothing is not None:
            idle.append(nothing.run())
    report.figure(name, statistics.median(one.per_s for one, _ in pairs), "/s")
    report.figure(f"{name}, p99", statistics.median(one.p99_ms for one, _ in pairs), "ms")
    report.figure(f"{name}: minimal", statistics.median(two.per_s for _, two in pairs), "/s")
    ratio = statistics.median(one.per_s / two.per_s for one, two in pairs)
    report.figure(f"{name}: ours / minimal", ratio, "", SHARE, at_least=True)
    if idle:
        ratio = statistics.median(
            one.per_s / other.per_s for (one, _), other in zip(pairs, idle, strict=True)
        )
        report.figure(f"{name}: ours / minimal that does nothing", ratio, "")
    refused = sum(result.refused for pair in pairs for result in pair)
    if refused:
        report.note(f"{refused} requests were refused")


def _makecall(out: Path, report: Report, rounds: int) -> None:
    folder, phones_port = _company(out)
    script = _script(folder / "makecall.lua", [f"e{telnum}" for telnum in numbers()])
    phones = Phones(folder, phones_port, scenario="busy_phone.xml")
    try:
        key = Pbx(folder / "data").vpbx("key", "add", DOMAIN)["key"]
        with minimal("calls", folder / "data") as (base, api), minimal() as (idle, _):
            ours = Asked(f"{api}/crmapi/v1/makecall", script, key)
            least = Asked(f"{base}/calls", script)
            _compare(report, "makecall", ours, least, rounds, Asked(f"{idle}/orders", script))
    finally:
        phones.close()


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
    os.environ["VPBX_MAKECALLS_PER_SECOND"] = "0"  # one key asks for them all
    pbx = Pbx(folder / "data")
    try:
        pbx.start()
        key = pbx.vpbx("key", "add", DOMAIN)["key"]
        time.sleep(1)  # within which the server knows of the key
        yield pbx, key
    finally:
        pbx.kill()


@contextmanager
def minimal(*what: str | Path) -> Iterator[tuple[str, str]]:
    """Start `bench.minimal` with `what`; give its base URL, and with `calls` that of the API."""
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.minimal", *map(str, what)],
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
