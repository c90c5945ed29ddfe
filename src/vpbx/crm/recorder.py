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
    """

    def __init__(
        self,
        outbox: Outbox,
        domains: Callable[[str], DomainConfig | None],
        link: Callable[[CallInfo], str],
    ) -> None:
        self._outbox = outbox
        self._domains = domains
        self._link = link
        self._ratings: dict[str, int] = {}

    def __call__(self, event: CallEvent) -> Iterable[Write]:
        """Return the writes that put the commands of `event` into the outbox."""
        kind = type(event)
        if event.call.direction is Direction.INNER:
            return ()
        if kind in EVENT_TYPE:
            domain = self._sends(event.call, "event")
            return self._put(event.call, event_command(event)) if domain else ()
        if isinstance(event, CallEnded):
            rating = self._ratings.pop(event.call.callid, None)
            domain = self._sends(event.call, "history")
            if domain is None:
                return ()
            command = history_command(event, domain, rating=rating, link=self._link)
            return self._put(event.call, command)
        if isinstance(event, Rated):
            self._ratings[event.call.callid] = event.rating
            domain = self._sends(event.call, "rating")
            return self._put(event.call, rating_command(event)) if domain else ()
        return ()

    def _sends(self, call: CallInfo, cmd: str) -> DomainConfig | None:
        """Return the domain if its CRM is sent commands of this kind."""
        domain = self._domains(call.domain)
        integration = domain.integration if domain is not None else None
        if integration is None or not integration.enabled:
            return None
        commands: Commands = integration.commands
        return domain if getattr(commands, cmd) else None

    def _put(self, call: CallInfo, fields: Fields) -> list[Write]:
        return [self._outbox.put(call.domain_id, fields)]
