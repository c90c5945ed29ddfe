"""The company's database: statements of the file, each command at most once.

Whatever a command writes goes into one transaction together with a note that it came
(`vpbx_seen`): a bridge that is killed between the commit and its answer is told again, finds
the note, and writes nothing twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from sqlalchemy import (
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    insert,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql.elements import TextClause

from vpbx.bridge.config import OWN_TABLES, BridgeConfig, BridgeFault
from vpbx.bridge.values import MOST_NAMES, identity, values_of

__all__ = ["Away", "Store"]

log = structlog.get_logger("vpbx.bridge")

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "mysql": "mysql+aiomysql",
    "mariadb": "mysql+aiomysql",
}

metadata = MetaData()
seen = Table(
    "vpbx_seen",
    metadata,
    Column("id", String(250), primary_key=True),
    Column("at", DateTime, nullable=False),
)
calls = Table(
    "vpbx_calls",
    metadata,
    Column("callid", String(20), primary_key=True),
    Column("type", String(10)),
    Column("status", String(20)),
    Column("user", String(64)),
    Column("phone", String(40)),
    Column("diversion", String(40)),
    Column("start", DateTime),
    Column("wait", Integer),
    Column("duration", Integer),
    Column("ext", String(20)),
    Column("telnum_name", String(255)),
    Column("link", String(500)),
    Column("rating", Integer),
    Index("ix_vpbx_calls_start", "start"),
    Index("ix_vpbx_calls_phone", "phone", "start"),
)
events = Table(
    "vpbx_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("callid", String(20), nullable=False),
    Column("type", String(20)),
    Column("user", String(64)),
    Column("phone", String(40)),
    Column("direction", String(5)),
    Column("time", DateTime),
    Column("second_callid", String(20)),
    Index("ix_vpbx_events_callid", "callid"),
)
ratings = Table(
    "vpbx_ratings",
    metadata,
    Column("callid", String(20), primary_key=True),
    Column("phone", String(40)),
    Column("user", String(64)),
    Column("rating", Integer),
)
_OWN = {"history": calls, "event": events, "rating": ratings}


class Away(Exception):
    """The database cannot be asked now; the PBX shall send the command again."""


class Store:
    """A database and the statements for it. `open` it before use, `close` it at the end."""

    def __init__(self, config: BridgeConfig) -> None:
        self._config = config
        self._engine: AsyncEngine | None = None
        self._statements: dict[str, TextClause] = {
            command: _statement(command, sql) for command, sql in config.statements.items()
        }
        self._away = False

    async def open(self) -> None:
        """Make the pool; nothing is connected yet. BridgeFault says what is wrong with the URL."""
        scheme, colon, rest = self._config.url.partition("://")
        try:
            self._engine = create_async_engine(
                f"{_DRIVERS.get(scheme, scheme)}{colon}{rest}",
                pool_pre_ping=True,
                **({} if scheme.startswith("sqlite") else {"pool_size": self._config.pool}),
            )
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise BridgeFault(
                f"[database] url: {error}. A driver that is missing is installed by pip."
            ) from error

    async def close(self) -> None:
        """Let all connections go."""
        if self._engine is not None:
            await self._engine.dispose()

    async def init(self) -> list[str]:
        """Make the tables that the file leaves to us, and the note of what came; their names."""
        wanted = [seen, *(_OWN[c] for c in OWN_TABLES if c not in self._config.statements)]
        async with self._transaction() as connection:
            await connection.run_sync(lambda sync: metadata.create_all(sync, tables=wanted))
        return [table.name for table in wanted]

    async def contact(self, fields: Mapping[str, str]) -> dict[str, str]:
        """Return what the company knows of a caller; {} when it takes too long."""
        statement = self._statements.get("contact")
        if statement is None:
            return {}
        try:
            async with asyncio.timeout(self._config.contact_timeout_s):
                async with self._connected() as connection:
                    row = (await connection.execute(statement, _bound(statement, fields))).first()
        except (TimeoutError, SQLAlchemyError, OSError) as error:
            self._tell(error)
            return {}
        self._tell(None)
        if row is None:
            return {}
        found = {name: row._mapping.get(name) for name in ("contact_name", "responsible")}
        return {name: str(value) for name, value in found.items() if value}

    async def write(self, cmd: str, fields: Mapping[str, str]) -> bool:
        """Write a command; False when it has come before. `Away` when that is impossible now."""
        try:
            async with asyncio.timeout(self._config.statement_timeout_s):
                async with self._transaction() as connection:
                    key = identity(cmd, fields)
                    if await connection.scalar(select(seen.c.id).where(seen.c.id == key)):
                        return False
                    await self._carry_out(connection, cmd, fields)
                    now = values_of({"time": ""})["time"] or _now()
                    await connection.execute(insert(seen), {"id": key, "at": now})
        except IntegrityError as error:
            if "vpbx_seen" in str(error.orig):
                return False  # the same command, at the same moment
            log.error("the database refuses a command", cmd=cmd, error=str(error.orig))
            raise Away(str(error.orig)) from error
        except (TimeoutError, SQLAlchemyError, OSError) as error:
            self._tell(error)
            raise Away(_reason(error)) from error
        self._tell(None)
        return True

    async def try_out(self, cmd: str, fields: Mapping[str, str]) -> list[dict[str, Any]]:
        """Carry a statement out and undo it; return the rows it gave. SQLAlchemyError: why not."""
        async with self._connected() as connection:
            transaction = await connection.begin()
            try:
                return await self._carry_out(connection, cmd, fields)
            finally:
                await transaction.rollback()

    async def _carry_out(
        self, connection: AsyncConnection, cmd: str, fields: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        statement = self._statements.get(cmd)
        if statement is not None:
            result = await connection.execute(statement, _bound(statement, fields))
            return (
                [dict(row._mapping) for row in result.fetchmany(5)] if result.returns_rows else []
            )
        table = _OWN.get(cmd)
        if table is not None:
            values = values_of(fields)
            row = {c.name: values[c.name] for c in table.columns if c.name in values}
            if "callid" in table.primary_key.columns:
                await connection.execute(table.delete().where(table.c.callid == row["callid"]))
            await connection.execute(insert(table), row)
        return []

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        assert self._engine is not None
        async with self._engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        assert self._engine is not None
        async with self._engine.connect() as connection:
            yield connection

    def _tell(self, error: BaseException | None) -> None:
        """Tell once that the database is away, and once that it is back."""
        if error is not None and not self._away:
            log.warning("the company's database does not answer", error=_reason(error))
        elif error is None and self._away:
            log.info("the company's database answers again")
        self._away = error is not None


def _now() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC).replace(tzinfo=None)


def _reason(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error) or type(error).__name__


def _statement(command: str, sql: str) -> TextClause:
    statement = text(sql)
    unknown = _names(statement) - set(MOST_NAMES)
    if unknown:
        known = ", ".join(f":{name}" for name in MOST_NAMES)
        raise BridgeFault(
            f"[{command}] sql: :{min(unknown)} is told by no command; there are {known}"
        )
    return statement.bindparams(*(bindparam(name) for name in _names(statement)))


def _names(statement: TextClause) -> set[str]:
    return set(statement._bindparams)


def _bound(statement: TextClause, fields: Mapping[str, str]) -> dict[str, Any]:
    values = values_of(fields)
    return {name: values[name] for name in _names(statement)}


Rows = Sequence[Mapping[str, Any]]
