"""The log of the integration: what it costs a call, and how much room a command takes.

In one process, the way from a call's events to a CRM on another (`bench.crm_receiver`): the
bus, the recorder, the outbox, HTTP, the writer and SQLite. Of each call the CRM is told four
commands and asked once who calls. Rounds with the log and without it take turns, and what they
cost is CPU time of the whole process, the database's thread included; the figure is the median
of the differences of neighbours. Room is what SQLite says of the table and its indexes, when
all is written.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import uvloop

from bench.report import Report
from tests.crm.world import ANN, NOW, Node, integration, new_call
from vpbx.crm.client import Answer
from vpbx.crm.lane import Command
from vpbx.crm.record import CommandLog
from vpbx.db import Database, Write
from vpbx.events import Answered, CallEnded, CallStarted, Completed, Ringing, Status

COST_MS, ROOM_KIB = 0.1, 1.2
CALLS, QUICK_CALLS = 400, 100
PAIRS, QUICK_PAIRS = 12, 5
PER_S = 200
COMMANDS = 5
"""Of a call: INCOMING, ACCEPTED, COMPLETED, history, and the question who calls."""
_SAID = Answer(200, b'{"contact_name": "Ivan Petrov", "responsible": "ann"}', format="form")


class NoLog(CommandLog):
    """Writes nothing."""

    def opened(self, command: Command) -> Write:
        return super().opened(command)._replace(params=lambda: None, then=None)

    def changed(self, command: Command) -> list[Write]:
        return []


def run(out: Path, report: Report, *, quick: bool) -> None:
    """Measure on SQLite in a folder of `out`."""
    report.heading("The log of what a CRM was told (SQLite)")
    folder = (out / "crm-log").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    receiver = subprocess.Popen(
        [sys.executable, "-m", "bench.crm_receiver"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert receiver.stdout is not None
        url = f"http://127.0.0.1:{int(receiver.stdout.readline())}/crm"
        uvloop.run(_measure(folder, url, report, quick=quick))
    finally:
        receiver.terminate()
        receiver.wait()


async def _measure(folder: Path, url: str, report: Report, *, quick: bool) -> None:
    calls, pairs = (QUICK_CALLS, QUICK_PAIRS) if quick else (CALLS, PAIRS)
    database = Database.from_url(f"sqlite:///{folder / 'vpbx.sqlite3'}")
    await database.migrate()
    node = Node(database, {1: integration(url)})
    await node.start()
    logged, unlogged = node.outbox.record, NoLog(database, 1)
    try:
        await _round(node, calls)  # connections, statements and pages are there
        with_log, without = [], []
        for number in range(pairs):
            order = [(logged, with_log), (unlogged, without)]
            for record, spent in order if number % 2 else reversed(order):
                node.outbox.record = record
                spent.append(await _round(node, calls))
        rows, kib = await _room(database)
    finally:
        await node.stop()
        await database.close()
    differences = [one - other for one, other in zip(with_log, without, strict=True)]
    report.note(f"{pairs} pairs of {calls} calls at {PER_S}/s, {COMMANDS} rows a call")
    report.figure("a call without the log, CPU", statistics.median(without), "ms")
    report.figure("of the log, a call", statistics.median(differences), "ms", COST_MS)
    report.figure("of the log, a command", kib / rows, "KiB", ROOM_KIB)
    expected = (pairs + 1) * calls * COMMANDS
    report.figure("commands missing in the log", expected - rows, "", 0)


async def _round(node: Node, calls: int) -> float:
    """Let so many calls come and end; return the CPU time of one, milliseconds."""
    began, start = time.process_time(), time.monotonic()
    for number in range(calls):
        await asyncio.sleep(max(0.0, start + number / PER_S - time.monotonic()))
        info = new_call()
        question = {"cmd": "contact", "phone": info.client, "callid": info.callid}
        node.outbox.asked(1, "main", question, _SAID, 0.01)
        publish = node.bus.publish
        publish(CallStarted(info, NOW, ANN))
        publish(Ringing(info, NOW + 1, ANN))
        publish(Answered(info, NOW + 3, ANN))
        publish(Completed(info, NOW + 60, ANN))
        publish(CallEnded(info, NOW + 60, Status.SUCCESS, ANN, answered_at=NOW + 3, recorded=True))
    async with asyncio.timeout(60):
        while node.outbox.in_memory:  # noqa: ASYNC110 - nobody tells when it is empty
            await asyncio.sleep(0.05)
    await node.writer.flush()
    return (time.process_time() - began) * 1000 / calls


async def _room(database: Database) -> tuple[int, float]:
    """Return the rows of the log, and the KiB that it takes with its indexes."""
    async with database.connect() as connection:
        rows = (await connection.exec_driver_sql("SELECT count(*) FROM crm_log")).scalar_one()
        taken = await connection.exec_driver_sql(
            "SELECT sum(pgsize) FROM dbstat WHERE name LIKE '%crm_log%'"
        )
        return rows, taken.scalar_one() / 1024
