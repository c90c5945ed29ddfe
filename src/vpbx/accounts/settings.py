"""What a company asks of who logs in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import select

from vpbx.accounts.errors import Refused
from vpbx.accounts.tables import console_settings
from vpbx.db import Database, upsert
from vpbx.directory import Role

_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """`second_factor`: roles that need one; a session ends when unused for `idle_s`, and at the
    latest after `longest_s`."""

    LONGEST_S: ClassVar[int] = 90 * 24 * _HOUR_S

    second_factor: frozenset[Role] = frozenset()
    idle_s: int = 12 * _HOUR_S
    longest_s: int = 7 * 24 * _HOUR_S


def in_words(settings: ConsoleSettings) -> str:
    """Return settings as the log of changes tells them."""
    roles = ", ".join(sorted(settings.second_factor)) or "—"
    idle_h, longest_h = settings.idle_s // _HOUR_S, settings.longest_s // _HOUR_S
    return f"second factor: {roles}; {idle_h} h, {longest_h} h"


class SettingsStore:
    """Reads and writes them; operators (domain 0) have the defaults."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, domain_id: int) -> ConsoleSettings:
        """Return the settings of a company."""
        if not domain_id:
            return ConsoleSettings()
        statement = select(console_settings).where(console_settings.c.domain_id == domain_id)
        async with self._database.connect() as connection:
            row = (await connection.execute(statement)).one_or_none()
        if row is None:
            return ConsoleSettings()
        return ConsoleSettings(
            frozenset(Role(role) for role in row.second_factor), row.idle_s, row.longest_s
        )

    async def set(
        self, domain_id: int, *, second_factor: frozenset[Role], idle_h: int, longest_h: int
    ) -> ConsoleSettings:
        """Change the settings of a company; hours. Raises Refused."""
        if not 1 <= idle_h <= 24 * 30:
            raise Refused("idle_h", "must be from 1 to 720")
        if not idle_h <= longest_h <= ConsoleSettings.LONGEST_S // _HOUR_S:
            raise Refused("longest_h", f"must be from {idle_h} to 2160")
        values = {
            "domain_id": domain_id,
            "second_factor": sorted(second_factor),
            "idle_s": idle_h * _HOUR_S,
            "longest_s": longest_h * _HOUR_S,
        }
        async with self._database.begin() as connection:
            await connection.execute(upsert(console_settings, ["domain_id"]), values)
        return ConsoleSettings(second_factor, idle_h * _HOUR_S, longest_h * _HOUR_S)
