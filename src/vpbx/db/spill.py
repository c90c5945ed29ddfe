"""What the end of the process left unwritten: kept in a file, written at the next start.

A line a unit, each a JSON array of `[sql, values]`, as the database's own driver takes them;
before them one that says for which kind of database. Whoever fills the file may have written
some of it to the database all the same (its answer came too late to be heard), and so may a
start that was cut off before it removed the file. So units must not mind being written twice
before anything else is: inserts ignore what is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import structlog
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.pysqlite import dialect as sqlite_dialect

from vpbx.db.batches import Batch
from vpbx.db.database import Database
from vpbx.db.faults import brief, is_passing

__all__ = ["save", "take_up"]

log = structlog.get_logger("vpbx.db")

_PostgresDialect: Any = PGDialect_asyncpg  # untyped
_FORMAT = 1

Statement: TypeAlias = tuple[str, Any]
"""SQL and its values, for the driver."""


def save(path: Path, dialect: str, units: Iterable[Sequence[Batch]]) -> int:
    """Add `units` to the file and see it safely on disk; return how many. Raises OSError.

    A unit that cannot be said in JSON is left out, and logged.
    """
    lines = []
    for unit in units:
        try:
            lines.append(json.dumps(_statements(dialect, unit)))
        except (TypeError, ValueError) as error:
            log.error("a write cannot be kept for the next start", error=brief(error))
    if not lines:
        return 0
    is_new = not path.exists()
    head = [json.dumps({"format": _FORMAT, "dialect": dialect})] if is_new else []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join([*head, *lines, ""]))
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path)
    return len(lines)


async def take_up(path: Path, database: Database) -> int:
    """Write what the file holds, in its order, and remove it; return how many units.

    To be called before anything else is written or read. Raises what the database raises when
    it is away; then the file stays as it is. What it refuses for good is put aside beside the
    file, and logged.
    """
    found = await asyncio.to_thread(_lines, path)
    if not found:
        return 0
    head, *lines = found
    if _dialect_of(head) != database.dialect:
        log.error("writes kept at the last stop are for another kind of database", file=str(path))
        return 0
    refused = []
    for line in lines:
        if not await _write(database, line):
            refused.append(line)
    if refused:
        log.error("some writes of the last run are refused", units=len(refused))
    await asyncio.to_thread(_remove, path, refused)
    return len(lines) - len(refused)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _remove(path: Path, refused: Sequence[str]) -> None:
    if refused:
        with path.with_name(path.name + ".refused").open("a") as file:
            file.write("\n".join([*refused, ""]))
    path.unlink()
    _sync_folder(path)


async def _write(database: Database, line: str) -> bool:
    try:
        statements = [(str(sql), values) for sql, values in json.loads(line)]
    except (TypeError, ValueError):
        return False  # the last line, where the disk was full
    try:
        async with database.begin() as connection:
            for sql, values in statements:
                bound = values if isinstance(values, dict) else tuple(values)
                await connection.exec_driver_sql(sql, bound)
    except Exception as error:
        if is_passing(error):
            raise
        log.error("the database refused a write of the last run", error=brief(error))
        return False
    return True


def _dialect_of(head: str) -> str:
    try:
        kept = json.loads(head)
        return str(kept["dialect"]) if kept["format"] == _FORMAT else ""
    except (TypeError, ValueError, KeyError):
        return ""


def _statements(dialect: str, unit: Sequence[Batch]) -> list[Statement]:
    return [_as_sql(dialect, statement, row) for statement, rows in unit for row in rows]


def _as_sql(dialect: str, statement: Any, row: dict[str, Any]) -> Statement:
    if dialect == "sqlite":
        compiled = statement.compile(
            dialect=sqlite_dialect(paramstyle="named"), column_keys=list(row)
        )
    else:
        compiled = statement.compile(dialect=_PostgresDialect(), column_keys=list(row))
    values = compiled.construct_params(row)
    for bind, name in compiled.bind_names.items():
        make = bind.type.dialect_impl(compiled.dialect).bind_processor(compiled.dialect)
        if make is not None:
            values[name] = make(values[name])
    if compiled.positiontup is None:
        return str(compiled), values
    return str(compiled), [values[name] for name in compiled.positiontup]


def _sync_folder(path: Path) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
