"""The company's database: statements of the file, each command at most once.

Whatever a command writes goes into one transaction together with a note that it came
(`vpbx_seen`): a bridge that is killed between the commit and its answer is told again, finds
the note, and writes nothing twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy import bindparam, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from vpbx.bridge.config import BridgeConfig
from vpbx.bridge.engine import is_away, make_engine
from vpbx.bridge.gather import Away, Gatherer, Job
from vpbx.bridge.metrics import Metrics
from vpbx.bridge.statements import Statement, read_statement
from vpbx.bridge.tables import OWN, customers, make, seen
from vpbx.bridge.values import MOST_NAMES, identity, values_of

__all__ = ["Away", "Store"]

log = structlog.get_logger("vpbx.bridge")

_WRITERS = 4
"""Transactions at a time; what more there is in the pool is for contact."""
_REMEMBERED = 1000
_EXPLAIN = {
    "sqlite": "EXPLAIN QUERY PLAN ",
    "postgresql": "EXPLAIN (COSTS OFF) ",
    "mysql": "EXPLAIN ",
    "mariadb": "EXPLAIN ",
}
_SEEN = select(seen.c.id).where(seen.c.id.in_(bindparam("keys", expanding=True)))
_NOTE = insert(seen)
_INTO = {cmd: insert(table) for cmd, table in OWN.items() if cmd != "contact"}
_COLUMNS = {
    cmd: tuple(c.name for c in table.c if c.name in MOST_NAMES) for cmd, table in OWN.items()
}
_BEFORE = {
    cmd: table.delete().where(table.c.callid.in_(bindparam("keys", expanding=True)))
    for cmd, table in OWN.items()
    if "callid" in table.primary_key.columns
}
_CUSTOMER = select(
    customers.c.name.label("contact_name"), customers.c.responsible.label("responsible")
).where(customers.c.phone == bindparam("phone"))
_WHOLE_TABLE = ("SCAN ", "Seq Scan", "'ALL'")


class Store:
    """A database and the statements for it. `open` it before use, `close` it at the end."""

    def __init__(self, config: BridgeConfig, registry: CollectorRegistry | None = None) -> None:
        self._config = config
        self._zone = ZoneInfo(config.timezone)
        self._statements: dict[str, Statement] = {
            command: read_statement(command, sql) for command, sql in config.statements.items()
        }
        self._away = False
        self._refused: dict[str, None] = {}
        self.engine: AsyncEngine
        writers = 1 if config.url.startswith("sqlite") else max(1, min(_WRITERS, config.pool - 1))
        self._gatherer = Gatherer(
            self._write_all, writers=writers, timeout_s=config.statement_timeout_s
        )
        self._metrics = Metrics(
            registry if registry is not None else CollectorRegistry(),
            lambda: self._gatherer.waiting,
            lambda: self._away,
        )

    async def open(self) -> None:
        """Make the pool; nothing is connected yet. BridgeFault says what is wrong with the URL."""
        self.engine = make_engine(self._config)
        self._reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    async def close(self) -> None:
        """Write what waits, and let all connections go."""
        await self._gatherer.stop()
        await self.engine.dispose()

    async def init(self) -> list[str]:
        """Make the tables that the file leaves to us, the note of what came, and the view of
        calls; their names."""
        async with self.engine.begin() as connection:
            has_sheet = self._config.sheet is not None
            return await connection.run_sync(make, self._statements, sheet=has_sheet)

    async def contact(self, fields: Mapping[str, str]) -> dict[str, str]:
        """Return what the company knows of a caller; {} when it takes too long."""
        began_at = time.monotonic()
        try:
            async with asyncio.timeout(self._config.contact_timeout_s):
                try:
                    row = await self._look_up(fields)
                except Exception as error:
                    if not is_away(error):
                        raise
                    row = await self._look_up(fields)  # the connection had been idle too long
        except Exception as error:  # drivers have their own, while they connect
            self._tell(error)
            self._metrics.tell("contact", "late", time.monotonic() - began_at)
            return {}
        self._tell(None)
        told = _told(row) if row else {}
        result = "found" if told else "unknown"
        self._metrics.tell("contact", result, time.monotonic() - began_at)
        return told

    async def write(self, cmd: str, fields: Mapping[str, str]) -> bool:
        """Write a command; False when it has come before. `Away` when that is impossible now."""
        began_at = time.monotonic()
        result = "refused"
        try:
            new = await self._gatherer.put(cmd, fields)
            result = "written" if new else "repeated"
            self._tell(None)
            return new
        except Away as away:
            self._tell(away)
            raise
        except Exception as error:
            self._tell_refused(cmd, fields, error)
            raise Away(_reason(error)) from error
        finally:
            self._metrics.tell(cmd, result, time.monotonic() - began_at)

    async def write_many(self, cmd: str, rows: Sequence[Mapping[str, str]]) -> int:
        """Write many commands; how many of them were new."""
        written = await asyncio.gather(
            *(self.write(cmd, row) for row in rows), return_exceptions=True
        )
        for each in written:
            if isinstance(each, BaseException):
                raise each
        return sum(each is True for each in written)

    async def finished_days(self, cloud: str) -> frozenset[date]:
        """Return the days whose history an import need not ask for again; `cloud` tells one
        company's cloud from another. `Away` says why that cannot be known."""
        prefix = _day_key(cloud, "")
        try:
            async with self._reading.connect() as connection:
                found = await connection.scalars(
                    select(seen.c.id).where(seen.c.id.like(f"{prefix}%"))
                )
                return frozenset(date.fromisoformat(key.removeprefix(prefix)) for key in found)
        except Exception as error:
            raise Away(_reason(error)) from error

    async def finish_day(self, cloud: str, day: date) -> None:
        """Note that a day's history is here as a whole; noted already, nothing changes."""
        key = _day_key(cloud, day.isoformat())
        now = datetime.now(UTC).replace(tzinfo=None)
        try:
            async with self.engine.begin() as connection:
                if not (await connection.scalars(_SEEN, {"keys": [key]})).first():
                    await connection.execute(_NOTE, {"id": key, "at": now})
        except Exception as error:
            raise Away(_reason(error)) from error

    async def try_out(self, cmd: str, fields: Mapping[str, str]) -> list[dict[str, Any]]:
        """Carry a statement out and undo it; return the rows it gave. `Away` says why not."""
        try:
            async with self.engine.connect() as connection:
                transaction = await connection.begin()
                try:
                    if cmd == "contact":
                        row = await self._ask(connection, fields)
                        return [row] if row else []
                    await self._carry_out(connection, cmd, [fields])
                    return []
                finally:
                    await transaction.rollback()
        except Exception as error:
            raise Away(_reason(error)) from error

    async def explain(self, cmd: str, fields: Mapping[str, str]) -> tuple[str, bool]:
        """Return the database's plan for a statement of the file, and whether it looks through a
        whole table; "" where there is none."""
        statement, prefix = self._statements.get(cmd), _EXPLAIN.get(self.engine.dialect.name)
        if statement is None or prefix is None:
            return "", False
        explained = text(prefix + statement.clause.text).bindparams(
            *statement.clause._bindparams.values()
        )
        async with self._reading.connect() as connection:
            rows = await connection.execute(explained, statement.bound(fields, self._zone))
            plan = "; ".join(" ".join(map(str, row)) for row in rows)
            whole = any(word in plan or word.strip("'") in plan.split() for word in _WHOLE_TABLE)
        return plan, whole

    def shown(self, cmd: str, fields: Mapping[str, str]) -> dict[str, Any]:
        """Return the values that a command gives its statement, or its row in our table."""
        statement = self._statements.get(cmd)
        if statement is not None:
            return statement.bound(fields, self._zone)
        return values_of(fields, self._zone, ("phone",) if cmd == "contact" else _COLUMNS[cmd])

    # --- inside --------------------------------------------------------------------------

    async def _look_up(self, fields: Mapping[str, str]) -> Mapping[str, Any] | None:
        async with self._reading.connect() as connection:
            return await self._ask(connection, fields)

    async def _ask(
        self, connection: AsyncConnection, fields: Mapping[str, str]
    ) -> dict[str, Any] | None:
        statement = self._statements.get("contact")
        if statement is not None:
            result = await connection.execute(statement.clause, statement.bound(fields, self._zone))
        else:
            result = await connection.execute(_CUSTOMER, {"phone": fields.get("phone", "")})
        row = result.first()
        return dict(row._mapping) if row is not None else None

    async def _write_all(self, jobs: Sequence[Job]) -> list[bool]:
        """Write commands in one transaction; where the connection was lost, once more."""
        try:
            return await self._transaction(jobs)
        except Exception as error:
            if not is_away(error):
                raise
        try:
            return await self._transaction(jobs)
        except Exception as error:
            if is_away(error):
                raise Away(_reason(error)) from error
            raise

    async def _transaction(self, jobs: Sequence[Job]) -> list[bool]:
        keys = [identity(job.cmd, job.fields) for job in jobs]
        now = datetime.now(UTC).replace(tzinfo=None)
        async with self.engine.begin() as connection:
            known = set(await connection.scalars(_SEEN, {"keys": _padded(keys)}))
            new: list[bool] = []
            for key in keys:
                new.append(key not in known)
                known.add(key)
            fresh = [job for job, is_new in zip(jobs, new, strict=True) if is_new]
            for cmd, group in itertools.groupby(fresh, key=lambda job: job.cmd):
                await self._carry_out(connection, cmd, [job.fields for job in group])
            notes = [
                {"id": key, "at": now} for key, is_new in zip(keys, new, strict=True) if is_new
            ]
            if notes:
                await connection.execute(_NOTE, notes)
        return new

    async def _carry_out(
        self, connection: AsyncConnection, cmd: str, commands: Sequence[Mapping[str, str]]
    ) -> None:
        statement = self._statements.get(cmd)
        if statement is not None:
            bound = [statement.bound(fields, self._zone) for fields in commands]
            if statement.takes_many and statement.names and len(bound) > 1:
                await connection.execute(statement.clause, bound)
            else:
                for each in bound:
                    await connection.execute(statement.clause, each)
            return
        rows = [values_of(fields, self._zone, _COLUMNS[cmd]) for fields in commands]
        if cmd in _BEFORE:  # an import, or another cloud, may have told otherwise
            keys = _padded([row["callid"] for row in rows])
            await connection.execute(_BEFORE[cmd], {"keys": keys})
        await connection.execute(_INTO[cmd], rows)

    def _tell(self, error: BaseException | None) -> None:
        """Tell once that the database is away, and once that it is back."""
        if error is not None and not self._away:
            log.warning("the company's database does not answer", error=_reason(error))
        elif error is None and self._away:
            log.info("the company's database answers again")
        self._away = error is not None

    def _tell_refused(self, cmd: str, fields: Mapping[str, str], error: Exception) -> None:
        """Tell once of a command that the database refuses: it comes again and again."""
        key = identity(cmd, fields)
        if key not in self._refused:
            self._refused[key] = None
            log.error("the database refuses a command", command=key, error=_reason(error))
        if len(self._refused) > _REMEMBERED:
            del self._refused[next(iter(self._refused))]


def _day_key(cloud: str, day: str) -> str:
    """Return the id of the note that a day of one cloud is finished."""
    return f"day {hashlib.sha256(cloud.encode()).hexdigest()[:16]} {day}"


def _told(row: Mapping[str, Any]) -> dict[str, str]:
    """Return what to answer: all columns `contact_name…` with spaces between, responsible."""
    names = [value for name, value in row.items() if name.lower().startswith("contact_name")]
    name = " ".join(str(value).strip() for value in names if value)
    responsible = row.get("responsible") or row.get("RESPONSIBLE") or ""
    told = {"contact_name": name.strip(), "responsible": str(responsible).strip()}
    return {field: value for field, value in told.items() if value}


def _padded(keys: Sequence[str]) -> list[str]:
    """Return the keys, some of them twice: few lengths make few statements to be prepared."""
    length = 1
    while length < len(keys):
        length *= 4
    return [*keys, *[keys[0]] * (length - len(keys))]


def _reason(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error) or type(error).__name__
