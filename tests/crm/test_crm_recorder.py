"""Whole calls as the CRM sees them: which commands, in which order, and how soon."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.crm.world import (
    ANN,
    BOB,
    NOW,
    SALES,
    Crm,
    Node,
    accept,
    integration,
    new_call,
    running_node,
    status,
)
from vpbx.clock import ManualClock
from vpbx.db import Database
from vpbx.directory import Commands
from vpbx.events import (
    Answered,
    CallEnded,
    CallInfo,
    CallStarted,
    Completed,
    Dialing,
    Direction,
    EventBus,
    Rated,
    RecordingReady,
    RingEnded,
    Ringing,
    Status,
)
from vpbx.history import Encoding, HistoryRecorder, call_history, call_journal


def incoming(bus: EventBus, call: CallInfo) -> None:
    """Two are rung, Ann takes the call, the customer hangs up and rates her."""
    bus.publish(CallStarted(call, NOW, None))
    bus.publish(Ringing(call, NOW + 1, ANN, SALES))
    bus.publish(Ringing(call, NOW + 1, BOB, SALES))
    bus.publish(Answered(call, NOW + 5, ANN, SALES))
    bus.publish(RingEnded(call, NOW + 5, BOB, SALES))
    bus.publish(Completed(call, NOW + 28, ANN, SALES))
    bus.publish(Rated(call, NOW + 30, ANN, 5))
    bus.publish(CallEnded(call, NOW + 31, Status.SUCCESS, ANN, SALES, answered_at=NOW + 5))
    bus.publish(RecordingReady(call, NOW + 32, True))


def brief(fields: dict[str, Any]) -> tuple[str, ...]:
    return fields["cmd"], fields.get("type", ""), fields["user"]


INCOMING = [
    ("event", "INCOMING", "ann"),
    ("event", "INCOMING", "bob"),
    ("event", "ACCEPTED", "ann"),
    ("event", "CANCELLED", "bob"),
    ("event", "COMPLETED", "ann"),
    ("rating", "", "ann"),
    ("history", "in", "ann"),
]


async def test_the_crm_sees_an_incoming_call_in_order(node: Node, crm: Crm) -> None:
    incoming(node.bus, new_call())
    assert [brief(fields) for fields in await crm.takes(7)] == INCOMING
    assert crm.taken[-1]["rating"] == "5"
    assert (crm.taken[-1]["wait"], crm.taken[-1]["duration"]) == ("5", "26")
    await node.until_rows(0)


async def test_the_crm_sees_an_outgoing_call_in_order(node: Node, crm: Crm) -> None:
    call = new_call(Direction.OUT)
    node.bus.publish(CallStarted(call, NOW, ANN))
    node.bus.publish(Dialing(call, NOW, ANN))
    node.bus.publish(Answered(call, NOW + 5, ANN))
    node.bus.publish(Completed(call, NOW + 9, ANN))
    node.bus.publish(
        CallEnded(call, NOW + 9, Status.SUCCESS, ANN, answered_at=NOW + 5, recorded=True)
    )
    assert [brief(fields) for fields in await crm.takes(4)] == [
        ("event", "OUTGOING", "ann"),
        ("event", "ACCEPTED", "ann"),
        ("event", "COMPLETED", "ann"),
        ("history", "out", "ann"),
    ]
    assert crm.taken[-1]["link"] == f"https://d1.example/r/{call.callid}.mp3"


async def test_inner_calls_send_nothing(node: Node, crm: Crm) -> None:
    incoming(node.bus, new_call(Direction.INNER))
    assert await node.rows() == []
    assert crm.came == []


@pytest.mark.parametrize(
    ("commands", "sent"),
    [
        (Commands(event=False), {"rating", "history"}),
        (Commands(history=False), {"event", "rating"}),
        (Commands(rating=False), {"event", "history"}),
        (Commands(event=False, history=False, rating=False), set()),
    ],
)
async def test_only_the_commands_that_are_on_are_sent(
    sqlite_database: Database, crm: Crm, commands: Commands, sent: set[str]
) -> None:
    settings = {1: integration(crm.url, commands=commands)}
    async with running_node(sqlite_database, settings) as node:
        incoming(node.bus, new_call())
        await node.until_rows(0)
        assert {fields["cmd"] for fields in crm.taken} == sent
        if "history" in sent:
            assert crm.taken[-1]["rating"] == "5"


@pytest.mark.parametrize("enabled", [False, None])
async def test_without_an_integration_that_is_on_nothing_is_kept(
    sqlite_database: Database, crm: Crm, enabled: bool | None
) -> None:
    settings = {1: None if enabled is None else integration(crm.url, enabled=enabled)}
    async with running_node(sqlite_database, settings) as node:
        incoming(node.bus, new_call())
        assert await node.rows() == []
        assert crm.came == []


async def test_an_unknown_domain_sends_nothing(node: Node, crm: Crm) -> None:
    incoming(node.bus, new_call(domain_id=9))
    assert await node.rows() == []


async def test_the_history_row_and_its_command_are_one_transaction(
    database: Database, crm: Crm
) -> None:
    crm.behave = status(500)
    async with running_node(database, {1: integration(crm.url)}) as node:
        units: list[list[Any]] = []
        bus = EventBus(lambda writes: (units.append(writes), node.writer.submit(writes)))
        bus.subscribe(HistoryRecorder(1, Encoding()))
        bus.subscribe(node.recorder)
        call = new_call()
        bus.publish(CallStarted(call, NOW, ANN))
        bus.publish(CallEnded(call, NOW + 9, Status.MISSED, ANN))
        await node.writer.flush()
        (row,) = await node.rows()
        assert row.cmd == "history"
        tables = [write.statement.table.name for write in units[-1]]
        assert tables == ["call_history", "call_journal", "call_history", "crm_log", "crm_outbox"]
        async with database.connect() as connection:
            assert len((await connection.execute(select(call_history))).all()) == 1
            assert (await connection.execute(select(call_journal))).all() == []


async def test_a_call_cut_off_by_a_kill_is_told_to_the_crm_after_the_restart(
    database: Database, crm: Crm, tmp_path: Path
) -> None:
    settings = {1: integration(crm.url)}
    first = Node(database, settings)
    first.bus = EventBus(first.writer.submit)
    first.bus.subscribe(HistoryRecorder(1, Encoding()))
    first.bus.subscribe(first.recorder)
    await first.start()
    call = new_call()
    first.bus.publish(CallStarted(call, NOW, None))
    first.bus.publish(Ringing(call, NOW + 1, ANN))
    first.bus.publish(Answered(call, NOW + 5, ANN))
    await crm.takes(2)
    await first.writer.flush()
    await first.kill()

    async with running_node(database, settings) as second:
        history = HistoryRecorder(1, Encoding())
        bus = EventBus(second.writer.submit)
        bus.subscribe(history)
        bus.subscribe(second.recorder)
        for event in await history.close_open_journal(database, NOW + 600):
            bus.publish(event)
        await crm.takes(4)
        assert [brief(fields) for fields in crm.taken] == [
            ("event", "INCOMING", "ann"),
            ("event", "ACCEPTED", "ann"),
            ("event", "COMPLETED", "ann"),
            ("history", "in", "ann"),
        ]
        assert (crm.taken[-1]["status"], crm.taken[-1]["duration"]) == ("Success", "595")


async def test_a_crm_that_comes_back_gets_whole_calls_in_order(
    sqlite_database: Database, crm: Crm
) -> None:
    clock = ManualClock(1_700_000_000)
    crm.behave = status(503)
    async with running_node(sqlite_database, {1: integration(crm.url)}, clock=clock) as node:
        calls = [new_call() for _ in range(20)]
        for call in calls:
            incoming(node.bus, call)
        await crm.until(lambda: len(crm.came) == 20)
        crm.behave = accept
        clock.advance(1)
        await crm.takes(140)
        for call in calls:
            mine = [f for f in crm.taken if f["callid"] == call.callid]
            assert [brief(fields) for fields in mine] == INCOMING


async def test_events_reach_the_crm_at_once(database: Database, crm: Crm) -> None:
    """Most wait for no look at the queue: that comes once a second. The bench measures the rest."""
    arrived: dict[tuple[str, str], float] = {}

    async def note(request: Any, fields: dict[str, Any]) -> Any:
        arrived[fields["callid"], fields["type"]] = time.perf_counter()
        return await accept(request, fields)

    crm.behave = note
    published: dict[tuple[str, str], float] = {}
    async with running_node(database, {1: integration(crm.url)}) as node:
        for number in range(40):
            call = replace(new_call(), callid=str(8_000_000_000_000 + number))
            for event, kind in ((Ringing, "INCOMING"), (Answered, "ACCEPTED")):
                published[call.callid, kind] = time.perf_counter()
                node.bus.publish(event(call, NOW, ANN))
                await asyncio.sleep(0.01)
        await crm.takes(80)
    delays = sorted(arrived[key] - published[key] for key in published)
    assert delays[len(delays) // 2] < 0.4
