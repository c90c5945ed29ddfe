"""The one place where rows meet a domain.

Everything that changes a company's settings does it through a `Tx`: each statement it makes is
bound to the domain's id, so that no rule can touch another company's rows. The domain's row is
locked first, so that changes of one domain happen one after the other and a rule that was
checked still holds when it is written; the constraints of `tables.py` stand behind it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from vpbx.directory.errors import Invalid, NotFound
from vpbx.directory.tables import directory_state, domains


class Tx:
    """A transaction that changes one domain."""

    def __init__(self, connection: AsyncConnection, domain: Row[Any]) -> None:
        self._connection = connection
        self.domain = domain
        """The domain's own row."""
        self.domain_id: int = domain.id
        self.touched: set[str] = set()
        """Names of the tables whose rows this transaction changed."""

    @classmethod
    async def open(cls, connection: AsyncConnection, domain_id: int, *, lock: bool = True) -> Tx:
        """Return the domain's transaction, its row locked unless for reading; NotFound."""
        statement = select(domains).where(domains.c.id == domain_id)
        if lock:  # rows that refer to the domain may still be written by others
            statement = statement.with_for_update(key_share=True)
        row = (await connection.execute(statement)).one_or_none()
        if row is None:
            raise NotFound("no such domain")
        return cls(connection, row)

    async def all(
        self, table: Table, *where: ColumnElement[bool], order: Any = None
    ) -> Sequence[Row[Any]]:
        """Return the domain's rows of `table` for which all of `where` holds."""
        statement = select(table).where(table.c.domain_id == self.domain_id, *where)
        if order is not None:
            statement = statement.order_by(order)
        return (await self._connection.execute(statement)).all()

    async def first(
        self, table: Table, *where: ColumnElement[bool], order: Any = None
    ) -> Row[Any] | None:
        """Return the first such row, or None."""
        rows = await self.all(table, *where, order=order)
        return rows[0] if rows else None

    async def count(self, table: Table, *where: ColumnElement[bool]) -> int:
        """Return how many such rows there are."""
        statement = (
            select(func.count()).select_from(table).where(table.c.domain_id == self.domain_id)
        )
        return int(await self._connection.scalar(statement.where(*where)) or 0)

    async def insert(self, table: Table, **values: Any) -> int:
        """Insert a row of this domain and return its id (0 for tables without one)."""
        self.touched.add(table.name)
        result = await self._connection.execute(
            insert(table).values(domain_id=self.domain_id, **values)
        )
        key = result.inserted_primary_key
        return int(key.id) if key is not None and isinstance(getattr(key, "id", None), int) else 0

    async def insert_many(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows of this domain."""
        if rows:
            self.touched.add(table.name)
            await self._connection.execute(
                insert(table), [{"domain_id": self.domain_id, **row} for row in rows]
            )

    async def update(self, table: Table, *where: ColumnElement[bool], **values: Any) -> int:
        """Change the domain's rows for which `where` holds; return how many."""
        if not values:
            return 0
        self.touched.add(table.name)
        statement = update(table).where(table.c.domain_id == self.domain_id, *where)
        return (await self._connection.execute(statement.values(**values))).rowcount

    async def delete(self, table: Table, *where: ColumnElement[bool]) -> int:
        """Delete the domain's rows for which `where` holds; return how many."""
        self.touched |= _cascade(table)
        statement = delete(table).where(table.c.domain_id == self.domain_id, *where)
        return (await self._connection.execute(statement)).rowcount

    async def set_domain(self, **values: Any) -> None:
        """Change the domain's own row."""
        if values:
            await self._connection.execute(
                update(domains).where(domains.c.id == self.domain_id).values(**values)
            )

    async def close(self) -> tuple[int, int]:
        """Say to all processes that the domain changed.

        Returns the new revisions of the domain and of the whole directory.
        """
        revision = int(self.domain.revision) + 1
        await self.set_domain(revision=revision)
        return revision, await bump(self._connection)


async def bump(connection: AsyncConnection) -> int:
    """Say to all processes that something changed. The last thing a transaction does."""
    changed = await connection.execute(
        update(directory_state)
        .values(revision=directory_state.c.revision + 1)
        .returning(directory_state.c.revision)
    )
    return int(changed.scalar_one())


@functools.cache
def _cascade(table: Table) -> frozenset[str]:
    """Return the names of the tables that lose rows when `table` does."""
    found = {table.name}
    for other in table.metadata.tables.values():
        for key in other.foreign_key_constraints:
            if key.ondelete and key.referred_table is table and other is not table:
                found |= _cascade(other)
    return frozenset(found)


_CONFLICTS: dict[tuple[str, tuple[str, ...]], tuple[str, str]] = {
    ("domains", ("name",)): ("domain", "this domain exists already"),
    ("names", ("domain_id", "name")): ("ext", "this login or internal number is taken"),
    ("users", ("domain_id", "login")): ("login", "this login is taken"),
    ("users", ("domain_id", "ext")): ("ext", "this internal number is taken"),
    ("groups", ("domain_id", "ext")): ("ext", "this internal number is taken"),
    ("numbers", ("telnum",)): ("telnum", "this number is taken"),
    ("trunks", ("name",)): ("name", "a trunk of this name exists already"),
    ("sip_registrations", ("number_id",)): ("telnum", "this number has a SIP registration"),
    ("sipuri_transfers", ("number_id",)): ("telnum", "this number has a SIP address already"),
    ("branches", ("domain_id", "domain")): ("domain", "this PBX is connected already"),
    ("blacklist", ("domain_id", "telnum")): ("telnum", "this number is in the list already"),
}


def explain(error: IntegrityError) -> Invalid | None:
    """Turn a broken unique constraint into the error of its field; None for anything else.

    Reached only when two requests race across domains or processes: within a domain the checks
    come first.
    """
    cause = getattr(error.orig, "__cause__", None)
    constraint = getattr(cause, "constraint_name", None)
    text = str(error.orig)
    for (table, columns), (field, message) in _CONFLICTS.items():
        by_columns = ", ".join(f"{table}.{column}" for column in columns)
        if constraint in (f"uq_{table}_{'_'.join(columns)}", f"pk_{table}") or (
            constraint is None and text.endswith(f"UNIQUE constraint failed: {by_columns}")
        ):
            return Invalid.one(field, message)
    return None
