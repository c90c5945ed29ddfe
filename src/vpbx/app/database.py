"""Opening the database that belongs to a data directory."""

from __future__ import annotations

import asyncio

from vpbx.app.datadir import DataDir
from vpbx.app.fault import StartError
from vpbx.db import Database

__all__ = ["open_database"]

_ANSWER_S = 15.0


async def open_database(data: DataDir, url: str) -> Database:
    """Open and migrate the database; `StartError` when it cannot be reached."""
    found = data.database_url(url)
    database = Database.from_url(found) if found else Database.for_data_dir(data.root)
    try:
        async with asyncio.timeout(_ANSWER_S):
            await database.migrate()
    except Exception as error:
        await database.close()
        where = database.url.render_as_string(hide_password=True)
        cause = getattr(error, "orig", None) or error
        reason = str(cause).strip().splitlines()[:1] or [type(cause).__name__]
        raise StartError(
            f"The database {where} cannot be used: {reason[0]}. "
            + (
                "See that the disk is writable and not full, or restore the file."
                if database.dialect == "sqlite"
                else "See that PostgreSQL runs and that user, password and name in --database "
                "are right."
            )
        ) from error
    return database
