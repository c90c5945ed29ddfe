"""Bringing a database to the newest schema, from inside the program (no alembic.ini).

A new migration is a file in `migrations/versions/`, numbered by hand (`0003_what_it_does.py`,
`revision = "0003"`, `down_revision = "0002"`). The whole upgrade is one transaction, alone on
the database: SQLite's write lock or a PostgreSQL advisory lock keeps other starters waiting,
and they then find nothing left to do.

Alembic is loaded only when there is something to do: it and what it needs hold 8 MB.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

if TYPE_CHECKING:
    from alembic.config import Config

_SCRIPTS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x76706278  # "vpbx"


def config_for(connection: Connection) -> Config:
    """Return an Alembic configuration that works on `connection`, in its transaction."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Upgrade the schema to `revision` inside the open transaction of `connection`."""
    from alembic import command

    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
    command.upgrade(config_for(connection), revision)


def revisions(connection: Connection) -> tuple[str | None, str | None]:
    """Return the revision the schema has (None: an empty database) and the newest there is."""
    current = None
    if inspect(connection).has_table("alembic_version"):
        current = connection.scalar(text("SELECT version_num FROM alembic_version"))
    newest = max(
        (file.stem[:4] for file in (_SCRIPTS / "versions").glob("[0-9]*.py")), default=None
    )
    return current, newest
