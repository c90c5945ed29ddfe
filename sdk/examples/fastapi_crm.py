"""Who calls, and whom nobody answered (FastAPI).

CRM_TOKEN=TOKEN python fastapi_crm.py
vpbx crm set acme.example --url http://127.0.0.1:8000/pbx --token TOKEN
"""

import os

import uvicorn
from fastapi import FastAPI

from vpbx_sdk import Contact, ContactAnswer, History, Receiver

app = FastAPI()
receiver = Receiver(os.environ["CRM_TOKEN"], secret=os.environ.get("CRM_SECRET", ""))
app.mount("/pbx", receiver.asgi())
to_call_back: dict[str, str] = {}


@receiver.on_contact
async def who(contact: Contact) -> ContactAnswer | None:
    return ContactAnswer(contact_name="Ivan Petrov") if contact.phone == "79101112233" else None


@receiver.on_history
async def over(call: History) -> None:
    """A missed customer is to be called back, until somebody has talked to them."""
    if call.status == "Success":
        to_call_back.pop(call.phone, None)
    elif call.type == "in":
        to_call_back[call.phone] = call.callid


@app.get("/missed")
async def missed() -> list[str]:
    return list(to_call_back)


@app.get("/now")
async def now() -> list[dict[str, str]]:
    return [
        {"phone": call.phone, "state": call.state, "user": call.user}
        for call in receiver.calls.active()
    ]


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")), log_level="warning")
