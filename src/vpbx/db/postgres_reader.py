"""Reads on PostgreSQL, by asyncpg itself."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import URL

from vpbx.db.faults import Unavailable
from vpbx.db.prepared import Prepared, Row

_Dialect: Any = PGDialect_asyncpg  # untyped
_CONNECTIONS = 4
_QUIET_S = 1.0
_STATEMENT_S = 10.0


class PostgresReader:
    """A pool of asyncpg's own, which prepares each statement once a connection."""

    def __init__(self, url: URL, patience_s: float | None = None) -> None:
        _, self._connect = _Dialect().create_connect_args(url)
        self._patience_s = patience_s
        if patience_s is not None:
            self._connect["command_timeout"] = _STATEMENT_S
        self._heard_at = -math.inf
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    def prepare(self, statement: Select[Any]) -> Prepared:
        return Prepared.of(statement.compile(dialect=_Dialect()))

    async def read(self, prepared: Prepared, values: Mapping[str, Any]) -> Sequence[Row]:
        bound = {**prepared.fixed, **values}
        arguments = [bound[name] for name in prepared.names]
        async with contextlib.AsyncExitStack() as stack:
            async with asyncio.timeout(self._patience_s):
                pool = self._pool or await self._open()
                connection = await stack.enter_async_context(pool.acquire())
            await self._ping(connection)
            rows: list[Row] = await connection.fetch(prepared.sql, *arguments)
        self._heard_at = time.monotonic()
        return rows

    async def _ping(self, connection: Any) -> None:
        """See whether the database still answers, if it was not heard of for a while."""
        if self._patience_s is None or time.monotonic() - self._heard_at <= _QUIET_S:
            return
        asking = asyncio.ensure_future(connection.execute("SELECT 1"))
        done, _ = await asyncio.wait((asking,), timeout=self._patience_s)
        if not done:
            connection.terminate()  # to cancel the question politely would take as long again
            asking.add_done_callback(_seen)
            raise Unavailable("the database does not answer")
        asking.result()

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


def _seen(asking: asyncio.Future[Any]) -> None:
    if not asking.cancelled():
        asking.exception()


async def _leave(_connection: asyncpg.Connection) -> None:
    """Reset nothing when a connection goes back: a SELECT leaves nothing behind."""
