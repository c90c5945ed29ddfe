"""A database with a writer, a bus and a history on it, and calls to publish."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select

from vpbx.db import Database, Writer
from vpbx.events import (
    CallEnded,
    CallInfo,
    CallStarted,
    Direction,
    EventBus,
    Group,
    Party,
    Status,
)
from vpbx.history import (
    Encoding,
    History,
    HistoryRecorder,
    Period,
    Query,
    RecordingLinks,
    call_history,
    call_journal,
)

NOW = 1_715_800_000.0  # 2024-05-15T19:06:40Z
ANN = Party("ann", "Ann Smith", "701", "79001112233")
BOB = Party("bob", "Bob Brown", "702")
SALES = Group("g_1", "Sales department")
SECRET = b"0123456789abcdef"

_ids = itertools.count(5_000_000_000_000)


def new_call(
    direction: Direction = Direction.IN,
    *,
    at: float = NOW,
    domain_id: int = 1,
    client: str = "79101234567",
    diversion: str = "74957654321",
) -> CallInfo:
    inner = direction is Direction.INNER
    return CallInfo(
        str(next(_ids)),
        domain_id,
        f"d{domain_id}.example",
        direction,
        at,
        "" if inner else client,
        "" if inner else diversion,
        "" if inner else "Main line",
    )


class World:
    """One node of the PBX as history sees it."""

    def __init__(
        self, database: Database, records_dir: Path, node: int = 1, writer: Writer | None = None
    ) -> None:
        self.database = database
        self.writer = writer or Writer(database)
        self.bus = EventBus(self.writer.submit)
        self.encoding = Encoding()
        self.links = RecordingLinks(SECRET)
        self.recorder = HistoryRecorder(node, self.encoding)
        self.bus.subscribe(self.recorder)
        self.history = History(database, self.links, records_dir, self.encoding)

    def call(
        self,
        direction: Direction = Direction.IN,
        status: Status | None = None,
        *,
        at: float = NOW,
        user: Party | None = ANN,
        group: Group | None = None,
        caller: Party | None = None,
        answered_at: float | None = None,
        ended_at: float | None = None,
        client: str = "79101234567",
        diversion: str = "74957654321",
        domain_id: int = 1,
        **more: Any,
    ) -> CallInfo:
        """Publish a whole call: 5 s of waiting, then 23 of talk when it was a success."""
        info = new_call(direction, at=at, client=client, diversion=diversion, domain_id=domain_id)
        status = status or Status.SUCCESS
        if status is Status.SUCCESS and answered_at is None:
            answered_at = at + 5
        ended_at = ended_at or (at + 28 if status is Status.SUCCESS else at + 13)
        self.bus.publish(CallStarted(info, at, user, group, caller))
        self.bus.publish(
            CallEnded(info, ended_at, status, user, group, caller, answered_at, **more)
        )
        return info

    async def journal(self) -> list[Any]:
        await self.writer.flush()
        async with self.database.connect() as connection:
            return list((await connection.execute(select(call_journal))).all())

    async def rows(self) -> list[Any]:
        await self.writer.flush()
        statement = select(call_history).order_by(call_history.c.callid)
        async with self.database.connect() as connection:
            return list((await connection.execute(statement)).all())

    async def external(self, query: Query) -> list[dict[str, Any]]:
        await self.writer.flush()
        return await _parsed(self.history.external_json(query))

    async def inner(self, query: Query) -> list[dict[str, Any]]:
        await self.writer.flush()
        return await _parsed(self.history.inner_json(query))


async def _parsed(pieces: AsyncIterator[bytes]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(b"".join([piece async for piece in pieces]))
    return rows


def query(**more: Any) -> Query:
    """Ask for the calls of domain 1 within a day of NOW, unless told otherwise."""
    domain_id = more.pop("domain_id", 1)
    period = more.pop("period", Period(int((NOW - 43_200) * 1000), int((NOW + 43_200) * 1000)))
    return Query(domain_id, f"d{domain_id}.example", period, **more)


@asynccontextmanager
async def running_world(
    database: Database, records_dir: Path, node: int = 1
) -> AsyncIterator[World]:
    world = World(database, records_dir, node)
    await world.writer.start()
    try:
        yield world
    finally:
        await world.writer.stop()
