"""Webhooks (crm-api §17): what happened, told to every address that subscribed to it.

They wait and are tried again as commands to the CRM are, in the same outbox but in a lane apart
from the CRM's; each is a line of its own, so one that cannot be delivered holds nothing else up.
Where to, is looked up when it is sent: a subscription that was deleted meanwhile takes nothing
any more.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Any

from vpbx.crm.client import Answer, CrmClient
from vpbx.crm.commands import Fields
from vpbx.crm.outbox import Outbox
from vpbx.crm.tables import SUBSCRIBERS
from vpbx.db import Write
from vpbx.directory import DomainConfig

__all__ = ["WEBHOOK", "WebhookSender", "Webhooks", "webhook_fields"]

WEBHOOK = "webhook"
"""`cmd` of what is delivered."""
_NONE_LEFT = Answer(200)
"""The answer in place of one from a subscription that is gone."""


class Webhooks:
    """Puts what happened into the outbox, once for each subscription."""

    def __init__(self, outbox: Outbox, clock_ms: Callable[[], int]) -> None:
        self._outbox = outbox
        self._clock_ms = clock_ms
        self._serial = count(1)

    def announce(self, domain: DomainConfig, kind: str, data: Mapping[str, Any]) -> list[Write]:
        """Tell the domain's subscribers to `kind`; the caller commits what is returned."""
        line = f"w{self._clock_ms()}-{next(self._serial)}"
        return [
            write
            for hook in domain.settings.webhooks
            if hook.type == kind
            for write in self._outbox.put(
                domain.id,
                webhook_fields(kind, hook.id, data, f"{line}-{hook.id}"),
                address=SUBSCRIBERS,
            )
        ]


def webhook_fields(kind: str, hook_id: str, data: Mapping[str, Any], line: str) -> Fields:
    """Return a delivery as the outbox keeps it; `line` tells it from all others."""
    return {
        "cmd": WEBHOOK,
        "type": kind,
        "id": hook_id,
        "data": json.dumps(data, ensure_ascii=False),
        "callid": line,
    }


class WebhookSender:
    """Delivers: POST of a JSON object to the subscription's address."""

    def __init__(
        self, client: CrmClient, domain: Callable[[int], Awaitable[DomainConfig | None]]
    ) -> None:
        self._client = client
        self._domain = domain

    async def __call__(self, domain_id: int, fields: Fields) -> Answer:
        """Deliver what `webhook_fields` made."""
        domain = await self._domain(domain_id)
        hooks = domain.settings.webhooks if domain is not None else ()
        hook = next((each for each in hooks if each.id == fields["id"]), None)
        if domain is None or hook is None:
            return _NONE_LEFT
        token = domain.integration.token if domain.integration is not None else ""
        body = {
            "cmd": WEBHOOK,
            "type": fields["type"],
            "crm_token": token,
            "id": fields["id"],
            "data": json.loads(str(fields["data"])),
        }
        return await self._client.post_json(hook.url, token, body)
