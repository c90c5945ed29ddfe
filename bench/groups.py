"""Departments and queues under load: 200 calls that ring ten phones each, 100 callers who wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.calls import Bed, bed
from bench.company import DOMAIN
from bench.load import resident_mb
from bench.play import play
from bench.report import Report
from bench.talkers import FRAME_S, Plan
from tests.support.pbx import free_port
from vpbx.app.database import open_database
from vpbx.app.datadir import DataDir
from vpbx.directory import Directory, LocationRow

DEPARTMENTS, MEMBERS = 200, 10
QUEUES, WAITING = 10, 100
WAIT_S = 30.0


def department_number(place: int) -> str:
    """Return the number of a department."""
    return f"7498{place:07d}"


def members(place: int, count: int) -> list[str]:
    """Return the logins of a department; their phones' Contacts name them too."""
    return [f"d{place}m{one}" for one in range(count)]


async def make_departments(folder: Path, *, phones_port: int, departments: int, each: int) -> None:
    """Give the company departments, each with members of its own and a number."""
    database = await open_database(DataDir(folder), "")
    directory = Directory(database)
    await directory.start()
    try:
        for place in range(departments):
            company = await directory.domain(DOMAIN)
            assert company is not None
            logins = members(place, each)
            for login in logins:
                values = {"name": login, "login": login, "password": "bench-password"}
                await directory.users.add(company, values)
                row = LocationRow(
                    contact=f"sip:{login}@127.0.0.1:{phones_port}",
                    transport="udp",
                    host="127.0.0.1",
                    port=phones_port,
                    connection=0,
                    path="",
                    call_id=f"bench-{login}",
                    cseq=1,
                    expires_at=time.time() + 86400,
                )
                directory.locations.save(company.id, login, [row])
            made = await directory.groups.add(
                company,
                {
                    "name": f"Department {place}",
                    "queue_position": True,
                    "timeout": {"time": 600},
                    "users": [{"login": login, "calls_enable": True} for login in logins],
                },
            )
            await directory.telnums.add(
                company, department_number(place), trunk="carrier", group=made.id
            )
        await directory.writer.flush()
    finally:
        await directory.stop()
        await database.close()


def departments(out: Path, report: Report, *, quick: bool) -> None:
    """200 calls at once, each to a department of ten whose phones all ring; one answers."""
    count = 40 if quick else DEPARTMENTS
    report.heading(f"{count} calls ringing departments of {MEMBERS} at once")
    with _company(out, "departments", departments=count, each=MEMBERS) as one:
        calls = [(department_number(place), f"7910{place:07d}") for place in range(count)]
        answering = [members(place, MEMBERS)[0] for place in range(count)]
        plan = _plan(one, calls, rate=20, ring_s=12.0, answers=answering, talk_s=3.0)
        plan.sound = False
        played = play(plan, one.pbx.pid)
        told = one.told_crm()
    counts = played.counts
    report.figure("calls answered", counts["answered"], "calls", count, at_least=True)
    report.figure("phones that rang", counts["legs"], "phones", count * MEMBERS, at_least=True)
    report.delays("INVITE to a phone's INVITE", counts["rang_ms"], 1000)
    report.figure("CPU a call", played.spent_s / count * 1000, "ms")
    report.figure("CPU a phone that rang", played.spent_s / max(1, counts["legs"]) * 1000, "ms")
    report.note(f"the CRM got {told}")


def queues(out: Path, report: Report, *, quick: bool, minutes: float) -> None:
    """100 callers who wait with music for employees who talk."""
    wait_s = minutes * 60 if minutes else (10.0 if quick else WAIT_S)
    report.heading(f"{WAITING} callers in {QUEUES} queues with music for {wait_s:g} s")
    with _company(out, "queues", departments=QUEUES, each=1) as one:
        first = [(department_number(place), f"7911{place:07d}") for place in range(QUEUES)]
        each = WAITING // QUEUES
        waiting = [
            (department_number(place), f"7910{place * each + number:07d}")
            for number in range(each)
            for place in range(QUEUES)
        ]
        before_mb = resident_mb(one.pbx.pid)
        plan = _plan(one, first + waiting, rate=10, ring_s=0.1, answers=None, talk_s=wait_s)
        played = play(plan, one.pbx.pid)
        after_mb = resident_mb(one.pbx.pid)
        told = one.told_crm()
    counts = played.counts
    everybody = WAITING + QUEUES
    report.figure(
        "callers who talk or hear music", counts["answered"], "", everybody, at_least=True
    )
    least = (WAITING + QUEUES) * wait_s / FRAME_S
    heard = counts["carrier_heard"] / least
    report.figure("packets they heard, of one every 20 ms", heard, "", 0.99, at_least=True)
    report.figure("CPU of the wait, a caller and minute", _each(played.talk_s, wait_s), "ms")
    report.figure("CPU of the wait, of one core", played.talk_s / wait_s * 100, "%")
    report.figure("memory before", before_mb, "MB")
    report.figure("memory after", after_mb, "MB")
    report.figure("histories at the CRM", told.get("history", 0), "", everybody, at_least=True)


def _each(spent_s: float, wait_s: float) -> float:
    return spent_s * 1000 / (WAITING + QUEUES) / (wait_s / 60)


def _plan(
    one: Bed,
    calls: list[tuple[str, str]],
    *,
    rate: int,
    ring_s: float,
    answers: list[str] | None,
    talk_s: float,
) -> Plan:
    return Plan(
        pbx=int(one.pbx.sip.rpartition(":")[2]),
        carrier=one.carrier_port,
        phones=one.phones_port,
        calls=calls,
        rate=rate,
        ring_s=ring_s,
        answers=answers,
        talk_s=talk_s,
    )


@contextmanager
def _company(out: Path, name: str, *, departments: int, each: int) -> Iterator[Bed]:
    port = free_port()

    def fill(data: Path) -> None:
        asyncio.run(make_departments(data, phones_port=port, departments=departments, each=each))

    with bed(out, name, crm=True, phones_port=port, before=fill) as one:
        yield one
