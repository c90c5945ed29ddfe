"""The connection to a company's database: its driver, pool, and what each session is told."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as SQLAlchemyTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from vpbx.bridge.config import BridgeConfig, BridgeFault

__all__ = ["is_away", "make_engine"]

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "mysql": "mysql+asyncmy",
    "mariadb": "mysql+asyncmy",
    "mssql": "mssql+aioodbc",
    "oracle": "oracle+oracledb",
}
_EXTRAS = {"mysql": "mysql", "mariadb": "mysql", "mssql": "mssql", "oracle": "oracle"}
_RECYCLE_S = 1800


def make_engine(config: BridgeConfig) -> AsyncEngine:
    """Make the pool; nothing is connected yet. BridgeFault says what is wrong with the URL."""
    scheme, colon, rest = config.url.partition("://")
    options: dict[str, Any] = {}
    if not scheme.startswith("sqlite"):
        options = {
            "pool_size": config.pool,
            "max_overflow": 0,
            "pool_timeout": config.statement_timeout_s,
            "pool_recycle": _RECYCLE_S,
        }
    try:
        engine = create_async_engine(f"{_DRIVERS.get(scheme, scheme)}{colon}{rest}", **options)
    except (ArgumentError, NoSuchModuleError) as error:
        raise BridgeFault(f"[database] url: {error}") from error
    except ImportError as error:
        extra = _EXTRAS.get(scheme.partition("+")[0])
        how = f"pip install 'vpbx[{extra}]'" if extra else "pip installs it"
        raise BridgeFault(f"[database] url: its driver is missing ({error}); {how}") from error
    prepare = _PREPARE.get(engine.dialect.name)
    if prepare is not None:
        prepare(engine, config)
    return engine


def is_away(error: BaseException) -> bool:
    """Tell whether the database cannot be asked at all, rather than refuse what it was asked.

    Drivers raise errors of their own while they connect; those of a statement are SQLAlchemy's.
    """
    if not isinstance(error, SQLAlchemyError):
        return True
    if isinstance(error, SQLAlchemyTimeout):  # nothing in the pool is free
        return True
    if not isinstance(error, DBAPIError):
        return False
    locked = isinstance(error, OperationalError) and "database is locked" in str(error.orig)
    connecting = error.statement is None and isinstance(error, OperationalError | InterfaceError)
    return error.connection_invalidated or connecting or locked


def _prepare_sqlite(engine: AsyncEngine, config: BridgeConfig) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        _execute(connection, f"PRAGMA busy_timeout = {int(config.statement_timeout_s * 1000)}")

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE")


def _prepare_postgres(engine: AsyncEngine, config: BridgeConfig) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        _execute(connection, f"SET statement_timeout = {int(config.statement_timeout_s * 1000)}")
        _execute(connection, f"SET TIME ZONE '{config.timezone}'")


def _prepare_mysql(engine: AsyncEngine, config: BridgeConfig) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        seconds = config.statement_timeout_s
        with contextlib.suppress(Exception):  # MySQL's has another name, and knows SELECT only
            _execute(connection, f"SET SESSION max_statement_time = {seconds}")
        if config.timezone == "UTC":
            _execute(connection, "SET SESSION time_zone = '+00:00'")


def _execute(connection: Any, statement: str) -> None:
    cursor = connection.cursor()
    cursor.execute(statement)
    cursor.close()


_PREPARE: dict[str, Callable[[AsyncEngine, BridgeConfig], None]] = {
    "sqlite": _prepare_sqlite,
    "postgresql": _prepare_postgres,
    "mysql": _prepare_mysql,
    "mariadb": _prepare_mysql,
}
