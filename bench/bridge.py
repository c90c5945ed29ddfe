"""The bridge into PostgreSQL: 1,000 commands a second, and contact beside them.

`vpbx bridge run` on a PostgreSQL started for this, whose table of customers has a million rows
(each phone once, an index). Over 64 kept connections come, at their due times whether or not
those before have been answered, 1,000 commands a second that are written (of each call three
events and its history) and 100 lookups a second of customers anywhere in the table. A time runs
from when a command was due to the last byte of its answer. What is in the tables afterwards is
counted: each command once.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import asyncpg
import uvloop

from bench.load import cpu_seconds
from bench.report import Report, percentile
from tests.support.pbx import VPBX, free_port
from tests.support.postgres import NoPostgres, PostgresServer, running_postgres

CUSTOMERS = 1_000_000
PER_S, CONTACTS_PER_S = 1000, 100
SECONDS, QUICK_SECONDS, WARM_UP_S = 20, 5, 2
CONNECTIONS = 64
CONTACT_MS = 10.0
TOKEN = "bench"
_FIRST = 79_000_000_000


@dataclass
class Told:
    """What was sent, and how long each answer took, milliseconds."""

    written_ms: list[float] = field(default_factory=list)
    contact_ms: list[float] = field(default_factory=list)
    refused: int = 0
    took_s: float = 0.0


def run(out: Path, report: Report, *, quick: bool) -> None:
    """Measure on a PostgreSQL of our own."""
    customers = CUSTOMERS // 10 if quick else CUSTOMERS
    report.heading(f"The bridge into PostgreSQL, {customers:,} customers")
    try:
        with running_postgres(shared_buffers="256MB") as server:
            _measure(out, report, server, customers, QUICK_SECONDS if quick else SECONDS)
    except NoPostgres as why:
        report.note(f"skipped: {why}")


def _measure(
    out: Path, report: Report, server: PostgresServer, customers: int, seconds: int
) -> None:
    folder = (out / "bridge").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    server.sql("CREATE DATABASE bridge TEMPLATE template0")
    url = server.url("bridge")
    uvloop.run(_fill(url, customers))
    with _bridge(folder, url) as (port, pid):
        uvloop.run(_tell(port, WARM_UP_S, customers, first=0))
        warmed = WARM_UP_S * PER_S
        before_s = cpu_seconds(pid)
        told = uvloop.run(_tell(port, seconds, customers, first=warmed))
        spent_s = cpu_seconds(pid) - before_s
    rate = len(told.written_ms) / told.took_s
    report.figure("commands written", rate, "/s", 0.99 * PER_S, at_least=True)
    report.figure("commands refused", told.refused, "", 0)
    report.figure("CPU of the bridge a command", spent_s * 1000 / len(told.written_ms), "ms")
    report.figure("a command, median", percentile(told.written_ms, 0.5), "ms")
    report.figure("a command, p99", percentile(told.written_ms, 0.99), "ms")
    report.delays("contact", told.contact_ms, CONTACT_MS)
    missing = uvloop.run(_missing(url, warmed + seconds * PER_S))
    report.figure("commands lost or written twice", missing, "", 0)


async def _fill(url: str, customers: int) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "CREATE TABLE customers (id serial PRIMARY KEY, name text, manager text, phone text);"
        f"INSERT INTO customers (name, manager, phone) SELECT 'Customer ' || n, 'olga', "
        f"'+' || ({_FIRST} + n) FROM generate_series(1, {customers}) n;"
        "CREATE INDEX ON customers (phone); ANALYZE customers"
    )
    await connection.close()


@contextmanager
def _bridge(folder: Path, url: str) -> Iterator[tuple[int, int]]:
    """Run it; give its port and process id."""
    port, file = free_port(), folder / "bridge.toml"
    file.write_text(
        f'[database]\nurl = "{url}"\n[receiver]\nlisten = "127.0.0.1:{port}"\ntoken = "{TOKEN}"\n'
        '[contact]\nsql = "SELECT name AS contact_name, manager AS responsible FROM customers '
        'WHERE phone = :e164 LIMIT 1"\n'
    )
    subprocess.run([VPBX, "bridge", "init", file], check=True, capture_output=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [VPBX, "bridge", "run", file], stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready")
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


async def _tell(port: int, seconds: int, customers: int, *, first: int) -> Told:
    """Send everything at its time."""
    told = Told()
    requests = _requests(seconds, customers, first)
    began_at = time.perf_counter() + 0.2
    await asyncio.gather(*(_speak(port, requests, began_at, told) for _ in range(CONNECTIONS)))
    told.took_s = max(time.perf_counter() - began_at, seconds)
    return told


def _requests(seconds: int, customers: int, first: int) -> Iterator[tuple[float, bool, bytes]]:
    """Yield (when, whether it is a contact, bytes), in the order of their times."""
    chance = random.Random(first)
    every = PER_S // CONTACTS_PER_S
    for place in range(seconds * PER_S):
        due_s = place / PER_S
        yield due_s, False, _post(_command(first + place))
        if place % every == 0:
            phone = _FIRST + 1 + chance.randrange(customers)
            yield due_s, True, _post({"cmd": "contact", "phone": str(phone), "callid": "1"})


def _command(number: int) -> dict[str, str]:
    call, turn = divmod(number, 4)
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    fields = {"callid": str(10**14 + call), "phone": str(_FIRST + call % 5000), "user": "olga"}
    if turn == 3:
        history = {"cmd": "history", "type": "in", "diversion": "74951234567", "start": now}
        return {**fields, **history, "duration": "42", "wait": "5", "status": "Success"}
    kind = ("INCOMING", "ACCEPTED", "COMPLETED")[turn]
    return {**fields, "cmd": "event", "type": kind, "direction": "in", "time": now, "start": now}


def _post(fields: dict[str, str]) -> bytes:
    body = urlencode({**fields, "crm_token": TOKEN})
    return (
        "POST /pbx HTTP/1.1\r\nHost: bridge\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def _speak(
    port: int, requests: Iterator[tuple[float, bool, bytes]], began_at: float, told: Told
) -> None:
    """Send over one connection what is due next, until there is nothing more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for due_s, is_contact, request in requests:
        wait_s = began_at + due_s - time.perf_counter()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        body = await reader.readexactly(int(length))
        milliseconds = (time.perf_counter() - began_at - due_s) * 1000
        known = b"Customer" in body if is_contact else b" 200 " in head[:16]
        told.refused += not known
        (told.contact_ms if is_contact else told.written_ms).append(milliseconds)
    writer.close()


async def _missing(url: str, commands: int) -> int:
    """Return by how many rows the tables differ from what was told."""
    connection = await asyncpg.connect(url)
    counts: Sequence[int] = [
        await connection.fetchval(f"SELECT count(*) FROM {table}")
        for table in ("vpbx_events", "vpbx_calls")
    ]
    await connection.close()
    return abs(counts[0] - commands * 3 // 4) + abs(counts[1] - commands // 4)
