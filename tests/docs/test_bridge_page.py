"""docs/bridge.md, "in ten minutes": its file and its commands, with a server and calls."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.conftest import open_directory
from tests.support.pbx import Pbx, free_port
from vpbx.sim import Carrier
from vpbx.sip import Hop

PAGE = (Path(__file__).parents[2] / "docs" / "bridge.md").read_text()
PART = PAGE[PAGE.index("## In ten minutes") : PAGE.index("## Your own tables")]
DOMAIN, NUMBER, CUSTOMER = "acme.example", "74951234567", "79101112233"


@pytest.mark.timeout(300)
async def test_ten_minutes_of_the_page(tmp_path: Path) -> None:
    pbx = Pbx(tmp_path / "data")
    await asyncio.to_thread(pbx.start)
    try:
        await _play(pbx, tmp_path)
    finally:
        pbx.kill()


async def _play(pbx: Pbx, tmp_path: Path) -> None:
    hop = Hop("udp", "127.0.0.1", int(pbx.sip.rpartition(":")[2]))
    carrier = Carrier(hop)
    await carrier.start()
    async with open_directory(pbx) as directory:
        domain = (await directory.companies.add(DOMAIN)).domain
        key = (await directory.keys.add(domain)).key
        await directory.trunk_rules.add("main", carrier.address)
        await directory.telnums.add(domain, NUMBER, trunk="main")
    port, database = free_port(), tmp_path / "calls.sqlite3"
    config = re.search(r"^```toml\n(.*?)^```$", PART, re.M | re.S)
    assert config is not None
    here = {"127.0.0.1:8090": f"127.0.0.1:{port}", "127.0.0.1:8080": urlsplit(pbx.api).netloc}

    def local(text: str) -> str:
        for usual, ours in here.items():
            assert usual in PART
            text = text.replace(usual, ours)
        return text

    (tmp_path / "bridge.toml").write_text(local(config[1]))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "VPBX_DATA": str(pbx.data), "VPBX_KEY": key}
    where: dict[str, Any] = {"cwd": tmp_path, "env": environment, "text": True}

    async def run(block: str) -> str:
        done = await asyncio.to_thread(
            subprocess.run,
            ["sh", "-e", "-c", local(block)],
            **where,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        return str(done.stdout)

    tables, start, crm, fetch = re.findall(r"^```sh\n(.*?)^```$", PART, re.M | re.S)
    assert "vpbx_calls_with_names" in await run(tables)
    bridge = running(start, where)
    try:
        assert bridge.stdout is not None
        assert (await asyncio.to_thread(bridge.stdout.readline)).startswith("ready")
        with sqlite3.connect(database) as company:
            company.execute("INSERT INTO vpbx_customers VALUES (?, 'Anna', 'admin')", (CUSTOMER,))
        await run(crm)
        with sqlite3.connect(database) as company:
            assert company.execute("SELECT count(*) FROM vpbx_calls").fetchone() == (0,)
        for _ in range(100):  # until the server has heard of the number
            await (await carrier.call(NUMBER, caller=CUSTOMER)).ended(30)
            if await asyncio.to_thread(calls_kept, pbx, key):
                break
            await asyncio.sleep(0.1)
        await carrier.stop()
        async with asyncio.timeout(30):
            while (row := told(database)) is None:
                await asyncio.sleep(0.1)
        assert row[:3] == (CUSTOMER, "Anna", "Missed")
        bridge.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(bridge.wait, 20) == 0
    finally:
        bridge.kill()
        bridge.wait()
    with sqlite3.connect(database) as company:
        before = company.execute("SELECT count(*) FROM vpbx_calls").fetchone()
    with sqlite3.connect(database) as company:
        company.execute("DELETE FROM vpbx_seen WHERE rowid = 1")
    assert "1 of them new" in await run(fetch)
    with sqlite3.connect(database) as company:
        assert company.execute("SELECT count(*) FROM vpbx_calls").fetchone() == before


def running(command: str, where: dict[str, Any]) -> subprocess.Popen[str]:
    return subprocess.Popen(["sh", "-c", f"exec {command}"], **where, stdout=subprocess.PIPE)


def calls_kept(pbx: Pbx, key: str) -> int:
    """Return how many calls the server has in its history."""
    answer = httpx.get(
        f"{pbx.api}/history/json",
        params={"period": "this_month"},
        headers={"X-API-KEY": key, "Host": DOMAIN},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    return len(answer.json())


def told(database: Path) -> tuple[str, str, str] | None:
    """Return phone, customer and status of a call that the bridge has written."""
    with sqlite3.connect(database) as company:
        query = "SELECT phone, customer, status FROM vpbx_calls_with_names"
        found: tuple[str, str, str] | None = company.execute(query).fetchone()
        return found
