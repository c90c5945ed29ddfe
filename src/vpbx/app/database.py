"""Opening the database that belongs to a data directory."""

from __future__ import annotations

import asyncio

import structlog

from vpbx.app.datadir import DataDir
from vpbx.app.fault import StartError
from vpbx.db import Database, take_up

__all__ = ["open_database"]

_ANSWER_S = 15.0

log = structlog.get_logger("vpbx.app")


async def open_database(data: DataDir, url: str, *, patience_s: float | None = None) -> Database:
    """Open and migrate the database; `StartError` when it cannot be reached.

    What the last run could not write before its end is written first. `patience_s`: see
    `vpbx.db.Database`.
    """
    found = data.database_url(url)

    def opened(patience_s: float | None) -> Database:
        if found:
            return Database.from_url(found, patience_s=patience_s)
        return Database.for_data_dir(data.root, patience_s=patience_s)

    database = opened(None)
    try:
        async with asyncio.timeout(_ANSWER_S):
            await database.revisions()
        await database.migrate()  # takes its time where there is much to change
        for what in ("calls", "settings"):
            units = await take_up(data.unwritten(what), database)
            if not units:
                continue
            log.info("what the last run could not write is written", units=units)
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
    await database.close()
    return opened(patience_s)
