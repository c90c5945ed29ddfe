"""What holds for every connection to an SQLite file, whoever opens it."""

from __future__ import annotations

BUSY_TIMEOUT_S = 10.0
"""How long a connection waits for another's lock, where nobody waits for it in turn."""


def pragmas(wait_s: float = BUSY_TIMEOUT_S) -> tuple[str, ...]:
    """Return what a connection that writes says before its first transaction."""
    return (
        f"PRAGMA busy_timeout={round(wait_s * 1000)}",
        "PRAGMA foreign_keys=ON",
        "PRAGMA synchronous=NORMAL",
    )
