"""The CRM API of virtual PBXs (`/crmapi/v1`), both ways, for any cloud that speaks it.

    from vpbx_sdk import Client, api

    with Client("https://acme.example:8443", "KEY") as pbx:
        olga = pbx(api.users.get("olga", status=True))
        made = pbx(api.make_call(phone="+7 910 123-45-67", user="olga"))
        for call in pbx.each(api.history.external(period="today")):
            print(call.start, call.client, call.duration)

`api` says what can be asked, as values; a client carries them out: `Client` at once,
`AsyncClient` with `await`. `Receiver` takes what the PBX tells a CRM, and knows from it who rings
and who talks; `Poller` fetches the same where nothing can be received. `vpbx_sdk.testing` is a
PBX for tests.
"""

from vpbx_sdk import api
from vpbx_sdk.calls import Call, Calls
from vpbx_sdk.client import AsyncClient, Client
from vpbx_sdk.commands import Contact, ContactAnswer, Event, History, Rating, Webhook
from vpbx_sdk.errors import (
    ApiError,
    Forbidden,
    NotFound,
    RateLimited,
    ServerFault,
    Unauthorized,
    Unreachable,
    ValidationFault,
    VpbxError,
)
from vpbx_sdk.numbers import normalize
from vpbx_sdk.polling import HandlerFailed, Poller
from vpbx_sdk.receiver import Receiver

__all__ = [
    "ApiError",
    "AsyncClient",
    "Call",
    "Calls",
    "Client",
    "Contact",
    "ContactAnswer",
    "Event",
    "Forbidden",
    "HandlerFailed",
    "History",
    "NotFound",
    "Poller",
    "RateLimited",
    "Rating",
    "Receiver",
    "ServerFault",
    "Unauthorized",
    "Unreachable",
    "ValidationFault",
    "VpbxError",
    "Webhook",
    "api",
    "normalize",
]
