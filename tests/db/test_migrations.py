"""The migrations make exactly the tables that the code declares."""

from __future__ import annotations

import importlib
import importlib.util

from alembic.autogenerate import compare_metadata
from alembic.command import downgrade
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from vpbx.db import Database, metadata
from vpbx.db.migrate import config_for

for _part in ("accounts", "directory", "history", "crm", "mail", "reporting"):
    if importlib.util.find_spec(f"vpbx.{_part}.tables"):
        importlib.import_module(f"vpbx.{_part}.tables")


async def test_models_and_migrations_agree(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    async with database.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_migrations_can_be_undone(database: Database) -> None:
    async with database.begin() as connection:
        await connection.run_sync(lambda sync: downgrade(config_for(sync), "base"))
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert set(names) <= {"alembic_version", "sqlite_sequence"}


async def test_the_newest_revision_is_known_without_alembic(database: Database) -> None:
    async with database.connect() as connection:
        config = await connection.run_sync(config_for)
    head = ScriptDirectory.from_config(config).get_current_head()
    assert await database.revisions() == (head, head)
