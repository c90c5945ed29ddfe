"""CrmRecorder: call events → commands in the outbox (crm-api §2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vpbx.crm.commands import EVENT_TYPE, Fields, event_command, history_command, rating_command
from vpbx.crm.outbox import Outbox
from vpbx.db import Write
from vpbx.directory import Commands, DomainConfig
from vpbx.events import CallEnded, CallEvent, CallInfo, Direction, Rated


class CrmRecorder:
    """A recorder of `vpbx.events.EventBus`. External calls only; inner calls send nothing.

    `domains` gives a domain's snapshot by name without waiting (None: not loaded; whoever
    publishes events loads the domain first). `link` makes the link of a call's recording.
    `is_open` tells whether a call is still going on.

    What can be asked for once it was told is told when it is there: `history` when its row is
    committed, `rating` with the row that has it.
    """

    def __init__(
        self,
        outbox: Outbox,
        domains: Callable[[str], DomainConfig | None],
        link: Callable[[CallInfo], str],
        is_open: Callable[[str], bool] = lambda callid: True,
    ) -> None:
        self._outbox = outbox
        self._domains = domains
        self._link = link
        self._is_open = is_open
        self._ratings: dict[str, Rated] = {}

    def __call__(self, event: CallEvent) -> Iterable[Write]:
        """Return the writes that put the commands of `event` into the outbox."""
        kind = type(event)
        if event.call.direction is Direction.INNER:
            return ()
        if kind in EVENT_TYPE:
            domain = self._sends(event.call, "event")
            if domain is None:
                return ()
            return self._outbox.put(event.call.domain_id, event_command(event))
        if isinstance(event, CallEnded):
            return self._ended(event)
        if isinstance(event, Rated):
            if not self._is_open(event.call.callid):
                return self._rated(event)
            self._ratings[event.call.callid] = event
        return ()

    def _ended(self, event: CallEnded) -> list[Write]:
        rated = self._ratings.pop(event.call.callid, None)
        writes = self._rated(rated) if rated is not None else []
        domain = self._sends(event.call, "history")
        if domain is not None:
            rating = rated.rating if rated is not None else None
            command = history_command(event, domain, rating=rating, link=self._link)
            writes += self._put(event.call, command)
        return writes

    def _rated(self, event: Rated) -> list[Write]:
        if self._sends(event.call, "rating") is None:
            return []
        return self._put(event.call, rating_command(event))

    def _sends(self, call: CallInfo, cmd: str) -> DomainConfig | None:
        """Return the domain if its CRM is sent commands of this kind."""
        domain = self._domains(call.domain)
        integration = domain.integration if domain is not None else None
        if integration is None or not integration.enabled:
            return None
        commands: Commands = integration.commands
        return domain if getattr(commands, cmd) else None

    def _put(self, call: CallInfo, fields: Fields) -> list[Write]:
        """Send when all that the event caused is committed."""
        return self._outbox.put(call.domain_id, fields, when_written=True)
