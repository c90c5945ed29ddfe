"""A CRM that takes commands of the API (crm-api §2) over real HTTP, and remembers them.

It can be told to behave badly, as CRMs do: answer with an error, never answer, close the
connection, understand JSON only, or be gone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from vpbx.sim.bell import Bell

__all__ = ["Command", "Crm"]


@dataclass(frozen=True, slots=True)
class Command:
    """One command as it arrived."""

    cmd: str
    fields: Mapping[str, str]
    """Everything sent but `cmd` and `crm_token`, as text."""
    token: str
    content_type: str
    at: float
    """Seconds since 1970-01-01 UTC."""
    status: int
    """What the CRM answered; 0 when it closed the connection instead."""

    def __getitem__(self, field: str) -> str:
        return self.fields[field]

    def get(self, field: str, default: str = "") -> str:
        return self.fields.get(field, default)

    def __str__(self) -> str:
        return " ".join([self.cmd, *(f"{name}={value}" for name, value in self.fields.items())])


class Crm:
    """`async with Crm(token="…") as crm:` then give `crm.url` to the integration.

    `commands` holds what was accepted (answered 2xx), `attempts` everything that arrived.
    """

    def __init__(
        self,
        *,
        token: str = "",
        host: str = "127.0.0.1",
        port: int = 0,
        contacts: Mapping[str, tuple[str, str]] | None = None,
        on_command: Callable[[Command], None] | None = None,
    ) -> None:
        self.token = token
        """When set, commands with another one are answered 401."""
        self.host = host
        self.port = port
        self.contacts = dict(contacts or {})
        """phone → (contact_name, responsible)."""
        self.on_command = on_command
        self.commands: list[Command] = []
        self.attempts: list[Command] = []
        self.json_only = False
        self.delay_s = 0.0
        self._bell = Bell()
        self._status = 200
        self._hanging: asyncio.Event | None = None
        self._dropping = False
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/crm"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; after `stop`, on the same port again."""
        app = web.Application()
        app.router.add_post("/crm", self._receive)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Be gone: connections are refused."""
        if self._hanging is not None:
            self._hanging.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def answer_with(self, status: int) -> None:
        """Answer this status from now on."""
        self.recover()
        self._status = status

    def hang(self) -> None:
        """Take commands and never answer."""
        self.recover()
        self._hanging = asyncio.Event()

    def drop(self) -> None:
        """Close the connection instead of answering."""
        self.recover()
        self._dropping = True

    def recover(self) -> None:
        """Behave well again."""
        self._status, self._dropping = 200, False
        if self._hanging is not None:
            self._hanging.set()
            self._hanging = None

    def of(self, cmd: str, **fields: str) -> list[Command]:
        """Return the accepted commands `cmd` that have these field values, oldest first."""
        return [
            command
            for command in self.commands
            if command.cmd == cmd and all(command.get(name) == fields[name] for name in fields)
        ]

    async def received(
        self, cmd: str, *, count: int = 1, timeout_s: float = 20.0, **fields: str
    ) -> Command:
        """Wait for the `count`-th such command; TimeoutError says what came instead."""

        def look() -> Command | None:
            found = self.of(cmd, **fields)
            return found[count - 1] if len(found) >= count else None

        def missing() -> str:
            came = "; ".join(map(str, self.commands)) or "nothing"
            return f"no {cmd} {fields or ''} reached the CRM; what came: {came}"

        return await self._bell.until(look, timeout_s, missing)

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        fields = await _fields_of(request)
        token = fields.pop("crm_token", "")
        status = self._status_for(request, token)
        hanging = self._hanging
        command = Command(
            cmd=fields.pop("cmd", ""),
            fields=fields,
            token=token,
            content_type=request.content_type,
            at=time.time(),
            status=0 if hanging is not None or self._dropping else status,
        )
        self._remember(command)
        if hanging is not None:
            await hanging.wait()
            return web.Response(status=503)
        if self._dropping:
            if request.transport is not None:
                request.transport.close()
            return web.Response(status=500)
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if command.cmd == "contact" and status == 200:
            return web.json_response(self._contact(command.get("phone")))
        return web.json_response({}, status=status)

    def _status_for(self, request: web.Request, token: str) -> int:
        if self.token and token != self.token:
            return 401
        if self.json_only and request.content_type != "application/json":
            return 415
        return self._status

    def _remember(self, command: Command) -> None:
        self.attempts.append(command)
        if 200 <= command.status < 300:
            self.commands.append(command)
            if self.on_command is not None:
                self.on_command(command)
        self._bell.ring()

    def _contact(self, phone: str) -> dict[str, str]:
        if phone not in self.contacts:
            return {}
        name, responsible = self.contacts[phone]
        return {"contact_name": name, "responsible": responsible}


async def _fields_of(request: web.Request) -> dict[str, str]:
    if request.content_type == "application/json":
        body: Any = await request.json()
        return {str(name): str(value) for name, value in body.items()}
    return {name: str(value) for name, value in (await request.post()).items()}
