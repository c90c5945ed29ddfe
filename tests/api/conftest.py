"""A company on a real server: directory and history on SQLite, the API under uvicorn.

`api` asks over real HTTP, and holds every answer against the model its operation documents.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
import uvicorn
from pydantic import TypeAdapter

from vpbx.api import PREFIX, ApiConfig, ApiServices, create_app
from vpbx.api.models import Error
from vpbx.api.operation import Operation
from vpbx.api.sections import SECTIONS
from vpbx.clock import LoopClock
from vpbx.db import Database
from vpbx.directory import Directory, DomainConfig, Secrets
from vpbx.history import Encoding, History, RecordingLinks

DOMAIN = "acme.vpbx.example"


class Answer:
    """What came back."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Api:
    """A client of the server under test."""

    base: str
    key: str
    session: aiohttp.ClientSession
    host: str = DOMAIN

    async def __call__(
        self, method: str, path: str, *, key: str | None = "", host: str = "", **kwargs: Any
    ) -> Answer:
        headers = {"Host": host or self.host, **kwargs.pop("headers", {})}
        if key is not None:
            headers["X-API-KEY"] = key or self.key
        if isinstance(kwargs.get("params"), dict):
            kwargs["params"] = {k: str(v) for k, v in kwargs["params"].items()}
        url = self.base + PREFIX + path
        async with self.session.request(method, url, headers=headers, **kwargs) as reply:
            answer = Answer(reply.status, reply.headers, await reply.read())
        hold(method, path.partition("?")[0], answer)
        return answer

    async def get(self, path: str, **kwargs: Any) -> Any:
        """GET and return what 200 bore."""
        return await self._well("GET", path, kwargs)

    async def post(self, path: str, **kwargs: Any) -> Any:
        """POST and return what 200 bore, None for 204."""
        return await self._well("POST", path, kwargs)

    async def put(self, path: str, **kwargs: Any) -> Any:
        """PUT and return what 200 bore."""
        return await self._well("PUT", path, kwargs)

    async def delete(self, path: str, **kwargs: Any) -> Any:
        """DELETE, which answers 204."""
        return await self._well("DELETE", path, kwargs)

    async def _well(self, method: str, path: str, kwargs: Any) -> Any:
        answer = await self(method, path, **kwargs)
        assert answer.status in (200, 204), (answer.status, answer.body)
        return answer.json() if answer.status == 200 else None

    async def refused(self, method: str, path: str, status: int = 400, **kwargs: Any) -> set[str]:
        """Ask for something that is refused; return the fields that are named."""
        answer = await self(method, path, **kwargs)
        assert answer.status == status, (answer.status, answer.body)
        return {error["field"] for error in answer.json().get("errors", ())}


def hold(method: str, path: str, answer: Answer) -> None:
    """Hold an answer against the model its operation documents."""
    if answer.status == 204:
        assert answer.body == b""
        operation = find(method, path)
        assert operation is None or operation.answer is None, f"{method} {path} answers 200"
    elif answer.status == 200:
        operation = find(method, path)
        if operation is not None:
            assert operation.answer is not None, f"{method} {path} answers 204"
            assert answer.headers["Content-Type"].startswith(operation.media_type)
            if operation.media_type == "application/json":
                TypeAdapter(operation.answer).validate_json(answer.body)
    elif method != "HEAD" and answer.status >= 400 and answer.status != 416:
        Error.model_validate_json(answer.body)
        assert ("errors" in answer.json()) == (answer.status == 400)


def find(method: str, path: str) -> Operation | None:
    for section in SECTIONS:
        for operation in section.operations:
            pattern = re.sub(r"\{\w+\}", "[^/]+", operation.path)
            if operation.method == method and re.fullmatch(pattern, path):
                return operation
    return None


@dataclass
class World:
    """The parts behind the API."""

    database: Database
    directory: Directory
    history: History
    records_dir: Path
    services: ApiServices
    encoding: Encoding = field(default_factory=Encoding)

    async def domain(self, name: str = DOMAIN) -> DomainConfig:
        found = await self.directory.domain(name)
        assert found is not None
        return found

    async def key(self, *rights: str, domain: str = DOMAIN) -> str:
        """Add a key with these rights (none given: all) and return it."""
        return (await self.directory.keys.add(await self.domain(domain), list(rights) or None)).key


class Server:
    """uvicorn on a free port of loopback, in this loop."""

    def __init__(self, app: Any) -> None:
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                timeout_graceful_shutdown=1,
            )
        )

    async def __aenter__(self) -> str:
        # With the protocol named asyncio switches Nagle's algorithm off.
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.bind(("127.0.0.1", 0))
        self._sockets = [bound]
        config = self._server.config
        config.load()
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup(sockets=self._sockets)
        return f"http://127.0.0.1:{bound.getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        await self._server.shutdown(sockets=self._sockets)


@asynccontextmanager
async def found_world(database: Database, folder: Path) -> AsyncIterator[World]:
    """Put a server's directory and history with one company in it on an empty database."""
    directory = Directory(database, secrets=Secrets.from_file(folder / "secret.key"))
    await directory.start()
    encoding = Encoding()
    links = RecordingLinks(b"0123456789abcdef")
    history = History(database, links, folder / "records", encoding)
    calls: Any = SimpleNamespace(
        active=lambda domain_id: [], hang_up=lambda domain, callid: False
    )  # the calls part has tests of its own
    services = ApiServices(directory, history, calls, LoopClock(), ApiConfig(recording_wait_s=5))
    await directory.companies.add(DOMAIN, password="Secret-pass-1")
    yield World(database, directory, history, folder / "records", services, encoding)
    await directory.stop()


@pytest.fixture
async def world(sqlite_database: Database, tmp_path: Path) -> AsyncIterator[World]:
    """A server's directory and history with one company in it."""
    async with found_world(sqlite_database, tmp_path) as found:
        yield found


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    """A client with a key of all rights."""
    async with (
        Server(create_app(world.services)) as base,
        aiohttp.ClientSession() as session,
    ):
        yield Api(base, await world.key(), session)
