"""Reads on PostgreSQL, by asyncpg itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import URL

from vpbx.db.reader import Prepared, Row

_Dialect: Any = PGDialect_asyncpg  # untyped
_CONNECTIONS = 4


class PostgresReader:
    """A pool of asyncpg's own, which prepares each statement once a connection."""

    def __init__(self, url: URL) -> None:
        _, self._connect = _Dialect().create_connect_args(url)
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    def prepare(self, statement: Select[Any]) -> Prepared:
        return Prepared.of(statement.compile(dialect=_Dialect()))

    async def read(self, prepared: Prepared, values: Mapping[str, Any]) -> Sequence[Row]:
        pool = self._pool or await self._open()
        bound = {**prepared.fixed, **values}
        rows: list[Row] = await pool.fetch(prepared.sql, *[bound[name] for name in prepared.names])
        return rows

    async def _open(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    min_size=0, max_size=_CONNECTIONS, reset=_leave, **self._connect
                )
            return self._pool

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await pool.close()


async def _leave(_connection: asyncpg.Connection) -> None:
    """Reset nothing when a connection goes back: a SELECT leaves nothing behind."""
