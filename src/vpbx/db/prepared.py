"""Short reads by prepared SQL: one change of thread a read, and nothing between driver and rows.

SQLAlchemy's own rows cost more than SQLite takes to find them, and each of its awaits on SQLite
is two changes of thread. Here a statement is compiled once and a thread finds the rows. For
reads that are many or big; everything else uses `Database.connect`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from sqlalchemy import Select

from vpbx.frozen import dataclass

__all__ = ["Prepared", "Reader", "Row"]

Row: TypeAlias = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A SELECT as text for one dialect. Columns come as the driver gives them: numbers, text."""

    sql: str
    names: tuple[str, ...]
    """The parameters in the order of `$1`, `$2`…; empty on SQLite, which takes names."""
    fixed: Mapping[str, Any]
    """Parameters whose values the statement has brought along (`OFFSET 0` on SQLite)."""

    @classmethod
    def of(cls, compiled: Any) -> Prepared:
        """Take over what SQLAlchemy has compiled."""
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        return cls(str(compiled), tuple(compiled.positiontup or ()), fixed)


class Reader(Protocol):
    """Reads by prepared SQL."""

    def prepare(self, statement: Select[Any]) -> Prepared:
        """Compile a statement, all of whose parameters are `bindparam`s; keep the result."""
        ...

    async def read(self, prepared: Prepared, values: Mapping[str, Any]) -> Sequence[Row]:
        """Return the rows; a few hundred at most, since they are unpacked on the loop."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
