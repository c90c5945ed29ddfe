"""The log of the integration: what was sent, followed, fetched, signed, sent once more."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import func, select, text

from tests.crm.test_crm_recorder import INCOMING, brief, incoming
from tests.crm.world import (
    TOKEN,
    Crm,
    Node,
    accept,
    domain,
    integration,
    new_call,
    running_node,
    status,
)
from vpbx.clock import ManualClock
from vpbx.crm import (
    Asked,
    Contacts,
    Entry,
    IntegrationLog,
    OutboxConfig,
    State,
    crm_outbox,
)
from vpbx.crm.tables import crm_log
from vpbx.db import Database


async def entries(node: Node, **more: Any) -> list[Entry]:
    await node.writer.flush()
    return await node.outbox.record.find(Asked(1, after=0, limit=100_000, **more))


async def until(node: Node, ready: Any, **more: Any) -> list[Entry]:
    async with asyncio.timeout(20):
        while not ready(found := await entries(node, **more)):
            await asyncio.sleep(0.02)
    return found


async def test_each_command_of_a_call_is_there_in_order_with_what_came_of_it(
    node: Node, crm: Crm
) -> None:
    async def chatty(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
        return web.Response(text="взято " * 1000)

    crm.behave = chatty
    call = new_call()
    incoming(node.bus, call)
    found = await until(node, lambda rows: [r.state for r in rows] == [State.TAKEN] * 7)
    assert [brief(entry.fields) for entry in found] == INCOMING
    assert [entry.id for entry in found] == sorted(entry.id for entry in found)
    history = found[-1]
    assert (history.callid, history.cmd) == (call.callid, "history")
    assert (history.status, history.attempts, history.format) == (200, 1, "form")
    assert history.answer.startswith("взято взято")
    assert len(history.answer.encode()) <= 2048 + 2
    assert history.done_ms is not None
    assert history.done_ms >= history.created_ms
    assert TOKEN not in str(history)


async def test_what_is_refused_tells_each_attempt_and_the_next(
    database: Database, crm: Crm
) -> None:
    clock = ManualClock(1_700_000_000)
    crm.behave = status(503)
    async with running_node(database, {1: integration(crm.url)}, clock=clock) as node:
        node.put("1")
        (waits,) = await until(node, lambda rows: rows and rows[0].attempts == 1)
        assert (waits.state, waits.status, waits.error) == (State.WAITING, 503, "HTTP 503")
        assert waits.next_ms == 1_700_000_001_000
        clock.advance(1)
        (waits,) = await until(node, lambda rows: rows[0].attempts == 2)
        assert [tried[1:2] for tried in waits.tries] == [[503], [503]]
        crm.behave = accept
        clock.advance(2)
        (taken,) = await until(node, lambda rows: rows[0].state == State.TAKEN)
        assert [tried[1] for tried in taken.tries] == [503, 503, 200]
        assert (taken.attempts, taken.error, taken.next_ms) == (3, "", None)


async def test_a_reader_that_goes_on_from_the_last_number_misses_nothing(
    database: Database, crm: Crm
) -> None:
    """Commands are taken in any order, slowly, and history later than events."""
    seen: list[Entry] = []

    async def slowly(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
        await asyncio.sleep(hash(fields["callid"]) % 30 / 1000)
        return await accept(request, fields)

    crm.behave = slowly
    async with running_node(database, {1: integration(crm.url)}) as node:

        async def fetch() -> None:
            while len(seen) < 700:
                last = seen[-1].id if seen else 0
                seen.extend(await node.outbox.record.find(Asked(1, after=last, limit=7)))
                await asyncio.sleep(0.001)

        fetching = asyncio.create_task(fetch())
        for _ in range(100):
            incoming(node.bus, new_call())
            await asyncio.sleep(0.002)
        await asyncio.wait_for(fetching, 30)
    assert len({entry.id for entry in seen}) == 700


async def test_a_follower_is_told_as_it_happens(node: Node, crm: Crm) -> None:
    face = IntegrationLog(node.outbox)
    heard: list[dict[str, Any]] = []

    async def follow() -> None:
        async for events in face.stream(1, None):
            heard.extend(events)
            if len(heard) >= 7:
                return

    node.put("before")
    await until(node, lambda rows: len(rows) == 1)
    following = asyncio.create_task(follow())
    await asyncio.sleep(0.1)
    incoming(node.bus, new_call())
    await asyncio.wait_for(following, 30)
    assert [brief(event["command"]) for event in heard] == INCOMING
    missed = await anext(face.stream(1, int(heard[2]["id"])))
    assert [event["id"] for event in missed] == [event["id"] for event in heard[3:]]


async def test_without_an_address_commands_are_kept_to_be_fetched(database: Database) -> None:
    async with running_node(database, {1: integration("")}) as node:
        incoming(node.bus, new_call())
        found = await until(node, lambda rows: [r.state for r in rows] == [State.KEPT] * 7)
        assert [brief(entry.fields) for entry in found] == INCOMING
        assert await node.rows() == []


async def test_a_question_who_calls_is_there_too(node: Node, crm: Crm) -> None:
    async def knows(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
        return web.json_response({"contact_name": "Ivan"})

    crm.behave = knows
    contacts = Contacts(node.client, asked=node.outbox.asked)
    company = domain(integration(crm.url))
    assert await contacts.contact(company, "79101234567", "77")
    crm.behave = status(500)
    assert await contacts.contact(company, "79101234567", "78") is None
    answered, failed = await entries(node, cmd="contact")
    assert (answered.state, answered.answer) == (State.TAKEN, '{"contact_name": "Ivan"}')
    assert (failed.state, failed.error) == (State.FAILED, "HTTP 500")


async def test_a_replay_sends_the_same_once_more_and_says_of_what(node: Node, crm: Crm) -> None:
    incoming(node.bus, new_call())
    found = await until(node, lambda rows: [r.state for r in rows] == [State.TAKEN] * 7)
    face = IntegrationLog(node.outbox)
    assert await face.replay(1, found[-1].id) is True
    await crm.takes(8)
    assert crm.taken[7] == crm.taken[6]
    again = (await until(node, lambda rows: len(rows) == 8 and rows[7].state == State.TAKEN))[7]
    assert (again.replay_of, again.fields) == (found[-1].id, found[-1].fields)
    assert await face.replay(2, found[-1].id) is False, "of another company"
    assert await face.replay(1, 12345) is False
    await node.until_rows(0)


async def test_a_replay_of_many_does_not_delay_what_happens_now(
    database: Database, crm: Crm
) -> None:
    """The CRM takes a while for each; live commands go as if there were no replay."""
    async with running_node(database, {1: integration(crm.url)}) as node:
        for number in range(2000):
            node.put(f"c{number % 50}", number)
        old = await until(node, lambda rows: sum(r.state == State.TAKEN for r in rows) == 2000)
        crm.taken.clear()

        async def slowly(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
            await asyncio.sleep(0.02)
            return await accept(request, fields)

        crm.behave = slowly
        for start in range(0, 10_000, 2000):
            assert start >= 0
            await node.outbox.replays.add(1, old)
        await crm.takes(4)
        overtaken = []
        for number in range(10):
            before = len(crm.taken)
            node.put(f"live{number}", 10_000 + number)
            await crm.until(lambda n=number: any(f["number"] == str(10_000 + n) for f in crm.taken))
            overtaken.append(len(crm.taken) - before)
        assert sorted(overtaken)[5] < 250, "of ten thousand, those that go in half a second"
        assert len(crm.taken) < 9000, "the replay is still going on"
        assert node.outbox.in_memory < 20


async def test_replays_keep_the_order_of_a_call_and_survive_a_restart(
    database: Database, crm: Crm
) -> None:
    settings = {1: integration(crm.url)}
    first = Node(database, settings)
    await first.start()
    for number in range(60):
        first.put(f"c{number % 3}", number)
    old = await until(first, lambda rows: sum(r.state == State.TAKEN for r in rows) == 60)
    crm.behave = status(500)
    crm.taken.clear()
    await first.outbox.replays.add(1, old)
    await crm.until(lambda: len(crm.came) > 61)
    await first.kill()
    crm.behave = accept
    async with running_node(database, settings) as second:
        await crm.until(lambda: len({f["number"] for f in crm.taken}) == 60, timeout_s=30)
        for call in range(3):
            mine = [int(f["number"]) for f in crm.taken if f["callid"] == f"c{call}"]
            assert mine == sorted(mine)
        await second.until_rows(0)


async def test_a_command_the_crm_will_not_take_stops_no_other_replay(node: Node, crm: Crm) -> None:
    for number in range(6):
        node.put("one", number)
    old = await until(node, lambda rows: sum(r.state == State.TAKEN for r in rows) == 6)
    crm.taken.clear()

    async def poisoned(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
        return web.Response(status=500 if fields["number"] == "2" else 200)

    crm.behave = poisoned
    await node.outbox.replays.add(1, old)
    await crm.until(lambda: len(crm.taken) == 5, timeout_s=20)
    failed = await until(node, lambda rows: len(rows) == 1, state=State.FAILED)
    assert failed[0].fields["number"] == 2
    await node.until_rows(0)


async def test_each_attempt_has_the_same_delivery_id_and_a_signature_of_its_own(
    database: Database, crm: Crm
) -> None:
    secret = "whsec_x"
    came: list[tuple[str, str, bytes]] = []

    async def first_refuse(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
        headers = request.headers
        assert headers["X-CRM-Token"] == TOKEN
        body = await request.read()
        came.append((headers["X-VPBX-Delivery"], headers["X-VPBX-Signature"], body))
        return web.Response(status=500 if len(came) == 1 else 200)

    crm.behave = first_refuse
    settings = {1: integration(crm.url, signing_secret=secret)}
    async with running_node(database, settings) as node:
        node.put("1")
        await crm.takes(1)
    (delivery, *_), (again, signed, body) = came
    assert delivery == again != ""
    at, _, proof = signed.partition(",")
    epoch = at.removeprefix("t=")
    assert abs(int(epoch) - time.time()) < 60
    made = hmac.new(secret.encode(), epoch.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert proof == f"v1={made}"


async def test_what_is_older_than_it_is_kept_goes(database: Database, crm: Crm) -> None:
    clock = ManualClock(1_700_000_000)
    async with running_node(database, {1: integration(crm.url)}, clock=clock) as node:
        node.put("old")
        await until(node, lambda rows: len(rows) == 1)
        clock.advance(20 * 86_400)
        node.put("new")
        await until(node, lambda rows: len(rows) == 2)
        async with asyncio.timeout(30):
            while len(await entries(node)) == 2:
                clock.advance(86_400)
                await asyncio.sleep(0.05)
        (left,) = await entries(node)
        assert left.callid == "new"


async def test_a_command_takes_little_room(sqlite_database: Database, crm: Crm) -> None:
    async with running_node(sqlite_database, {1: integration(crm.url)}) as node:

        async def size() -> int:
            async with sqlite_database.connect() as connection:
                pages = (await connection.execute(text("PRAGMA page_count"))).scalar_one()
                return int(pages) * 4096

        before = await size()
        for _ in range(100):
            incoming(node.bus, new_call())
        await until(node, lambda rows: sum(r.state == State.TAKEN for r in rows) == 700)
        assert (await size() - before) / 700 < 1.2 * 1024


async def test_a_crm_that_is_quick_costs_one_row_a_command(
    sqlite_database: Database, crm: Crm
) -> None:
    async with running_node(sqlite_database, {1: integration(crm.url)}) as node:
        for number in range(20):
            node.put(str(number))
        await until(node, lambda rows: sum(r.state == State.TAKEN for r in rows) == 20)
        async with sqlite_database.connect() as connection:
            count = select(func.count())
            assert (await connection.execute(count.select_from(crm_outbox))).scalar_one() == 0
            assert (await connection.execute(count.select_from(crm_log))).scalar_one() == 20


@pytest.mark.parametrize("wants", [False, True])
async def test_events_that_are_no_news_any_more_are_left_out_and_history_is_not(
    database: Database, crm: Crm, wants: bool
) -> None:
    clock = ManualClock(1_700_000_000)
    crm.behave = status(503)
    settings = {1: integration(crm.url, late_events=wants)}
    async with running_node(database, settings, clock=clock) as node:
        node.recorder._is_open = lambda callid: False
        incoming(node.bus, new_call())
        await until(node, lambda rows: len(rows) == 7 and rows[0].attempts == 1)
        crm.behave = accept
        clock.advance(120)
        await crm.until(lambda: any(f["cmd"] == "history" for f in crm.taken))
        kinds = [brief(fields) for fields in crm.taken]
        assert kinds == (INCOMING if wants else INCOMING[-2:])
        found = await until(node, lambda rows: rows[-1].state == State.TAKEN)
        states = {entry.state for entry in found if entry.cmd == "event"}
        assert states == ({State.TAKEN} if wants else {State.LEFT_OUT})
        await node.until_rows(0)


async def test_what_failed_is_sent_once_more_until_it_is_taken_and_not_again(
    node: Node, crm: Crm
) -> None:
    async def fail(*ids: int) -> None:
        async with node.database.begin() as connection:
            failed = crm_log.update().where(crm_log.c.id.in_(ids)).values(state=State.FAILED)
            await connection.execute(failed)

    async def left() -> list[int]:
        found = await entries(node, state=State.FAILED, originals=True, unreplayed=True)
        return [entry.id for entry in found]

    node.put("1")
    node.put("2")
    first, second = await until(node, lambda rows: [r.state for r in rows] == [State.TAKEN] * 2)
    await fail(first.id, second.id)
    assert await left() == [first.id, second.id]
    await node.outbox.replays.add(1, [first, second])
    rows = await until(node, lambda rows: [r.state for r in rows[2:]] == [State.TAKEN] * 2)
    assert await left() == []
    await fail(rows[2].id)
    assert await left() == [first.id]


async def test_the_log_is_kept_as_long_as_is_set(database: Database, crm: Crm) -> None:
    clock = ManualClock(1_700_000_000)
    config = OutboxConfig(log_kept_s=3 * 86_400)
    async with running_node(
        database, {1: integration(crm.url)}, clock=clock, config=config
    ) as node:
        node.put("old")
        await until(node, lambda rows: [r.state for r in rows] == [State.TAKEN])
        clock.advance(2 * 86_400)
        node.put("new")
        await until(node, lambda rows: [r.callid for r in rows] == ["old", "new"])
        async with asyncio.timeout(30):
            while [entry.callid for entry in await entries(node)] != ["new"]:
                assert clock.time() < 1_700_000_000 + 30 * 86_400
                clock.advance(900)
                await asyncio.sleep(0.01)
        assert clock.time() >= 1_700_000_000 + 3 * 86_400


async def test_an_outage_in_the_middle_of_a_replay_costs_none_of_it(
    database: Database, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that says 502 for all; and before it was so, and after, one command is poison."""
    monkeypatch.setattr("vpbx.crm.replay._PAUSES_S", (0.01,))
    async with running_node(database, {1: integration(crm.url)}) as node:
        for number in range(120):
            node.put(f"c{number // 2}", number)
        old = await until(node, lambda rows: sum(r.state == State.TAKEN for r in rows) == 120)
        crm.taken.clear()
        crm.came.clear()
        out = False

        async def behave(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
            nonlocal out
            out = out or len(crm.came) == 60
            poison = fields["number"] == "30"
            return web.Response(status=502 if out else 500 if poison else 200)

        crm.behave = behave
        await node.outbox.replays.add(1, old)
        await crm.until(lambda: len(crm.came) > 130, timeout_s=60)  # several rounds in vain
        crm.behave = healed
        await crm.until(lambda: len({f["number"] for f in crm.taken}) == 119, timeout_s=60)
        await node.until_rows(0)
        (failed,) = await entries(node, state=State.FAILED)
        assert failed.fields["number"] == 30
        assert [f["number"] for f in crm.taken].count("31") == 1
        assert len(crm.taken) == 119


async def healed(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
    return web.Response(status=500 if fields["number"] == "30" else 200)


async def test_many_poisoned_ones_in_front_are_passed_by(
    database: Database, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vpbx.crm.replay._PAUSES_S", (0.01,))
    async with running_node(database, {1: integration(crm.url)}) as node:
        for number in range(60):
            node.put(f"c{number}", number)
        old = await until(node, lambda rows: sum(r.state == State.TAKEN for r in rows) == 60)
        crm.taken.clear()

        async def behave(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
            return web.Response(status=422 if int(fields["number"]) < 45 else 200)

        crm.behave = behave
        await node.outbox.replays.add(1, sorted(old, key=lambda e: int(e.fields["number"])))
        await crm.until(lambda: len(crm.taken) == 15, timeout_s=60)
        async with asyncio.timeout(60):
            while await node.rows():
                await asyncio.sleep(0.05)
        failed = await entries(node, state=State.FAILED)
        assert sorted(entry.fields["number"] for entry in failed) == list(range(45))
