"""Rows kept from one reading of a domain to the next, so that only what changed is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Row

Rows: TypeAlias = dict[str, Sequence[Row[Any]]]
"""Table name → the domain's rows, as they were read."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows of an earlier reading that are still those of `revision`."""

    revision: int
    rows: Rows

    def without(self, touched: set[str]) -> Kept:
        """Return what is left after the next change, which touched these tables."""
        rows = {name: rows for name, rows in self.rows.items() if name not in touched}
        return Kept(self.revision + 1, rows)
