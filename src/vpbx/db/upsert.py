"""Insert-or-update, the same statement for both dialects.

SQLite and PostgreSQL agree on `INSERT … ON CONFLICT`; SQLAlchemy's PostgreSQL construct
compiles on both, which a test holds.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import Insert, insert


def upsert(table: Table, key: Sequence[str], update: Sequence[str] | None = None) -> Insert:
    """Return an insert that updates the columns `update` when a row with `key` exists.

    `key` must be the primary key or a unique constraint; `update` None: all other columns.
    """
    statement = insert(table)
    names = [column.name for column in table.columns if column.name not in key]
    changes = {name: statement.excluded[name] for name in (names if update is None else update)}
    return statement.on_conflict_do_update(index_elements=list(key), set_=changes)


def insert_or_ignore(table: Table, key: Sequence[str]) -> Insert:
    """Return an insert that does nothing when a row with `key` exists."""
    return insert(table).on_conflict_do_nothing(index_elements=list(key))
