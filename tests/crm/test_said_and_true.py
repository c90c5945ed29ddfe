"""Whoever was told of a call finds it: a CRM that asks in the very handler of the command."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.crm.world import ANN, BOB, NOW, Crm, Node, accept, integration, new_call, running_node
from vpbx.db import Database
from vpbx.db.batches import Batch
from vpbx.events import (
    Answered,
    CallEnded,
    CallInfo,
    CallStarted,
    Direction,
    EventBus,
    Rated,
    Ringing,
    Status,
)
from vpbx.history import WHENEVER, Encoding, History, HistoryRecorder, Query, RecordingLinks

CALLS = 1000


class Truth:
    """A node with history, whose CRM asks for each call it hears of."""

    def __init__(self, node: Node, crm: Crm, records: Path) -> None:
        encoding = Encoding()
        self.history = History(node.database, RecordingLinks(b"x" * 16), records, encoding)
        self.recorder = HistoryRecorder(1, encoding)
        node.recorder._is_open = self.recorder.is_open
        self.bus = EventBus(node.writer.submit)
        self.bus.subscribe(self.recorder)
        self.bus.subscribe(node.recorder)
        self.asked = 0
        self.missing: list[str] = []
        self.consultations: dict[str, str] = {}
        """The inner call that ended when a call was passed on, by the callid of that."""
        crm.behave = self.ask

    async def ask(self, request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
        if fields["cmd"] in ("history", "rating"):
            self.asked += 1
            uid = fields["callid"]
            rows = await self.row(uid)
            if [row["uid"] for row in rows] != [uid]:
                self.missing.append(f"{fields['cmd']}: no row")
            elif fields["cmd"] == "rating" and str(rows[0].get("rating")) != fields["rating"]:
                self.missing.append("rating: not in the row")
            elif fields["cmd"] == "history":
                mine = [int(fields["wait"]), int(fields["duration"])]
                if mine != [rows[0]["wait"], rows[0]["duration"]]:
                    self.missing.append("history: other figures")
                before = self.consultations.get(uid)
                if before and [row["uid"] for row in await self.row(before, inner=True)] != [
                    before
                ]:
                    self.missing.append("history: no inner row of the consultation")
            if "link" in fields and await self.history.recording(uid) is None:
                self.missing.append("history: no recording behind the link")
        return await accept(request, fields)

    async def row(self, uid: str, *, inner: bool = False) -> list[dict[str, Any]]:
        query = Query(1, "d1.example", WHENEVER, uids=(int(uid),))
        rows = self.history.inner_json(query) if inner else self.history.external_json(query)
        pieces = [piece async for piece in rows]
        found: list[dict[str, Any]] = json.loads(b"".join(pieces))
        return found

    def call(self, number: int) -> CallInfo:
        info = new_call(Direction.IN if number % 3 else Direction.OUT)
        publish = self.bus.publish
        publish(CallStarted(info, NOW, ANN))
        if number % 2:
            publish(Ringing(info, NOW + 1, ANN))
            publish(Answered(info, NOW + 2.5, ANN))
            if number % 5 == 0:
                publish(Rated(info, NOW + 7, ANN, 4))
            if number % 7 == 0:
                self.consult(info)
            end: dict[str, Any] = {"answered_at": NOW + 2.5, "recorded": True}
            publish(CallEnded(info, NOW + 8.7, Status.SUCCESS, ANN, **end))
        else:
            publish(CallEnded(info, NOW + 8.7, Status.MISSED, BOB))
        return info

    def consult(self, info: CallInfo) -> None:
        """Ann asks Bob whether he will take the call."""
        inner = new_call(Direction.INNER)
        self.consultations[info.callid] = inner.callid
        self.bus.publish(CallStarted(inner, NOW + 3, BOB, caller=ANN))
        self.bus.publish(Answered(inner, NOW + 4, BOB))
        self.bus.publish(
            CallEnded(inner, NOW + 6, Status.SUCCESS, BOB, answered_at=NOW + 4, caller=ANN)
        )


def slow_down(node: Node, seconds: float) -> None:
    """Let each transaction take longer, now and then much longer."""
    write = node.database.write
    chance = random.Random(7)

    async def slowly(batches: Sequence[Batch]) -> None:
        await asyncio.sleep(chance.random() * seconds)
        await write(batches)
        await asyncio.sleep(chance.random() * seconds)

    node.database.write = slowly  # type: ignore[method-assign]


@pytest.mark.parametrize("slow_s", [0.0, 0.05])
async def test_a_crm_that_asks_in_the_handler_of_the_command_finds_the_call(
    database: Database, crm: Crm, tmp_path: Path, slow_s: float
) -> None:
    async with running_node(database, {1: integration(crm.url)}) as node:
        slow_down(node, slow_s)
        truth = Truth(node, crm, tmp_path)
        for number in range(CALLS):
            truth.call(number)
            if number % 4 == 0:
                await asyncio.sleep(0.001)
        wanted = CALLS + sum(1 for n in range(CALLS) if n % 2 and n % 5 == 0)
        await crm.until(lambda: truth.asked >= wanted, timeout_s=60)
    assert truth.missing == []
    assert truth.asked == wanted


async def test_nobody_hears_of_a_call_that_cannot_be_written_and_events_do_not_wait(
    database: Database, crm: Crm, tmp_path: Path
) -> None:
    async with running_node(database, {1: integration(crm.url)}) as node:
        truth = Truth(node, crm, tmp_path)
        away = asyncio.Event()
        write = node.database.write

        async def wait(batches: Sequence[Batch]) -> None:
            await away.wait()
            await write(batches)

        node.database.write = wait  # type: ignore[method-assign]
        truth.call(1)
        await crm.takes(2)
        assert [fields["type"] for fields in crm.taken] == ["INCOMING", "ACCEPTED"]
        away.set()
        await crm.takes(3)
    assert crm.taken[-1]["cmd"] == "history"
    assert truth.missing == []


async def test_a_kill_between_the_commit_and_the_command_tells_it_after_the_restart(
    database: Database, crm: Crm, tmp_path: Path
) -> None:
    first = Node(database, {1: integration("http://127.0.0.1:9/")})
    await first.start()
    truth = Truth(first, crm, tmp_path)
    info = truth.call(0)
    await first.writer.flush()
    await first.kill()
    assert len(await truth.row(info.callid)) == 1
    async with running_node(database, {1: integration(crm.url)}):
        (told,) = await crm.takes(1)
    assert (told["cmd"], told["callid"]) == ("history", info.callid)


async def test_a_rating_that_comes_after_the_end_is_told_when_it_is_in_the_row(
    database: Database, crm: Crm, tmp_path: Path
) -> None:
    async with running_node(database, {1: integration(crm.url)}) as node:
        slow_down(node, 0.05)
        truth = Truth(node, crm, tmp_path)
        info = truth.call(1)
        truth.bus.publish(Rated(info, NOW + 60, ANN, 3))
        await crm.until(lambda: truth.asked == 2)
    assert truth.missing == []


async def test_a_rating_before_a_crash_is_told_and_kept(
    database: Database, crm: Crm, tmp_path: Path
) -> None:
    first = Node(database, {1: integration(crm.url)})
    await first.start()
    before = Truth(first, crm, tmp_path)
    info = new_call()
    before.bus.publish(CallStarted(info, NOW, ANN))
    before.bus.publish(Answered(info, NOW + 1, ANN))
    before.bus.publish(Rated(info, NOW + 7, ANN, 5))
    await first.writer.flush()
    await first.kill()
    crm.taken.clear()
    async with running_node(database, {1: integration(crm.url)}) as node:
        after = Truth(node, crm, tmp_path)
        for event in await after.recorder.close_open_journal(database, NOW + 20):
            after.bus.publish(event)
        await crm.until(lambda: after.asked == 2)
    assert after.missing == []
    assert [f["cmd"] for f in crm.taken if f["cmd"] != "event"] == ["rating", "history"]
    assert crm.taken[-1]["rating"] == "5"
