"""The bridge is killed, its database is away, slow or refuses: nothing is lost or written twice."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import pytest

from tests.bridge.conftest import TOKEN, Bridge, write
from tests.bridge.test_bridge import CALL
from tests.support.mariadb import MariaDb, NoMariaDb, running_mariadb
from tests.support.pbx import VPBX
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from vpbx.bridge import Store, follow_sheet, read

LOG = '[history]\nsql = "INSERT INTO log (id, phone) VALUES (:callid, :phone)"\n'
"""Into a table that would take the same call twice."""


class Process:
    """`vpbx bridge run`, in a process of its own."""

    def __init__(self, file: Path) -> None:
        self._process = subprocess.Popen(
            [VPBX, "bridge", "run", file], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith(b"ready")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        self._process.terminate()
        return self._process.wait(10)


async def tell_and_not_listen(bridge: Bridge, **fields: str) -> asyncio.StreamWriter:
    """Send a command whose answer nobody takes."""
    body = urlencode({"cmd": "history", "crm_token": TOKEN, **fields})
    _, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    writer.write(
        "POST / HTTP/1.1\r\nHost: bridge\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    return writer


async def test_bridge_killed_between_commit_and_answer_writes_nothing_twice(
    bridge: Bridge,
) -> None:
    await bridge.sql("CREATE TABLE log (id VARCHAR(20), phone VARCHAR(20))")
    write(bridge, LOG)
    running = await asyncio.to_thread(Process, bridge.file)
    try:
        writer = await tell_and_not_listen(bridge, **CALL)
        async with asyncio.timeout(20):
            while not await bridge.sql("SELECT id FROM log"):
                await asyncio.sleep(0.02)
        running.kill()
        writer.close()
        running = await asyncio.to_thread(Process, bridge.file)
        for _ in range(2):
            assert await bridge.tell("history", **CALL) == (200, {})
        assert await bridge.tell("history", **{**CALL, "callid": "2"}) == (200, {})
        assert await asyncio.to_thread(running.stop) == 0
    finally:
        running.kill()
    rows = await bridge.sql("SELECT id FROM log ORDER BY id")
    assert sorted(row["id"] for row in rows) == sorted(["2", CALL["callid"]])


async def test_command_that_is_refused_holds_up_no_other(bridge: Bridge) -> None:
    await bridge.sql("CREATE TABLE log (id VARCHAR(20) PRIMARY KEY, phone VARCHAR(20))")
    await bridge.sql("INSERT INTO log VALUES ('13', 'was there before')")
    write(bridge, LOG)
    await bridge.start()
    ids = [str(number) for number in range(1, 41)]
    told = [bridge.tell("history", **{**CALL, "callid": each}) for each in ids]
    answers = dict(zip(ids, await asyncio.gather(*told), strict=True))
    assert answers.pop("13")[0] == 503
    assert set(map(str, answers.values())) == {"(200, {})"}
    await bridge.sql("DELETE FROM log WHERE id = '13'")
    assert await bridge.tell("history", **{**CALL, "callid": "13"}) == (200, {})
    await bridge.stop()
    rows = await bridge.sql("SELECT id FROM log")
    assert sorted(row["id"] for row in rows) == sorted(ids)


async def test_what_is_marked_as_a_test_is_tried_and_leaves_nothing(bridge: Bridge) -> None:
    await bridge.start()
    assert await bridge.tell("history", test="1", **CALL) == (200, {})
    assert await bridge.sql("SELECT * FROM vpbx_calls") == []
    assert await bridge.tell("history", **CALL) == (200, {})
    assert len(await bridge.sql("SELECT * FROM vpbx_calls")) == 1
    await bridge.stop()


@pytest.fixture
def mariadb_of_our_own() -> Iterator[MariaDb]:
    """One that may be killed."""
    try:
        with running_mariadb() as server:
            yield server
    except NoMariaDb as why:
        pytest.skip(str(why))


async def test_database_that_is_away_is_waited_for(
    mariadb_of_our_own: MariaDb, tmp_path: Path
) -> None:
    server = mariadb_of_our_own
    server.sql("CREATE DATABASE crm")
    url = server.url("crm").replace("mariadb://", "mysql+asyncmy://")
    bridge = Bridge(tmp_path / "bridge.toml", url, free_port())
    write(bridge, "")
    await bridge.start()
    await bridge.store.init()
    assert await bridge.tell("history", **CALL) == (200, {})
    await asyncio.to_thread(server.kill)
    second = {**CALL, "callid": "2"}
    for _ in range(2):
        status, body = await bridge.tell("history", **second)
        assert (status, bool(body["error"])) == (503, True)
        assert await bridge.tell("contact", phone="79101234567", callid="2") == (200, {})
    await asyncio.to_thread(server.start)
    assert await bridge.tell("history", **second) == (200, {})
    assert await bridge.tell("history", **CALL) == (200, {})
    await bridge.stop()
    assert len(await bridge.sql("SELECT callid FROM vpbx_calls")) == 2


def on_postgres(server: PostgresServer, folder: Path, name: str, database: str) -> Bridge:
    server.sql(f"CREATE DATABASE {name} TEMPLATE template0")
    url = server.url(name).replace("postgresql://", "postgresql+asyncpg://")
    bridge = Bridge(folder / "bridge.toml", url, free_port())
    write(bridge, "")
    text = bridge.file.read_text().replace("[database]\n", f"[database]\n{database}")
    bridge.file.write_text(text)
    return bridge


async def test_statement_that_takes_too_long_is_ended_in_the_database_too(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    bridge = on_postgres(postgres_server, tmp_path, "crm_long", "statement_timeout_s = 0.5\n")
    slow = '[event]\nsql = "SELECT pg_sleep(60), CAST(:callid AS TEXT)"\n'
    bridge.file.write_text(bridge.file.read_text() + slow)
    await bridge.start()
    await bridge.store.init()
    async with asyncio.timeout(30):
        assert (await bridge.tell("event", callid="1", type="INCOMING"))[0] == 503
        assert await bridge.tell("history", **CALL) == (200, {})
        while await bridge.sql(
            "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' "
            "AND state = 'active' AND pid <> pg_backend_pid()"
        ):
            await asyncio.sleep(0.05)
    await bridge.stop()


async def test_pool_is_no_larger_than_the_file_says_and_what_is_done_is_counted(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    bridge = on_postgres(postgres_server, tmp_path, "crm_pool", "pool = 3\n")
    slow = "[contact]\nsql = \"SELECT 'Ivan' AS contact_name FROM pg_sleep(0.05)\"\n"
    bridge.file.write_text(bridge.file.read_text() + slow)
    running = await asyncio.to_thread(Process, bridge.file)
    try:
        answers = await asyncio.gather(
            *(bridge.tell("contact", phone="7910", callid=str(n)) for n in range(12))
        )
        assert [status for status, _ in answers] == [200] * 12
        found = await bridge.sql(
            "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        )
        assert found[0]["n"] <= 3
        assert (await bridge.tell("history", **CALL))[0] == 503  # there is no table yet
        url = f"http://127.0.0.1:{bridge.port}/metrics"
        async with aiohttp.ClientSession() as http, http.get(url) as got:
            counted = await got.text()
        assert 'vpbx_bridge_commands_total{cmd="history",result="refused"} 1.0' in counted
        assert 'vpbx_bridge_seconds_count{cmd="contact"} 12.0' in counted
        assert "vpbx_bridge_database_up 1.0" in counted
        assert await asyncio.to_thread(running.stop) == 0
    finally:
        running.kill()


async def test_sheet_that_changes_is_taken_and_a_broken_one_is_not(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'crm.sqlite3'}"
    bridge = Bridge(tmp_path / "bridge.toml", url, free_port())
    write(bridge, '[customers]\ncsv = "customers.csv"\n')
    sheet = tmp_path / "customers.csv"
    store = Store(read(bridge.file))
    await store.open()
    await store.init()
    assert read(bridge.file).sheet is not None
    following = asyncio.create_task(follow_sheet(read(bridge.file).sheet, store, every_s=0.02))

    async def until(name: str) -> None:
        async with asyncio.timeout(20):
            while (await store.contact({"phone": "79101234567"})).get("contact_name", "") != name:
                await asyncio.sleep(0.02)

    sheet.write_text("phone,name\n+79101234567,Anna\n")
    await until("Anna")
    sheet.write_text("something else\n")
    await asyncio.sleep(0.2)
    await until("Anna")
    sheet.write_text("phone,name\n8 910 123 45 67,Maria\n")
    await until("Maria")
    following.cancel()
    await store.close()
