"""The log of changes: who changed what of a company, from what to what, by which way."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from sqlalchemy import delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from vpbx.accounts.differences import Change, differences
from vpbx.accounts.tables import changes
from vpbx.acting import Actor, actor
from vpbx.db import Database
from vpbx.directory import Directory, DomainConfig

__all__ = ["Audit", "Entry"]

log = structlog.get_logger("vpbx.accounts")

_MOST_AT_ONCE = 200
_MOST_KEPT = 200_000
_TRIM_EVERY = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the log. `at`: epoch seconds."""

    id: int
    at: float
    actor: str
    via: str
    address: str
    what: str
    before: str
    after: str


class Audit:
    """Writes down what is changed through `directory`, and what it is told."""

    def __init__(self, database: Database, directory: Directory) -> None:
        self._database = database
        self._kept = 0
        directory.on_changed(self._changed)

    async def _changed(
        self, before: DomainConfig, after: DomainConfig, touched: frozenset[str]
    ) -> None:
        who = actor()
        if who is None:
            return
        found = differences(before, after)
        if not found:
            found = [Change(", ".join(sorted(touched)), "", "")]
        await self._keep(after.id, who, found[:_MOST_AT_ONCE])

    async def note(self, domain_id: int, what: str, before: str = "", after: str = "") -> None:
        """Write down what shows in no snapshot; domain 0: of the server."""
        who = actor()
        if who is not None:
            await self._keep(domain_id, who, [Change(what, before, after)])

    async def note_call(self, domain_id: int, callid: str, told: str) -> None:
        """Write down who meddled with a call: `told` says what became of it."""
        await self.note(domain_id, f"calls.{callid}", "", told)

    async def _keep(self, domain_id: int, who: Actor, found: Iterable[Change]) -> None:
        at_ms = round(time.time() * 1000)
        rows = [
            {
                "domain_id": domain_id,
                "at_ms": at_ms,
                "actor": who.name,
                "via": who.via,
                "address": who.address,
                "what": change.what,
                "before": change.before,
                "after": change.after,
            }
            for change in found
        ]
        try:
            async with self._database.begin() as connection:
                await connection.execute(insert(changes), rows)
                await self._trim(connection, domain_id)
        except Exception:
            # the change itself is made and must be answered as such
            log.exception("a change could not be written into the log of changes", by=who.name)

    async def _trim(self, connection: AsyncConnection, domain_id: int) -> None:
        """Now and then drop what is older than the newest `_MOST_KEPT` changes of a company."""
        self._kept += 1
        if self._kept % _TRIM_EVERY:
            return
        c = changes.c
        mine = select(c.id).where(c.domain_id == domain_id).order_by(c.id.desc())
        oldest = await connection.scalar(mine.offset(_MOST_KEPT).limit(1))
        if oldest is not None:
            await connection.execute(
                delete(changes).where(c.domain_id == domain_id, c.id <= oldest)
            )

    async def find(
        self, domain_id: int, *, search: str = "", before: int | None = None, limit: int = 100
    ) -> list[Entry]:
        """Return entries of a company, newest first, those before number `before`.

        `search`: part of who, what, or a value.
        """
        c = changes.c
        statement = select(changes).where(c.domain_id == domain_id)
        if before is not None:
            statement = statement.where(c.id < before)
        if search:
            parts = (c.actor, c.what, c.before, c.after)
            statement = statement.where(or_(*(p.icontains(search, autoescape=True) for p in parts)))
        statement = statement.order_by(c.id.desc()).limit(limit)
        async with self._database.connect() as connection:
            rows = (await connection.execute(statement)).all()
        return [
            Entry(r.id, r.at_ms / 1000, r.actor, r.via, r.address, r.what, r.before, r.after)
            for r in rows
        ]
