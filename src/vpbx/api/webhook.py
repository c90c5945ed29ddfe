"""Webhook subscriptions (crm-api §17)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from vpbx.api.fields import Request, Text
from vpbx.api.models import Model
from vpbx.api.operation import Section
from vpbx.directory import Webhook

__all__ = ["section"]

section = Section("Webhook", "Subscriptions to events; any key may.")

EventType = Literal["sipregs_error"]


class Subscription(Model):
    """A subscription."""

    id: str
    type: EventType
    url: str


class SubscriptionAddition(Request):
    """A new subscription."""

    type: EventType = Field("sipregs_error", description="sipregs_error: a registration failed.")
    url: Text = Field(description="Where the event is sent (POST, JSON).")


def show(item: Webhook) -> dict[str, Any]:
    """Return a subscription as Subscription."""
    return {"id": item.id, "type": item.type, "url": item.url}
