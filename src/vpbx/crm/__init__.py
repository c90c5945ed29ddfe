"""The way to the CRMs: commands from call events, kept until taken, and the `contact` question.

`CrmRecorder` listens to call events and puts commands into the `Outbox`, which sends them;
`Contacts` asks who is calling; all use one `CrmClient`, and `Formats` knows what each CRM takes.
"""

from __future__ import annotations

from vpbx.crm.client import Answer, CrmClient
from vpbx.crm.contact import Contacts
from vpbx.crm.encoding import Formats
from vpbx.crm.face import IntegrationLog
from vpbx.crm.lane import Limits
from vpbx.crm.outbox import Outbox, OutboxConfig
from vpbx.crm.record import Asked, CommandLog, Entry, State
from vpbx.crm.recorder import CrmRecorder
from vpbx.crm.store import Counts, Stuck
from vpbx.crm.tables import crm_outbox
from vpbx.crm.webhooks import Webhooks, WebhookSender

__all__ = [
    "Answer",
    "Asked",
    "CommandLog",
    "Contacts",
    "Counts",
    "CrmClient",
    "CrmRecorder",
    "Entry",
    "Formats",
    "IntegrationLog",
    "Limits",
    "Outbox",
    "OutboxConfig",
    "State",
    "Stuck",
    "WebhookSender",
    "Webhooks",
    "crm_outbox",
]
