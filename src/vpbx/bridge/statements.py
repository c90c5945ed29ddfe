"""The statements of the file: their parameters, with the types that strict databases want."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from sqlalchemy import DateTime, Integer, String, bindparam, text
from sqlalchemy.sql.elements import TextClause

from vpbx.bridge.config import BridgeFault
from vpbx.bridge.values import MOST_NAMES, TIMES, WHOLE, values_of

__all__ = ["Statement", "read_statement"]

_COMMENTS = re.compile(r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*", re.S)
_MANY = ("insert", "update", "delete", "replace", "merge")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `clause` goes to the database with `bound` of the values of a command."""

    clause: TextClause
    names: frozenset[str]
    takes_many: bool
    """Whether it may be given many rows at once: it answers none."""

    def bound(self, fields: Mapping[str, str], zone: tzinfo) -> dict[str, Any]:
        """Return the parameters it names, of a command."""
        return values_of(fields, zone, self.names)


def read_statement(command: str, sql: str) -> Statement:
    """Read a statement; `BridgeFault` names a parameter that no command tells."""
    clause = text(sql)
    names = frozenset(clause._bindparams)
    unknown = names - set(MOST_NAMES)
    if unknown:
        known = ", ".join(f":{name}" for name in MOST_NAMES)
        raise BridgeFault(
            f"[{command}] sql: :{min(unknown)} is told by no command; there are {known}"
        )
    typed = clause.bindparams(*(bindparam(name, type_=_type(name)) for name in names))
    begun = sql[_COMMENTS.match(sql).end() :].lower()  # type: ignore[union-attr]
    takes_many = begun.startswith(_MANY) and " returning " not in " ".join(begun.split())
    return Statement(typed, names, takes_many)


def _type(name: str) -> Any:
    if name in TIMES:
        return DateTime()
    return Integer() if name in WHOLE else String()
