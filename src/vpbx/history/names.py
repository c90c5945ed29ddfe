"""What customers are called: the names that CRMs gave when they were asked who calls."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable

from sqlalchemy import bindparam, literal_column, select

from vpbx.db import Database, Write, Writer, upsert
from vpbx.history.tables import customer_names

__all__ = ["CustomerNames"]

_REMEMBERED = 20_000
_MOST = 200_000
_TRIM_EVERY = 5000
_C = customer_names.c
_KEEP = upsert(customer_names, ["domain_id", "client"])
_newer = customer_names.alias("newer")
_TRIM = customer_names.delete().where(
    _C.domain_id == bindparam("domain"),
    _C.at_ms
    < select(_newer.c.at_ms)
    .where(_newer.c.domain_id == bindparam("domain"))
    .order_by(_newer.c.at_ms.desc())
    .limit(literal_column("1"))
    .offset(literal_column(str(_MOST)))
    .scalar_subquery(),
)


class CustomerNames:
    """Keeps them, the newest one of each number; of a company the newest 200,000."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        self._known: OrderedDict[tuple[int, str], str] = OrderedDict()
        self._kept = 0

    def note(self, domain_id: int, client: str, name: str) -> None:
        """A company's CRM has said what the customer of a number is called."""
        key = (domain_id, client)
        if not client or not name or self._known.get(key) == name:
            return
        self._known[key] = name
        self._known.move_to_end(key)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        at_ms = round(time.time() * 1000)
        row = {"domain_id": domain_id, "client": client, "name": name, "at_ms": at_ms}
        writes = [Write(_KEEP, row)]
        self._kept += 1
        if self._kept % _TRIM_EVERY == 0:
            writes.append(Write(_TRIM, {"domain": domain_id}))
        self._writer.submit(writes)

    async def of(self, domain_id: int, clients: Iterable[str]) -> dict[str, str]:
        """Return the names of those numbers whose customers a company's CRM has named."""
        wanted = {client for client in clients if client}
        known = {c: n for c in wanted if (n := self._known.get((domain_id, c))) is not None}
        rest = wanted - known.keys()
        if rest:
            statement = select(_C.client, _C.name).where(
                _C.domain_id == domain_id, _C.client.in_(sorted(rest))
            )
            async with self._database.connect() as connection:
                rows = (await connection.execute(statement)).all()
            known |= {row.client: row.name for row in rows}
        return known
