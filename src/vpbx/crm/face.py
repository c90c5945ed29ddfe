"""The log of the integration, as the API shows it: plain values in and out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from vpbx.crm.outbox import Outbox
from vpbx.crm.record import Asked
from vpbx.crm.tables import SUBSCRIBERS
from vpbx.directory import MAIN

ALL = "all"

__all__ = ["IntegrationLog"]

_IDLE_S = 15.0


class IntegrationLog:
    """What the API may ask of the outbox. Ids are numbers of the log.

    `address` names one of a company's addresses; "": the main one, and what went to those who
    subscribed, so that whoever fetches gets each command once; `ALL`: every one.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def events(
        self,
        domain_id: int,
        *,
        after: int | None,
        limit: int,
        callid: str,
        cmd: str,
        state: str,
        address: str = "",
    ) -> list[dict[str, Any]]:
        """Return what was sent after `after`; without it the newest, in the same order."""
        addresses = _addresses(address)
        asked = Asked(domain_id, after, limit, callid, cmd, state, addresses=addresses)
        return [entry.shown() for entry in await self._outbox.record.find(asked)]

    async def stream(
        self, domain_id: int, after: int | None, address: str = ""
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """Give what is sent from now, or from `after`, on; [] now and then while there is none."""
        record = self._outbox.record
        if after is None:
            newest = await record.find(Asked(domain_id, limit=1))
            after = newest[-1].id if newest else 0
        async for entries in record.follow(domain_id, after, _IDLE_S, _addresses(address)):
            yield [entry.shown() for entry in entries]

    async def replay(self, domain_id: int, event_id: int) -> bool:
        """Send one of them once more; False when there is none of that number."""
        found = await self._outbox.record.find(Asked(domain_id, after=0, ids=(event_id,)))
        return bool(found) and await self._outbox.replays.add(domain_id, found) > 0


def _addresses(name: str) -> tuple[str, ...]:
    if name == ALL:
        return ()
    return (name,) if name else (MAIN, SUBSCRIBERS)
