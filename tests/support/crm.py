"""A CRM on real HTTP: takes every command, answers as told, remembers all of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web


class Receiver:
    """An HTTP server for the commands of crm-api §2; `async with` starts and ends it."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._host = host
        self.commands: list[dict[str, str]] = []
        self.status = 200
        self.contact: dict[str, str] = {}
        self.asks: Callable[[dict[str, str]], Awaitable[None]] | None = None
        """What it does with a command before it answers."""
        self.asking = 0
        """How many commands it is about to answer."""
        self.url = ""
        self._news = asyncio.Event()

    async def __aenter__(self) -> Receiver:
        app = web.Application()
        app.router.add_post("/crm", self._take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/crm"
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        if request.content_type == "application/json":
            fields = {name: str(value) for name, value in (await request.json()).items()}
        else:
            fields = {name: str(value) for name, value in (await request.post()).items()}
        if self.status != 200:
            return web.Response(status=self.status)
        self.commands.append(fields)
        self._news.set()
        if self.asks is not None:
            self.asking += 1
            await self.asks(fields)
            self.asking -= 1
            self._news.set()
        body = self.contact if fields.get("cmd") == "contact" else {}
        return web.Response(text=json.dumps(body), content_type="application/json")

    def of(self, cmd: str, **fields: str) -> list[dict[str, str]]:
        """Return the commands `cmd` that came with these fields."""
        return [
            command
            for command in self.commands
            if command.get("cmd") == cmd and fields.items() <= command.items()
        ]

    async def gets(self, cmd: str, *, timeout_s: float = 30, **fields: str) -> dict[str, str]:
        """Wait for a command `cmd` with these fields and return the first of them."""
        found = await self.until(lambda: self.of(cmd, **fields), timeout_s=timeout_s)
        return found[0]

    async def until(self, check: Callable[[], Any], *, timeout_s: float = 30) -> Any:
        """Wait until `check()` is true of what has come so far; return what it returned."""

        async def wait() -> Any:
            while not (result := check()):
                self._news.clear()
                await self._news.wait()
            return result

        try:
            return await asyncio.wait_for(wait(), timeout_s)
        except TimeoutError:
            raise AssertionError(f"the CRM got only {self.commands}") from None
