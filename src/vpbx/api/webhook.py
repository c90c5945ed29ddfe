"""Webhook subscriptions (crm-api §17)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from starlette.responses import Response

from vpbx.api.answer import answer, no_content
from vpbx.api.fields import Name, Request
from vpbx.api.models import Model
from vpbx.api.operation import Call, Section
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
    url: Name = Field(description="Where the event is sent (POST, JSON).")


def show(item: Webhook) -> dict[str, Any]:
    """Return a subscription as Subscription."""
    return {"id": item.id, "type": item.type, "url": item.url}


SHOWN = {
    "id": "898254be-e2cd-4e8a-90d1-1615a42eb2dd",
    "type": "sipregs_error",
    "url": "https://webhook.test/31db9d90-fa0c-493c-a468-886c2b702778",
}


@section.get("/webhook", answer=list[Subscription], shows=[SHOWN], summary="List of subscriptions")
async def list_subscriptions(call: Call) -> Response:
    """All subscriptions of the company."""
    return answer([show(item) for item in await call.services.directory.webhooks.list(call.domain)])


@section.post(
    "/webhook",
    body=SubscriptionAddition,
    answer=Subscription,
    example={"type": SHOWN["type"], "url": SHOWN["url"]},
    shows=SHOWN,
    summary="Adding a subscription",
)
async def add_subscription(call: Call, params: SubscriptionAddition) -> Response:
    """When the event occurs, `{cmd: "webhook", type, crm_token, id, data}` is posted to `url`."""
    return answer(show(await call.services.directory.webhooks.add(call.domain, params.sent())))


@section.delete("/webhook/{id}", summary="Deleting a subscription")
async def delete_subscription(call: Call) -> Response:
    """No more events are sent."""
    await call.services.directory.webhooks.delete(call.domain, call.path["id"])
    return no_content()
