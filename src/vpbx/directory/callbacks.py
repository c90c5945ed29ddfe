"""Customers who were promised to be called back (crm-api §8 advanced `callback`).

What a company's callers were told outlives a restart: a promise is written before it is spoken.
The lines themselves are call control's; here are only the rows they are made of.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, delete, insert, select

from vpbx.db import Write, Writer
from vpbx.directory import tables
from vpbx.directory.store import Store

__all__ = ["Callbacks", "PromisedCall"]


@dataclass(frozen=True, slots=True)
class PromisedCall:
    """A customer to be called back. Times are seconds since 1970."""

    callid: str
    """Of the call in which they asked for it."""
    domain_id: int
    gid: str
    """The department's id."""
    client: str
    """Their number."""
    diversion: str
    """Our number they had called."""
    since: float
    """When they began to wait."""
    tries: int = 0
    not_before: float = 0.0


_WRITTEN_WITHIN_S = 2.0
_table = tables.callbacks
_DELETE = delete(_table).where(_table.c.callid == bindparam("b_callid"))
_INSERT = insert(_table)


class Callbacks:
    """The promises that have not been kept yet."""

    def __init__(self, store: Store, writer: Writer) -> None:
        self._store = store
        self._writer = writer

    async def all(self) -> list[PromisedCall]:
        """Return what was promised and not kept when the server stopped, the oldest first."""
        names = PromisedCall.__dataclass_fields__
        async with self._store.reading() as connection:
            rows = await connection.execute(select(_table).order_by(_table.c.since))
            return [PromisedCall(**{name: getattr(row, name) for name in names}) for row in rows]

    async def promise(self, call: PromisedCall) -> None:
        """Keep a promise, or what has become of it; returns when it is written.

        A database that is away is not waited for long: it gets the row when it is back.
        """
        self.keep(call)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_WRITTEN_WITHIN_S):
                await self._writer.flush()

    def keep(self, call: PromisedCall) -> None:
        """The same without waiting for the database."""
        forget = Write(_DELETE, {"b_callid": call.callid}, call.callid)
        self._writer.submit([forget, Write(_INSERT, asdict(call), call.callid)])

    def forget(self, callid: str) -> None:
        """A promise was kept, or has come to nothing."""
        self._writer.submit([Write(_DELETE, {"b_callid": callid}, callid)])
