"""Sessions that another process ended (a command, another server) are found out within seconds.

What this process ends it tells at once (`Accounts.on_ended`). Asked are only sessions on which
something hangs: a page's phone, a page that follows calls.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import select

from vpbx.accounts.tables import sessions
from vpbx.db import Database

__all__ = ["SessionWatch"]

log = structlog.get_logger("vpbx.accounts")

_LOOK_S = 3.0
_AT_ONCE = 500


class SessionWatch:
    """Looks every few seconds whether the sessions that matter are still there."""

    def __init__(self, database: Database, tell: Callable[[Iterable[int]], None]) -> None:
        self._database = database
        self._tell = tell
        self._held: Counter[int] = Counter()
        self._gone: set[int] = set()
        self._sources: list[Callable[[], Iterable[int]]] = []

    def also(self, source: Callable[[], Iterable[int]]) -> None:
        """Look at the sessions that `source` names, too."""
        self._sources.append(source)

    @contextmanager
    def hold(self, session_id: int) -> Iterator[Callable[[], bool]]:
        """Look at a session as long as this lasts; yields what says whether it has ended."""
        self._held[session_id] += 1
        try:
            yield lambda: session_id in self._gone
        finally:
            self._held[session_id] -= 1
            if not self._held[session_id]:
                del self._held[session_id]
                self._gone.discard(session_id)

    def ended(self, session_ids: Iterable[int]) -> None:
        """Hear that sessions have ended."""
        self._gone |= self._held.keys() & set(session_ids)

    async def run(self) -> None:
        """Look for ever."""
        is_away = False
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                await self.look()
                is_away = False
            except Exception as error:
                if not is_away:
                    log.warning("sessions cannot be looked at", error=str(error).split("\n")[0])
                is_away = True

    async def look(self) -> None:
        """Tell of the sessions that are gone."""
        wanted = {
            *(self._held.keys() - self._gone),
            *(number for source in self._sources for number in source()),
        }
        numbers = sorted(wanted)
        for start in range(0, len(numbers), _AT_ONCE):
            part = numbers[start : start + _AT_ONCE]
            async with self._database.connect() as connection:
                found = await connection.scalars(
                    select(sessions.c.id).where(sessions.c.id.in_(part))
                )
                there = set(found.all())
            if gone := [number for number in part if number not in there]:
                self._tell(gone)
