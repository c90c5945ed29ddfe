"""Five calls while the disk of data and log is full and nobody reads the log: none is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO

import aiohttp
import pytest

from tests.support.crm import Receiver
from tests.support.pbx import Pbx, free_port
from vpbx.app import DataDir
from vpbx.db import Database
from vpbx.directory import Directory, Secrets
from vpbx.sim import Carrier, Phone, answering
from vpbx.sip import Hop

DOMAIN = "acme.example"
PASSWORD = "correct horse 7"
CALLS = 5

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 60 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def stalled_pipe() -> Iterator[int]:
    """The writing end of a pipe that is full, and that nobody reads."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    yield writing
    os.close(reading)
    os.close(writing)


def fill(folder: Path) -> IO[bytes]:
    """Use up all the room there is; what is returned gives it back when truncated."""
    filler = (folder / "filler").open("wb", buffering=0)
    with contextlib.suppress(OSError):
        while True:
            filler.write(bytes(65536))
    return filler


async def found_company(data: Path, crm_url: str, carrier_port: int) -> str:
    """Five employees with a number each; return a key."""
    DataDir(data).prepare()
    database = Database.for_data_dir(data)
    await database.migrate()
    directory = Directory(database, secrets=Secrets.from_file(DataDir(data).secrets_key))
    await directory.start()
    domain = (await directory.companies.add(DOMAIN, password=PASSWORD)).domain
    await directory.trunk_rules.add("main", f"127.0.0.1:{carrier_port}")
    await directory.integrations.set(domain, {"url": crm_url, "token": "t", "enabled": True})
    for one in range(CALLS):
        login = f"user{one}"
        await directory.users.add(
            domain, {"name": login, "login": login, "ext": f"72{one}", "password": PASSWORD}
        )
        await directory.telnums.add(domain, f"7495000000{one}", trunk="main", user=login)
    key = (await directory.keys.add(domain)).key
    await directory.stop()
    await database.close()
    return key


@contextlib.asynccontextmanager
async def phones(sip: Hop) -> AsyncIterator[list[Phone]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                Phone(f"user{one}", PASSWORD, DOMAIN, sip, behaviour=answering(1000))
            )
            for one in range(CALLS)
        ]


@pytest.mark.parametrize("log", ["on the full disk", "not read"])
async def test_every_leg_gets_its_bye_every_call_its_row_and_its_commands(
    disk: Path, log: str, stalled_pipe: int
) -> None:
    carrier_port = free_port()
    async with Receiver() as crm:
        key = await found_company(disk / "data", crm.url, carrier_port)
        pbx = Pbx(disk / "data")
        if log == "not read":
            pbx.stderr = stalled_pipe
        await asyncio.to_thread(pbx.start)
        try:
            host, _, port = pbx.sip.rpartition(":")
            sip = Hop("udp", host, int(port))
            async with Carrier(sip, port=carrier_port) as carrier, phones(sip) as theirs:
                filler = await asyncio.to_thread(fill, disk)
                calls = [await carrier.call(f"7495000000{one}") for one in range(CALLS)]
                for call in calls:
                    await call.answered()
                rung = [await phone.rings() for phone in theirs]
                for call in calls[:3]:
                    call.hangup()
                for call in rung[3:]:
                    call.hangup()
                for leg in (*rung[:3], *calls[3:]):
                    assert (await leg.ended()).cause == "bye"
                filler.truncate(0)
                filler.close()
                await crm.until(
                    lambda: len({one["callid"] for one in crm.of("history")}) == CALLS, timeout_s=40
                )
            callids = sorted(one["callid"] for one in crm.of("history"))
            assert len(callids) == CALLS
            async with aiohttp.ClientSession(headers={"X-API-KEY": key}) as session:
                url = f"{pbx.api}/history/json?period=today"
                async with session.get(url) as answer:
                    rows = await answer.json()
            assert sorted(row["uid"] for row in rows) == callids
            assert {row["status"] for row in rows} == {"success"}
        finally:
            pbx.kill()
