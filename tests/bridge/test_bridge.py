"""What a PBX tells is in the company's tables, once, whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from tests.bridge.conftest import Bridge, write
from tests.support.ports import free_port, rtp_ports
from vpbx.app.server import App
from vpbx.bridge import BridgeFault, Store, fetch_history, read
from vpbx.config import ServeConfig

CALL = {
    "callid": "201594855300017",
    "type": "in",
    "user": "olga",
    "phone": "79101234567",
    "diversion": "74951234567",
    "start": "20260120T085842Z",
    "duration": "42",
    "wait": "5",
    "status": "Success",
}


async def test_our_tables_hold_what_was_told_once(bridge: Bridge) -> None:
    await bridge.start()
    event = {"callid": CALL["callid"], "user": "olga", "phone": CALL["phone"], "direction": "in"}
    for _ in range(2):  # delivery is at least once
        for kind, time in (("INCOMING", "20260120T085842Z"), ("ACCEPTED", "20260120T085847Z")):
            assert await bridge.tell("event", type=kind, time=time, **event) == (200, {})
        assert await bridge.tell("rating", callid=CALL["callid"], rating="5", user="olga") == (
            200,
            {},
        )
        assert await bridge.tell("history", **CALL) == (200, {})
    await bridge.stop()
    [row] = await bridge.sql("SELECT * FROM vpbx_calls")
    assert (row["callid"], row["user"], row["duration"]) == (CALL["callid"], "olga", 42)
    assert str(row["start"])[:19] == "2026-01-20 08:58:42"
    types = await bridge.sql("SELECT type FROM vpbx_events ORDER BY time")
    assert [found["type"] for found in types] == ["INCOMING", "ACCEPTED"]
    assert [r["rating"] for r in await bridge.sql("SELECT rating FROM vpbx_ratings")] == [5]


async def test_statements_of_the_file_fill_the_companys_own_tables(bridge: Bridge) -> None:
    await bridge.sql(
        "CREATE TABLE customers (name VARCHAR(50), manager VARCHAR(20), phone VARCHAR(20))",
        "CREATE TABLE log (id VARCHAR(20) PRIMARY KEY, phone VARCHAR(20), secs INTEGER)",
        "INSERT INTO customers VALUES ('Robert''); DROP TABLE log;--', 'olga', '9101234567')",
    )
    write(
        bridge,
        '[contact]\nsql = "SELECT name AS contact_name, manager AS responsible FROM customers '
        'WHERE phone = :last10"\n'
        '[history]\nsql = "INSERT INTO log (id, phone, secs) VALUES (:callid, :national, '
        ':duration)"\n',
    )
    await bridge.start()
    known = {"contact_name": "Robert'); DROP TABLE log;--", "responsible": "olga"}
    assert await bridge.tell("contact", phone="79101234567", callid="1") == (200, known)
    assert await bridge.tell("contact", phone="79990000000", callid="2") == (200, {})
    evil = "x'); DROP TABLE log;--"
    assert (await bridge.tell("contact", phone=evil, callid="3"))[0] == 200
    for _ in range(3):
        assert (await bridge.tell("history", **{**CALL, "user": evil}))[0] == 200
    await bridge.stop()
    assert await bridge.sql("SELECT * FROM log") == [
        {"id": CALL["callid"], "phone": "89101234567", "secs": 42}
    ]


async def test_refused_command_is_sent_again_and_writes_once_when_the_table_is_there(
    bridge: Bridge,
) -> None:
    write(bridge, '[history]\nsql = "INSERT INTO later (id) VALUES (:callid)"\n')
    await bridge.start()
    status, body = await bridge.tell("history", **CALL)
    assert status == 503
    assert "later" in body["error"]
    await bridge.sql("CREATE TABLE later (id VARCHAR(20))")
    assert (await bridge.tell("history", **CALL))[0] == 200
    assert (await bridge.tell("history", **CALL))[0] == 200
    await bridge.stop()
    assert await bridge.sql("SELECT id FROM later") == [{"id": CALL["callid"]}]


async def test_same_command_many_times_at_once_is_one_row(bridge: Bridge) -> None:
    await bridge.start()
    answers = await asyncio.gather(*(bridge.tell("history", **CALL) for _ in range(12)))
    assert {status for status, _ in answers} <= {200, 503}
    assert (await bridge.tell("history", **CALL))[0] == 200
    await bridge.stop()
    assert len(await bridge.sql("SELECT callid FROM vpbx_calls")) == 1


async def test_stranger_changes_nothing(bridge: Bridge) -> None:
    await bridge.start()
    assert (await bridge.tell("history", token="wrong", **CALL))[0] == 403
    assert (await bridge.tell("history", token="", **CALL))[0] == 403
    await bridge.stop()
    assert await bridge.sql("SELECT * FROM vpbx_calls") == []


async def test_contact_that_takes_too_long_is_not_waited_for(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue("postgres_server")
    server.sql("CREATE DATABASE crm_slow TEMPLATE template0")
    url = server.url("crm_slow")
    bridge = Bridge(tmp_path / "bridge.toml", url, free_port())
    write(bridge, "[contact]\nsql = \"SELECT 'x' AS contact_name FROM pg_sleep(20)\"\n")
    await bridge.start()
    async with asyncio.timeout(30):
        assert await bridge.tell("contact", phone="7910", callid="1") == (200, {})
    await bridge.stop()


async def test_history_of_a_cloud_is_imported_each_call_once(bridge: Bridge) -> None:
    asked: list[str] = []

    async def history(request: web.Request) -> web.Response:
        assert request.headers["X-API-KEY"] == "KEY"
        start = request.query["start"]
        asked.append(start)
        row = {
            "uid": f"{start[:8]}0001",
            "type": "out",
            "status": "noanswer",
            "reason": "busy",
            "client": "79101234567",
            "account": "olga",
            "start": f"{start[:4]}-{start[4:6]}-{start[6:8]}T10:00:00Z",
            "wait": 7,
            "duration": 0,
            "record": "",
        }
        return web.json_response([row])

    cloud, port = web.Application(), free_port()
    cloud.router.add_get("/crmapi/v1/history/json", history)
    runner = web.AppRunner(cloud)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    write(bridge, f'[api]\nurl = "http://127.0.0.1:{port}"\nkey = "KEY"\n')
    config = read(bridge.file)
    store = Store(config)
    await store.open()
    span = date(2026, 1, 1), date(2026, 1, 3)
    async with contextlib.aclosing(fetch_history(config, store, *span)) as steps:
        async for step in steps:
            if step.day == date(2026, 1, 2):
                break  # as if it was killed
    asked.clear()
    days = [step async for step in fetch_history(config, store, *span)]
    assert [(step.new, step.skipped) for step in days] == [(0, True), (0, True), (1, False)]
    assert asked == ["20260103T000000Z"]
    asked.clear()
    assert all([step.skipped async for step in fetch_history(config, store, *span)])
    assert asked == []
    # Asked for again it writes nothing twice.
    days = [step async for step in fetch_history(config, store, *span, again=True)]
    assert [(step.seen, step.new) for step in days] == [(1, 0)] * 3
    await store.close()
    await runner.cleanup()
    rows = await bridge.sql("SELECT * FROM vpbx_calls ORDER BY callid")
    assert [row["callid"] for row in rows] == ["202601010001", "202601020001", "202601030001"]
    assert (rows[0]["status"], rows[0]["user"]) == ("Busy", "olga")
    assert datetime.fromisoformat(str(rows[0]["start"])) == datetime(2026, 1, 1, 10)
    assert asked == ["20260101T000000Z", "20260102T000000Z", "20260103T000000Z"]


async def test_days_that_may_still_change_are_asked_for_again(bridge: Bridge) -> None:
    """Today and yesterday: calls end, and are rated. And days of another company."""
    asked: list[str] = []

    async def history(request: web.Request) -> web.Response:
        asked.append(request.query["start"][:8])
        return web.json_response([])

    cloud, port = web.Application(), free_port()
    cloud.router.add_get("/crmapi/v1/history/json", history)
    runner = web.AppRunner(cloud)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    today = datetime.now(UTC).date()
    for key in ("KEY", "KEY", "OTHER"):
        write(bridge, f'[api]\nurl = "http://127.0.0.1:{port}"\nkey = "{key}"\n')
        config = read(bridge.file)
        store = Store(config)
        await store.open()
        since = today - timedelta(days=3)
        asked.append(key)
        [step async for step in fetch_history(config, store, since, today)]
        await store.close()
    await runner.cleanup()
    days = [f"{today - timedelta(days=ago):%Y%m%d}" for ago in (3, 2, 1, 0)]
    assert asked == ["KEY", *days, "KEY", *days[2:], "OTHER", *days]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[database]\nurl = 5\n", "url in [database] must be text"),
        ("[database\n", "is not TOML"),
        ("[contacts]\nsql = 'x'\n", "[contacts] is no section"),
        ("[database]\nurl='sqlite://'\n[receiver]\ntoken='t'\nlisten='x'\n", "HOST:PORT"),
        ("[database]\nurl='sqlite://'\n[receiver]\n", "token in [receiver]"),
        ("[database]\nurl='${NOT_SET_ANYWHERE}'\n", "NOT_SET_ANYWHERE is not set"),
    ],
)
def test_fault_in_the_file_is_told_in_words(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text(text)
    with pytest.raises(BridgeFault) as fault:
        read(file)
    assert told in str(fault.value)


def test_unknown_parameter_and_unknown_database_are_told(tmp_path: Path) -> None:
    file = tmp_path / "bridge.toml"
    head = "[database]\nurl='sqlite://'\n[receiver]\ntoken='t'\n"
    file.write_text(head + "[history]\nsql='INSERT INTO x VALUES (:call_id)'\n")
    with pytest.raises(BridgeFault, match=":call_id is told by no command; there are :callid"):
        Store(read(file))


async def test_server_serves_a_bridge_beside_itself(tmp_path: Path) -> None:
    port, database = free_port(), tmp_path / "crm.sqlite3"
    bridge = Bridge(tmp_path / "bridge.toml", f"sqlite:///{database}", port)
    write(bridge, "")
    store = Store(read(bridge.file))
    await store.open()
    await store.init()
    await store.close()
    app = App(
        ServeConfig.parse(
            data=tmp_path / "data",
            http="127.0.0.1:0",
            https="127.0.0.1:0",
            sip="127.0.0.1:0",
            sip_tls="127.0.0.1:0",
            rtp_ports=rtp_ports(),
            bridge=bridge.file,
        )
    )
    await app.start()
    assert await bridge.tell("history", **CALL) == (200, {})
    await app.stop()
    bridge.url = f"sqlite+aiosqlite:///{database}"
    assert len(await bridge.sql("SELECT * FROM vpbx_calls")) == 1
