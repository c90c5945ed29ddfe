"""The migrations make exactly the tables that the code declares."""

from __future__ import annotations

import importlib
import importlib.util

from alembic.autogenerate import compare_metadata
from alembic.command import downgrade, upgrade
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, select

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


async def test_who_is_gone_before_logins_were_noted_is_noted(database: Database) -> None:
    """Whoever gets their login next does not get their messages."""
    from vpbx.directory import Directory
    from vpbx.directory.tables import former_logins
    from vpbx.mail.tables import voicemail

    directory = Directory(database)
    acme = (await directory.companies.add("acme.example")).domain
    await directory.users.add(acme, {"name": "Ann", "login": "ann"})
    message = {"callid": 1, "client": "", "name": "", "seconds": 3, "heard": 0, "path": ""}
    left = [("gone", 4_000_000_000_000), ("gone", 1), ("ann", 5)]
    async with database.begin() as connection:
        await connection.run_sync(lambda sync: downgrade(config_for(sync), "0017"))
        for login, at_ms in left:
            row = {**message, "domain_id": acme.id, "login": login, "left_ms": at_ms}
            await connection.execute(voicemail.insert().values(**row))
        await connection.run_sync(lambda sync: upgrade(config_for(sync), "head"))
        rows = (await connection.execute(select(former_logins))).all()
    assert [tuple(row) for row in rows] == [(acme.id, "gone", 4_000_000_000_001)]


async def test_the_newest_revision_is_known_without_alembic(database: Database) -> None:
    async with database.connect() as connection:
        config = await connection.run_sync(config_for)
    head = ScriptDirectory.from_config(config).get_current_head()
    assert await database.revisions() == (head, head)
