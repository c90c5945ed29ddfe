"""A database that is locked by somebody else: the API says so, calls go on, nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.conftest import Company, make_company, needs_sipp
from tests.e2e.test_survival import rows_of, talking
from tests.support.crm import Receiver
from tests.support.pbx import Pbx

pytestmark = needs_sipp


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Company]:
    """A company on a server of its own."""
    pbx = await asyncio.to_thread(Pbx(tmp_path / "data").start)
    try:
        async with Receiver() as crm:
            yield await make_company(pbx, tmp_path, crm)
    finally:
        pbx.kill()


@contextlib.contextmanager
def locked(pbx: Pbx) -> Any:
    """Hold the write lock of the server's file, as a backup or an administrator may."""
    with contextlib.closing(
        sqlite3.connect(pbx.data / "vpbx.sqlite3", isolation_level=None, timeout=10)
    ) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


async def test_while_the_database_is_locked_the_api_reads_and_says_503_to_changes(
    own: Company,
) -> None:
    async with aiohttp.ClientSession(headers={"X-API-KEY": own.key}) as http:

        async def ask(method: str, path: str, **more: Any) -> tuple[int, str, float]:
            began = time.monotonic()
            async with http.request(method, own.pbx.api + path, **more) as response:
                await response.read()
                after = response.headers.get("Retry-After", "")
                return response.status, after, time.monotonic() - began

        person = {"json": {"name": "Olga", "login": "olga9"}}
        with locked(own.pbx):
            many = [ask("POST", "/users", **person) for _ in range(20)]
            for status, after, took in await asyncio.gather(*many):
                assert (status, after) == (503, "5")
                assert took < 10, "promised within 2 s; this machine is busy"
            for path in ("/users", "/history/json", "/history/inner/csv", "/telnums"):
                status, _, took = await ask("GET", path)
                assert status == 200
                assert took < 10, "no reader waits for the lock"
        async with asyncio.timeout(30):
            while (await ask("POST", "/users", **person))[0] != 200:
                await asyncio.sleep(0.1)
        assert (await ask("GET", "/users/olga9"))[0] == 200


async def test_a_server_stopped_while_the_database_is_locked_loses_and_doubles_nothing(
    own: Company,
) -> None:
    played = await talking(own, 1)
    with locked(own.pbx):
        took = await asyncio.to_thread(own.pbx.stop)
        assert took < 15, "promised within 5 s; this machine is busy"
    for sipp in played:
        result = await sipp.done()
        assert result.ok, f"both sides were told: {result.output}"
    assert own.crm.of("history") == [], "what is not written is not told"
    assert (own.pbx.data / "unwritten-calls.jsonl").stat().st_mode & 0o777 == 0o600
    await asyncio.to_thread(own.pbx.start)
    rows = await rows_of(own, 1)
    assert [row["status"] for row in rows] == ["success"]
    await own.crm.until(lambda: own.crm.of("history"))
    uids = sorted(row["uid"] for row in rows)
    await asyncio.to_thread(own.pbx.stop)  # whatever else would be sent has been
    assert sorted(command["callid"] for command in own.crm.of("history")) == uids
    for uid in uids:
        kinds = [event["type"] for event in own.crm.of("event", callid=uid)]
        assert kinds == ["INCOMING", "ACCEPTED", "COMPLETED"]
    assert not (own.pbx.data / "unwritten-calls.jsonl").exists()
