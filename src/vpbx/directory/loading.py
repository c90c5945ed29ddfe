"""The rows a domain's snapshot is made of, and the names that rows know each other by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from vpbx.directory import tables
from vpbx.directory.kept import Rows

__all__ = ["ROWS_A_SLICE", "Source"]

ROWS_A_SLICE = 200
"""So many rows are turned into values before the loop may do something else."""


class Source:
    """Where one loading of one domain has its rows from; the names are filled in on the way."""

    def __init__(self, connection: AsyncConnection, domain: Row[Any], known: Rows) -> None:
        self._connection = connection
        self.domain = domain
        self.known = known
        self.logins: dict[int, str] = {}
        self.gids: dict[int, str] = {}
        self.media: dict[int, str] = {}
        self.telnums: dict[int, str] = {}

    async def rows(self, table: Table, *order: str) -> Sequence[Row[Any]]:
        """Return the domain's rows of a table, of `trunks` everybody's."""
        if table.name not in self.known:
            statement = select(table)
            if table is not tables.trunks:
                statement = statement.where(table.c.domain_id == self.domain.id)
            ordered = statement.order_by(*(table.c[name] for name in order))
            self.known[table.name] = (await self._connection.execute(ordered)).all()
        return self.known[table.name]
