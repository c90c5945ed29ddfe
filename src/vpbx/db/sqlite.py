"""What holds for every connection to an SQLite file, whoever opens it."""

from __future__ import annotations

BUSY_TIMEOUT_S = 10.0
"""How long a connection waits for another's lock."""

PRAGMAS = (
    f"PRAGMA busy_timeout={round(BUSY_TIMEOUT_S * 1000)}",
    "PRAGMA foreign_keys=ON",
    "PRAGMA synchronous=NORMAL",
)
"""For a connection that writes, before its first transaction."""
