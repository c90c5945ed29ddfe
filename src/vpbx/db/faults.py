"""Which faults of a database pass: the same may succeed later."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout

__all__ = ["Unavailable", "brief", "is_passing"]

_BUSY_WORDS = ("locked", "busy", "disk", "unable to open", "readonly", "i/o error")
_PASSING_SQLSTATES = ("08", "40", "53", "55", "57", "58")
"""SQLSTATE classes that say "later": connection, rollback, resources, locks, operator, system."""


class Unavailable(Exception):
    """The database did not answer in the time there was; nothing was changed."""


def is_passing(error: BaseException) -> bool:
    """Tell whether the same may succeed later: the database is away, busy, or its disk full."""
    if isinstance(error, Unavailable | PoolTimeout):
        return True
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.OperationalError):
        words = str(cause).lower()
        return any(word in words for word in _BUSY_WORDS)
    if isinstance(error, DBAPIError):
        state = getattr(cause, "sqlstate", None)
        if state and not error.connection_invalidated:
            return str(state)[:2] in _PASSING_SQLSTATES
        return error.connection_invalidated or isinstance(error, InterfaceError)
    state = getattr(error, "sqlstate", None)  # asyncpg's own
    if state:
        return str(state)[:2] in _PASSING_SQLSTATES
    return isinstance(error, OSError)  # asyncpg's connecting errors, TimeoutError


def brief(error: BaseException) -> str:
    """Return what went wrong without the statement's values (they may be private)."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return f"{type(cause).__name__}: {str(cause).splitlines()[0] if str(cause) else ''}"
