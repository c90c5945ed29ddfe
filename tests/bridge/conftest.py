"""A company's database, on each dialect in turn, and the bridge to it over real HTTP."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.support.ports import free_port
from vpbx.bridge import Store, make_app, read

TOKEN = "bridge-token"


@dataclass
class Bridge:
    """A running bridge; `tell` is the PBX, `rows` the company's own programs."""

    file: Path
    url: str
    port: int
    tables: dict[str, str] = field(default_factory=dict)

    async def start(self) -> None:
        self.config = read(self.file)
        self.store = Store(self.config)
        await self.store.open()
        self.server = uvicorn.Server(
            uvicorn.Config(
                make_app(self.config, self.store),
                port=self.port,
                log_config=None,
                lifespan="off",
            )
        )
        self.serving = asyncio.create_task(self.server.serve())
        async with asyncio.timeout(30):
            while not self.server.started:
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self.server.should_exit = True
        await self.serving
        await self.store.close()

    async def tell(self, cmd: str, *, token: str = TOKEN, **fields: str) -> tuple[int, Any]:
        data = {"cmd": cmd, "crm_token": token, **fields}
        url = f"http://127.0.0.1:{self.port}/pbx"
        async with aiohttp.ClientSession() as session, session.post(url, data=data) as got:
            return got.status, await got.json()

    async def sql(self, *statements: str) -> list[dict[str, Any]]:
        """Do what the company's own programs do; return the rows of the last statement."""
        engine = create_async_engine(self.url)
        found: list[dict[str, Any]] = []
        async with engine.begin() as connection:
            for statement in statements:
                result = await connection.execute(text(statement))
                if result.returns_rows:
                    found = [dict(row._mapping) for row in result]
        await engine.dispose()
        return found


DATABASES = ("sqlite", "postgresql", "mariadb")


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, on each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'crm.sqlite3'}"
    name = f"crm_{uuid.uuid4().hex[:16]}"
    if request.param == "mariadb":
        server = request.getfixturevalue("mariadb_server")
        server.sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        return str(server.url(name)).replace("mariadb://", "mysql+asyncmy://")
    server = request.getfixturevalue("postgres_server")
    server.sql(f"CREATE DATABASE {name} TEMPLATE template0")
    return str(server.url(name)).replace("postgresql://", "postgresql+asyncpg://")


@pytest.fixture
async def bridge(empty_url: str, tmp_path: Path) -> Bridge:
    """A bridge with our tables only, on an empty database."""
    made = Bridge(tmp_path / "bridge.toml", empty_url, free_port())
    write(made, "")
    store = Store(read(made.file))
    await store.open()
    await store.init()
    await store.close()
    return made


def write(bridge: Bridge, more: str) -> None:
    bridge.file.write_text(
        f'[database]\nurl = "{bridge.url}"\n\n'
        f'[receiver]\nlisten = "127.0.0.1:{bridge.port}"\ntoken = "{TOKEN}"\n\n{more}'
    )
