"""Commands reach the CRM at once, in order, and survive its failures and ours."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import text

from tests.crm.world import (
    TOKEN,
    Behaviour,
    Crm,
    Node,
    accept,
    close,
    hang,
    integration,
    json_only,
    running_node,
    status,
)
from vpbx.clock import ManualClock
from vpbx.crm import Limits, OutboxConfig
from vpbx.db import Database


def numbers(crm: Crm) -> list[int]:
    return [int(fields["number"]) for fields in crm.taken]


async def test_a_command_arrives_at_once_and_its_row_goes(node: Node, crm: Crm) -> None:
    node.put("1", 7)
    (taken,) = await crm.takes(1)
    assert taken == {"cmd": "event", "callid": "1", "number": "7", "crm_token": TOKEN}
    assert await node.until_rows(0) == []


async def test_a_command_that_waits_is_a_row_without_the_token(node: Node, crm: Crm) -> None:
    crm.behave = status(500)
    node.put("1", 7)
    await crm.until(lambda: bool(crm.came))
    (row,) = await node.until_rows(1)
    assert (row.callid, row.cmd, row.status) == ("1", "event", "pending")
    assert json.loads(row.fields) == {"cmd": "event", "callid": "1", "number": 7}


async def test_commands_of_a_call_keep_their_order(node: Node, crm: Crm) -> None:
    for number in range(50):
        node.put(f"call{number % 5}", number)
    await crm.takes(50)
    for call in range(5):
        mine = [n for n in numbers(crm) if n % 5 == call]
        assert mine == sorted(mine)
    await node.until_rows(0)


@pytest.mark.parametrize("behave", [status(500), status(302), status(403), close, hang])
async def test_what_the_crm_does_not_take_is_sent_again_in_order(
    sqlite_database: Database, crm: Crm, behave: Behaviour
) -> None:
    clock = ManualClock(1_700_000_000)
    settings = {1: integration(crm.url)}
    async with running_node(sqlite_database, settings, clock=clock, timeout_s=0.1) as node:
        crm.behave = behave
        node.put("1", 1)
        node.put("1", 2)
        for pause, attempts in ((1, 1), (2, 2), (5, 3)):
            await crm.until(lambda n=attempts: len(crm.came) == n)
            async with asyncio.timeout(30):
                while (await node.rows())[0].attempts < attempts:
                    await asyncio.sleep(0.005)
            clock.advance(pause - 0.01)
            await asyncio.sleep(0.02)
            assert len(crm.came) == attempts
            if attempts == 3:
                crm.behave = accept
            clock.advance(0.01)
        await crm.takes(2)
        assert numbers(crm) == [1, 2]
        assert {came["number"] for came in crm.came[:-1]} == {"1"}
        await node.until_rows(0)


async def test_a_call_in_trouble_holds_up_no_other(node: Node, crm: Crm) -> None:
    async def picky(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
        return web.Response(status=500 if fields["callid"] == "bad" else 200)

    crm.behave = picky
    node.put("bad", 1)
    for number in range(20):
        node.put(f"good{number}", number)
    await crm.takes(20)
    assert len(await node.until_rows(1)) == 1


async def test_a_slow_crm_delays_no_other_domain(database: Database, crm: Crm) -> None:
    async with Crm(hang) as slow:
        settings = {1: integration(crm.url), 2: integration(slow.url)}
        async with running_node(database, settings, timeout_s=90) as node:
            for number in range(100):
                node.put(f"slow{number}", number, domain_id=2)
            await slow.until(lambda: slow.busy == 10)
            node.put("quick", 1)
            await crm.takes(1)
            assert len(slow.came) == slow.most_busy == 10, "all its commands still wait"


async def test_24_hours_later_a_command_is_given_up_and_can_be_seen(
    database: Database, crm: Crm
) -> None:
    clock = ManualClock(1_700_000_000)
    settings = {1: integration(crm.url, late_events=True)}
    async with running_node(database, settings, clock=clock) as node:
        crm.behave = status(503)
        node.put("1", 1)
        async with asyncio.timeout(60):
            while not (await node.outbox.counts(1)).failed:
                clock.advance(600)
                await asyncio.sleep(0.01)
        counts = await node.outbox.counts(1)
        assert (counts.pending, counts.failed) == (0, 1)
        (failed,) = await node.outbox.failed(1)
        assert (failed.callid, failed.cmd, failed.error) == ("1", "event", "HTTP 503")
        assert failed.created_at == 1_700_000_000
        assert failed.tried_at is not None
        assert failed.tried_at - failed.created_at >= 24 * 3600
        assert await node.outbox.failed(2) == []
        crm.behave = accept
        node.put("1", 2)
        await crm.takes(1)
        assert numbers(crm) == [2]


async def test_a_kill_loses_nothing_and_keeps_the_order(database: Database, crm: Crm) -> None:
    settings = {1: integration(crm.url)}
    crm.behave = status(500)
    first = Node(database, settings)
    await first.start()
    for number in range(30):
        first.put(f"call{number % 3}", number)
    await first.writer.flush()
    await first.kill()
    crm.behave = accept
    async with running_node(database, settings) as second:
        second.put("call0", 30)
        await crm.takes(31)
        assert sorted(numbers(crm)) == list(range(31))
        for call in range(3):
            mine = [n for n in numbers(crm) if n % 3 == call]
            assert mine == sorted(mine)
        await second.until_rows(0)


async def test_what_is_taken_before_the_next_transaction_is_never_a_row(
    sqlite_database: Database, crm: Crm
) -> None:
    async with sqlite_database.begin() as connection:
        await connection.execute(text("CREATE TABLE inserted (id)"))
        await connection.execute(
            text(
                "CREATE TRIGGER seen AFTER INSERT ON crm_outbox"
                " BEGIN INSERT INTO inserted VALUES (new.id); END"
            )
        )
    node = Node(sqlite_database, {1: integration(crm.url)})
    await node.client.start()
    await node.outbox.start()
    for number in range(3):  # the writer does not run yet
        node.put("1", number)
    await crm.takes(3)
    crm.behave = status(500)
    node.put("1", 3)
    await crm.until(lambda: len(crm.came) == 4)
    await node.writer.start()
    (row,) = await node.rows()
    assert json.loads(row.fields)["number"] == 3
    async with sqlite_database.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM inserted")) == 1
    await node.stop(0)


async def test_a_kill_while_the_crm_thinks_loses_nothing(database: Database, crm: Crm) -> None:
    settings = {1: integration(crm.url)}
    crm.behave = hang
    first = Node(database, settings)
    await first.start()
    first.put("1", 1)
    first.put("1", 2)
    await crm.until(lambda: bool(crm.came))
    await first.writer.flush()
    await first.kill()
    crm.behave = accept
    async with running_node(database, settings) as second:
        await crm.takes(2)
        assert numbers(crm) == [1, 2]
        await second.until_rows(0)


async def test_what_comes_before_the_start_is_sent_after_it(database: Database, crm: Crm) -> None:
    node = Node(database, {1: integration(crm.url)})
    await node.writer.start()
    await node.client.start()
    for number in range(3):
        node.put("1", number)
    await node.outbox.start()
    await crm.takes(3)
    assert numbers(crm) == [0, 1, 2]
    await node.stop()


async def test_each_node_sends_its_own(database: Database, crm: Crm) -> None:
    settings = {1: integration(crm.url)}
    crm.behave = status(500)
    dead = Node(database, settings, node=2)
    await dead.start()
    dead.put("theirs", 1)
    await dead.writer.flush()
    await dead.kill()
    crm.behave = accept
    async with running_node(database, settings, node=1) as node:
        node.put("ours", 2)
        await crm.takes(1)
        assert numbers(crm) == [2]
        assert (await node.outbox.counts(1)).pending == 1


async def test_an_outage_keeps_memory_bounded_and_everything_arrives_after_it(
    database: Database, crm: Crm
) -> None:
    limits = Limits(kept=50, refill=20, refill_below=5)
    clock = ManualClock(1_700_000_000)
    config = OutboxConfig(lane=limits)
    settings = {1: integration(crm.url, late_events=True)}  # the clock runs fast here
    async with running_node(database, settings, config=config, clock=clock) as node:
        crm.behave = status(502)
        for number in range(300):
            node.put(f"call{number % 90}", number)
            assert node.outbox.in_memory <= 50
            if number % 50 == 0:
                await asyncio.sleep(0.01)
        await crm.until(lambda: len(crm.came) >= 20)
        crm.behave = accept
        node.put("news", 300)
        async with asyncio.timeout(60):
            while len(crm.taken) < 301:
                clock.advance(1)
                await asyncio.sleep(0.01)
                assert node.outbox.in_memory <= 50
        assert sorted(numbers(crm)) == list(range(301))
        for call in range(90):
            mine = [n for n in numbers(crm) if n < 300 and n % 90 == call]
            assert mine == sorted(mine)
        await node.until_rows(0)


async def test_rows_older_than_a_day_are_given_up_even_if_never_tried(
    database: Database, crm: Crm
) -> None:
    clock = ManualClock(1_700_000_000)
    config = OutboxConfig(lane=Limits(kept=4, refill=4, refill_below=1), sweep_s=900)
    async with running_node(
        database, {1: integration(crm.url, late_events=True)}, config=config, clock=clock
    ) as node:
        crm.behave = status(500)
        for number in range(20):
            node.put(f"call{number}", number)
        await node.until_rows(20)
        clock.advance(24 * 3600 + 900)
        async with asyncio.timeout(30):
            while (await node.outbox.counts(1)).failed < 20:
                clock.advance(600)
                await asyncio.sleep(0.01)
        clock.advance(31 * 86_400)
        async with asyncio.timeout(30):
            while await node.rows():  # a sweep that was under way counts from before
                clock.advance(900)
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("by_s", [-7200, 7200, 5 * 86_400])
async def test_a_clock_that_is_set_makes_no_command_late_and_gives_none_up(
    database: Database, crm: Crm, by_s: float
) -> None:
    """Commands in memory and those read back from their rows; some were made before, some after."""
    clock = ManualClock(1_700_000_000)
    config = OutboxConfig(lane=Limits(kept=4, refill=4, refill_below=1), sweep_s=900)
    async with running_node(
        database, {1: integration(crm.url)}, config=config, clock=clock
    ) as node:
        crm.behave = status(500)
        for number in range(10):
            node.put(f"call{number}", number)
        await node.until_rows(10)
        clock.set_wall(by_s)
        for number in range(10, 14):
            node.put(f"call{number}", number)
        await node.until_rows(14)
        crm.behave = accept
        clock.advance(30)
        await crm.takes(14)
        assert sorted(numbers(crm)) == list(range(14))
        assert (await node.outbox.counts(1)).failed == 0


async def test_a_clock_that_is_set_has_the_sweep_give_nothing_up(
    database: Database, crm: Crm
) -> None:
    clock = ManualClock(1_700_000_000)
    config = OutboxConfig(lane=Limits(kept=4, refill=4, refill_below=1), sweep_s=900)
    async with running_node(
        database, {1: integration(crm.url, late_events=True)}, config=config, clock=clock
    ) as node:
        crm.behave = status(500)
        for number in range(20):
            node.put(f"call{number}", number)
        await node.until_rows(20)
        clock.set_wall(2 * 86_400)
        clock.advance(901)
        await asyncio.sleep(0.3)
        counts = await node.outbox.counts(1)
        assert (counts.pending, counts.failed) == (20, 0)
        clock.advance(24 * 3600)
        async with asyncio.timeout(30):
            while (await node.outbox.counts(1)).failed < 20:
                clock.advance(600)
                await asyncio.sleep(0.01)


async def test_an_outage_is_logged_once_and_its_end_once(
    sqlite_database: Database, crm: Crm, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = ManualClock(1_700_000_000)
    secret = f"{crm.url}?secret=hidden"
    async with running_node(sqlite_database, {1: integration(secret)}, clock=clock) as node:
        crm.behave = status(500)
        for number in range(40):
            node.put(f"call{number}", number)
        await crm.until(lambda: len(crm.came) >= 40)
        crm.behave = accept
        clock.advance(1)
        await crm.takes(40)
        await node.until_rows(0)
    said = capsys.readouterr().out
    assert said.count("does not take commands") == 1
    assert said.count("takes commands again") == 1
    assert TOKEN not in said
    assert "hidden" not in said


async def test_a_sign_of_life_sends_what_waits(sqlite_database: Database, crm: Crm) -> None:
    clock = ManualClock(1_700_000_000)
    async with running_node(sqlite_database, {1: integration(crm.url)}, clock=clock) as node:
        crm.behave = status(500)
        for number in range(5):
            node.put(f"call{number}", number)
        async with asyncio.timeout(30):
            while sum(row.attempts for row in await node.rows()) < 5:
                await asyncio.sleep(0.005)
        crm.behave = accept
        node.outbox.crm_answers(1)
        node.outbox.crm_answers(2)
        assert len(await crm.takes(5)) == 5


async def test_commands_of_an_integration_switched_off_are_held_until_it_is_on_again(
    sqlite_database: Database, crm: Crm
) -> None:
    clock = ManualClock(1_700_000_000)
    settings: dict[int, Any] = {1: integration(crm.url, enabled=False)}
    async with running_node(sqlite_database, settings, clock=clock) as node:
        node.put("1", 1)
        async with asyncio.timeout(30):
            while not (rows := await node.rows()) or not rows[0].attempts:
                await asyncio.sleep(0.005)
        (waiting,) = await node.outbox.pending(1)
        assert waiting.error == "the integration is switched off"
        settings[1] = replace(settings[1], enabled=True)
        clock.advance(1)
        await crm.takes(1)


async def test_a_token_put_right_counts_for_what_waits(sqlite_database: Database, crm: Crm) -> None:
    async def picky(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
        return web.Response(status=200 if fields["crm_token"] == "right" else 401)

    crm.behave = picky
    clock = ManualClock(1_700_000_000)
    settings: dict[int, Any] = {1: integration(crm.url)}
    async with running_node(sqlite_database, settings, clock=clock) as node:
        node.put("1", 1)
        async with asyncio.timeout(30):
            while not (rows := await node.rows()) or not rows[0].attempts:
                await asyncio.sleep(0.005)
        settings[1] = replace(settings[1], token="right")
        clock.advance(1)
        await crm.takes(1)


async def test_a_crm_that_takes_json_only_gets_it(node: Node, crm: Crm) -> None:
    crm.behave = json_only
    for number in range(3):
        node.put("1", number)
    await crm.takes(3)
    assert [came["_type"] for came in crm.came].count("application/json") == 3
    assert len(crm.came) == 4
    assert node.learned == [(1, "json")]


async def test_settings_that_cannot_be_read_are_tried_again(
    sqlite_database: Database, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(1_700_000_000)
    async with running_node(sqlite_database, {1: integration(crm.url)}, clock=clock) as node:
        good, fails = node._settings, True

        async def settings(domain_id: int) -> Any:
            if fails:
                raise OSError("the database is gone")
            return await good(domain_id)

        monkeypatch.setattr(node.outbox._sender, "_settings", settings)
        node.put("1", 1)
        async with asyncio.timeout(30):
            while not (rows := await node.rows()) or not rows[0].attempts:
                await asyncio.sleep(0.005)
        fails = False
        clock.advance(1)
        await crm.takes(1)


async def test_the_end_sends_what_can_be_sent_at_once(database: Database, crm: Crm) -> None:
    node = Node(database, {1: integration(crm.url)})
    await node.start()
    for number in range(100):
        node.put(f"call{number}", number)
    await node.stop()
    assert len(crm.taken) == 100
    again = Node(database, {1: integration(crm.url)})
    await again.start()
    assert await again.rows() == []
    await again.stop()


async def test_the_end_does_not_wait_for_a_crm_that_hangs(
    sqlite_database: Database, crm: Crm
) -> None:
    crm.behave = hang
    node = Node(sqlite_database, {1: integration(crm.url)}, timeout_s=90)
    await node.start()
    node.put("1", 1)
    await crm.until(lambda: bool(crm.came))
    async with asyncio.timeout(30):
        await node.stop(0.1)
