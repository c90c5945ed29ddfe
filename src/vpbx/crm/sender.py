"""What becomes of a command at the moment it is to go: it is sent, kept, or left out."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable

import structlog

from vpbx.clock import Clock
from vpbx.crm.client import Answer, CrmClient
from vpbx.crm.commands import Fields
from vpbx.crm.lane import Command
from vpbx.crm.record import State
from vpbx.directory import MAIN, Integration

__all__ = ["LATE_S", "Sender"]

log = structlog.get_logger("vpbx.crm")

LATE_S = 60.0
"""An event older than this, of a call that is over, is late."""
_LEFT_OUT = Answer(0, error="late: the call is over", fate=State.LEFT_OUT)
_REMOVED = Answer(0, error="the address was removed", fate=State.LEFT_OUT)
_KEPT = Answer(299, fate=State.KEPT)
"""In place of an answer, where there is no URL: commands are fetched from the log."""


class Sender:
    """Sends by what the integration of a domain is now; the parameters are the outbox's."""

    def __init__(
        self,
        client: CrmClient,
        settings: Callable[[int], Awaitable[Integration | None]],
        webhook: Callable[[int, Fields], Awaitable[Answer]] | None,
        is_open: Callable[[str], bool],
        clock: Clock,
    ) -> None:
        self._client = client
        self._settings = settings
        self._webhook = webhook
        self._is_open = is_open
        self._clock = clock

    async def send(self, command: Command, *, late: bool = False) -> Answer:
        """Send a command; whatever goes wrong is an answer too, or its queue would stand still."""
        try:
            if command.fields["cmd"] == "webhook" and self._webhook is not None:
                return await self._webhook(command.domain_id, command.fields)
            integration = await self._settings(command.domain_id)
            if integration is not None and command.address != MAIN:
                integration = integration.at(command.address)
                if integration is None:
                    return _REMOVED
            if integration is None or not integration.enabled:
                return Answer(0, error="the integration is switched off")
            if not integration.url:
                return _KEPT
            if self._is_late(command) and not (late or integration.late_events):
                return _LEFT_OUT
            return await self._client.send(
                command.domain_id, integration, command.fields, delivery=str(command.id)
            )
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            log.error(  # no traceback: it might show the token
                "a command could not be sent",
                domain_id=command.domain_id,
                error=type(error).__name__,
                at=f"{frames[-1].filename}:{frames[-1].lineno}",
            )
            return Answer(0, error=type(error).__name__)

    def _is_late(self, command: Command) -> bool:
        return (
            command.fields["cmd"] == "event"
            and self._clock.now() - command.since > LATE_S
            and not self._is_open(command.callid)
        )
