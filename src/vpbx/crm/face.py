"""The log of the integration, as the API shows it: plain values in and out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from vpbx.crm.outbox import Outbox
from vpbx.crm.record import Asked

__all__ = ["IntegrationLog"]

_IDLE_S = 15.0


class IntegrationLog:
    """What the API may ask of the outbox. Ids are numbers of the log."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def events(
        self, domain_id: int, *, after: int | None, limit: int, callid: str, cmd: str, state: str
    ) -> list[dict[str, Any]]:
        """Return what was sent after `after`; without it the newest, in the same order."""
        asked = Asked(domain_id, after, limit, callid, cmd, state)
        return [entry.shown() for entry in await self._outbox.record.find(asked)]

    async def stream(
        self, domain_id: int, after: int | None
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """Give what is sent from now, or from `after`, on; [] now and then while there is none."""
        record = self._outbox.record
        if after is None:
            newest = await record.find(Asked(domain_id, limit=1))
            after = newest[-1].id if newest else 0
        async for entries in record.follow(domain_id, after, _IDLE_S):
            yield [entry.shown() for entry in entries]

    async def replay(self, domain_id: int, event_id: int) -> bool:
        """Send one of them once more; False when there is none of that number."""
        found = await self._outbox.record.find(Asked(domain_id, after=0, ids=(event_id,)))
        return bool(found) and await self._outbox.replays.add(domain_id, found) > 0
