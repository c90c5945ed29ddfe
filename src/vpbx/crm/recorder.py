"""CrmRecorder: call events → commands in the outbox (crm-api §2)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable

from vpbx.crm.commands import EVENT_TYPE, Fields, event_command, history_command, rating_command
from vpbx.crm.outbox import Outbox
from vpbx.db import Write
from vpbx.directory import DomainConfig
from vpbx.events import CallEnded, CallEvent, CallInfo, Direction, Rated

_HEARD = 1000


class CrmRecorder:
    """A recorder of `vpbx.events.EventBus`. External calls only; inner calls send nothing.

    `domains` gives a domain's snapshot by name without waiting (None: not loaded; whoever
    publishes events loads the domain first). `link(call)` makes the link of a call's recording,
    `link(call, ".pdf")` that of a fax.
    `is_open` tells whether a call is still going on.

    What can be asked for once it was told is told when it is there: `history` when its row is
    committed, `rating` with the row that has it.
    """

    def __init__(
        self,
        outbox: Outbox,
        domains: Callable[[str], DomainConfig | None],
        link: Callable[..., str],
        is_open: Callable[[str], bool] = lambda callid: True,
    ) -> None:
        self._outbox = outbox
        self._domains = domains
        self._link = link
        self._is_open = is_open
        self._ratings: dict[str, Rated] = {}
        self._listeners: dict[int, set[asyncio.Queue[Fields]]] = {}

    def __call__(self, event: CallEvent) -> Iterable[Write]:
        """Return the writes that put the commands of `event` into the outbox."""
        if event.call.direction is Direction.INNER:
            return ()
        if type(event) in EVENT_TYPE:
            return self._out(event.call, "event", lambda domain: event_command(event))
        if isinstance(event, CallEnded):
            return self._ended(event)
        if isinstance(event, Rated):
            if not self._is_open(event.call.callid):
                return self._rated(event)
            self._ratings[event.call.callid] = event
        return ()

    async def listen(self, domain_id: int) -> AsyncIterator[Fields]:
        """Give the commands of a domain as they are made, whether or not a CRM is sent them.

        Whoever is too slow misses some.
        """
        heard: asyncio.Queue[Fields] = asyncio.Queue(_HEARD)
        listeners = self._listeners.setdefault(domain_id, set())
        listeners.add(heard)
        try:
            while True:
                yield await heard.get()
        finally:
            listeners.discard(heard)
            if not listeners:
                self._listeners.pop(domain_id, None)

    def _ended(self, event: CallEnded) -> list[Write]:
        rated = self._ratings.pop(event.call.callid, None)
        writes = self._rated(rated) if rated is not None else []
        rating = rated.rating if rated is not None else None
        writes += self._out(
            event.call,
            "history",
            lambda domain: history_command(event, domain, rating=rating, link=self._link),
        )
        return writes

    def _rated(self, event: Rated) -> list[Write]:
        return self._out(event.call, "rating", lambda domain: rating_command(event))

    def _out(self, call: CallInfo, cmd: str, make: Callable[[DomainConfig], Fields]) -> list[Write]:
        """Make a command, if anybody is to have it; what can be asked for goes when it is there."""
        domain = self._domains(call.domain)
        if domain is None:
            return []
        integration = domain.integration
        receivers = integration.receivers(cmd) if integration is not None else ()
        listeners = self._listeners.get(domain.id)
        if not (receivers or listeners):
            return []
        fields = make(domain)
        for heard in listeners or ():
            with contextlib.suppress(asyncio.QueueFull):
                heard.put_nowait(fields)
        held = cmd != "event"
        return [
            write
            for each in receivers
            for write in self._outbox.put(
                call.domain_id, fields, when_written=held, address=each.name
            )
        ]
