"""A CRM on real HTTP that behaves as told, and the parts that send to it."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy import select

from vpbx.clock import Clock, LoopClock
from vpbx.crm import CrmClient, CrmRecorder, Formats, Outbox, OutboxConfig, crm_outbox
from vpbx.crm.commands import Fields
from vpbx.db import Database, Writer
from vpbx.directory import Department, DomainConfig, Employee, Integration, Member, Number, Role
from vpbx.events import CallInfo, Direction, EventBus, Group, Party

NOW = 1_715_800_000.0  # 2024-05-15T19:06:40Z
TOKEN = "d47f9e88-cbe3-4961-8deb-ce55c169f40c"
ANN = Party("ann", "Ann Smith", "701", "79001112233")
BOB = Party("bob", "Bob Brown", "702")
SALES = Group("g_1", "Sales department")

_ids = itertools.count(7_000_000_000_000)

Behaviour = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


async def accept(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
    return web.json_response({})


def status(code: int) -> Behaviour:
    """A CRM that answers everything with `code`."""

    async def behave(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
        return web.Response(status=code, headers={"Location": "/elsewhere"} if code > 299 else None)

    return behave


async def hang(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
    await asyncio.sleep(3600)
    raise AssertionError


async def close(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response(status=500)


async def json_only(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
    return web.Response(status=200 if request.content_type == "application/json" else 415)


class Crm:
    """A receiver of commands; `behave` says what it does with each."""

    def __init__(self, behave: Behaviour = accept) -> None:
        self.behave = behave
        self.came: list[dict[str, Any]] = []
        """Everything that arrived, in order; with `_type` and `_status` of HTTP."""
        self.taken: list[dict[str, Any]] = []
        """What was answered 2xx."""
        self.connections: set[Any] = set()
        self.busy = 0
        self.most_busy = 0
        self.url = ""
        self._news = asyncio.Event()

    async def __aenter__(self) -> Crm:
        app = web.Application()
        app.router.add_post("/crm", self._take)
        app.router.add_route("*", "/elsewhere", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.01)
        await self._runner.setup()
        await self.up()
        return self

    async def up(self, port: int = 0) -> None:
        self._site = web.TCPSite(self._runner, "127.0.0.1", port)
        await self._site.start()
        host, self.port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{self.port}/crm"

    async def down(self) -> None:
        await self._site.stop()

    async def __aexit__(self, *exc: object) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            self.connections.add(request.transport)
            raw = await request.read()
            if request.content_type == "application/json":
                fields = json.loads(raw)
            else:
                fields = dict(await request.post())
            seen = {**fields, "_type": request.content_type, "_path": request.path}
            self.came.append(seen)
            self._news.set()
            answer = await self.behave(request, fields)
            seen["_status"] = answer.status
            if 200 <= answer.status < 300:
                self.taken.append(fields)
                self._news.set()
            return answer
        finally:
            self.busy -= 1

    async def until(self, ready: Callable[[], bool], timeout_s: float = 30) -> None:
        """Wait until `ready`, looked at whenever something arrives."""
        async with asyncio.timeout(timeout_s):
            while not ready():
                self._news.clear()
                await self._news.wait()
                await asyncio.sleep(0)

    async def takes(self, count: int) -> list[dict[str, Any]]:
        await self.until(lambda: len(self.taken) >= count)
        return self.taken


def integration(url: str, **more: Any) -> Integration:
    return replace(Integration(url, TOKEN), **more)


def domain(settings: Integration | None, domain_id: int = 1, **more: Any) -> DomainConfig:
    """A company of three, a department and a number."""
    admin = Employee(1, "admin", "700", "Boss", role=Role.ADMIN)
    ann = Employee(2, "ann", "701", "Ann Smith", telnum="79001112233")
    bob = Employee(3, "bob", "702", "Bob Brown")
    sales = Department(1, "g_1", "Sales department", "800", members=(Member("bob"), Member("ann")))
    return DomainConfig(
        id=domain_id,
        name=f"d{domain_id}.example",
        timezone="UTC",
        zone=ZoneInfo("UTC"),
        country="RU",
        language="en",
        enabled=True,
        revision=1,
        employees=MappingProxyType({e.login: e for e in (admin, ann, bob)}),
        by_ext=MappingProxyType({"700": admin, "701": ann, "702": bob, "800": sales}),
        departments=MappingProxyType({"g_1": sales}),
        numbers=MappingProxyType({"74957654321": Number("74957654321", user="ann")}),
        integration=settings,
        main_telnum="74957654321",
        **more,
    )


def new_call(direction: Direction = Direction.IN, domain_id: int = 1, **more: Any) -> CallInfo:
    info = CallInfo(
        str(next(_ids)),
        domain_id,
        f"d{domain_id}.example",
        direction,
        NOW,
        "79101234567",
        "74957654321",
        "Main line",
    )
    return replace(info, **more)


class Node:
    """What of a server has to do with CRMs."""

    def __init__(
        self,
        database: Database,
        settings: dict[int, Integration | None],
        *,
        clock: Clock | None = None,
        config: OutboxConfig | None = None,
        timeout_s: float = 10.0,
        node: int = 1,
    ) -> None:
        self.database = database
        self.settings = settings
        self.writer = Writer(database)
        self.learned: list[tuple[int, str]] = []
        self.formats = Formats(lambda domain_id, form, _: self.learned.append((domain_id, form)))
        self.client = CrmClient(self.formats, timeout_s=timeout_s)
        self.outbox = Outbox(
            database,
            self.writer,
            self.client,
            self._settings,
            node=node,
            clock=clock or LoopClock(),
            config=config,
        )
        self.recorder = CrmRecorder(
            self.outbox, self._domain, lambda call: f"https://{call.domain}/r/{call.callid}.mp3"
        )
        self.bus = EventBus(self.writer.submit)
        self.bus.subscribe(self.recorder)

    async def _settings(self, domain_id: int) -> Integration | None:
        return self.settings.get(domain_id)

    def _domain(self, name: str) -> DomainConfig | None:
        domain_id = int(name.removeprefix("d").partition(".")[0])
        return domain(self.settings.get(domain_id), domain_id)

    def put(self, callid: str, number: int = 0, domain_id: int = 1) -> None:
        """Put a command into the outbox and commit it."""
        fields: Fields = {"cmd": "event", "callid": callid, "number": number}
        self.writer.submit(self.outbox.put(domain_id, fields))

    async def start(self) -> None:
        await self.writer.start()
        await self.client.start()
        await self.outbox.start()

    async def stop(self, timeout_s: float = 2.0) -> None:
        await self.outbox.stop(timeout_s)
        await self.client.close()
        await self.writer.stop()

    async def kill(self) -> None:
        """End as if killed: nothing more is sent or written."""
        self.writer.submit = lambda writes: None  # type: ignore[method-assign]
        await self.outbox.stop(0)
        await self.client.close()
        await self.writer.stop()

    async def rows(self) -> list[Any]:
        await self.writer.flush()
        async with self.database.connect() as connection:
            return list(
                (await connection.execute(select(crm_outbox).order_by(crm_outbox.c.id))).all()
            )

    async def until_rows(self, count: int) -> list[Any]:
        """Wait until the outbox has `count` rows."""
        async with asyncio.timeout(30):
            while len(rows := await self.rows()) != count:
                await asyncio.sleep(0.01)
        return rows


@asynccontextmanager
async def running_node(
    database: Database, settings: dict[int, Integration | None], **more: Any
) -> AsyncIterator[Node]:
    node = Node(database, settings, **more)
    await node.start()
    try:
        yield node
    finally:
        await node.stop(0)
