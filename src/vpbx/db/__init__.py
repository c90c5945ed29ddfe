"""The database layer: one engine, migrations, and the writer that call control feeds.

Tables are declared by the parts that own them, on `metadata`; their migrations stand in
`migrations/versions/`. Works alike on SQLite (a file in the data directory) and PostgreSQL.
"""

from __future__ import annotations

from vpbx.db.batches import Values
from vpbx.db.database import Database
from vpbx.db.faults import Unavailable, brief, is_passing
from vpbx.db.metadata import BIG, metadata
from vpbx.db.prepared import Prepared, Reader, Row
from vpbx.db.spill import take_up
from vpbx.db.upsert import insert_or_ignore, upsert
from vpbx.db.writer import Write, Writer

__all__ = [
    "BIG",
    "Database",
    "Prepared",
    "Reader",
    "Row",
    "Unavailable",
    "Values",
    "Write",
    "Writer",
    "brief",
    "insert_or_ignore",
    "is_passing",
    "metadata",
    "take_up",
    "upsert",
]
