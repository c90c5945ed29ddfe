"""The commands that go to the CRM, for the OpenAPI document (`webhooks`; crm-api §2, §17)."""

from __future__ import annotations

from typing import Any

__all__ = ["WEBHOOKS"]

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "integer"}
_TIME: dict[str, Any] = {"type": "string", "pattern": r"^\d{8}T\d{6}Z$"}
_WORDS = {
    "cmd": "Which command.",
    "crm_token": "The token set for the CRM; also as header X-CRM-Token.",
    "type": "",
    "user": "Login of the employee.",
    "phone": "The customer's number, E.164 without +; `anonymous` for one who hides it.",
    "diversion": "Our number.",
    "start": "When the call began, UTC.",
    "time": "When it happened, UTC.",
    "duration": "Whole seconds of talk; 0 when nobody answered.",
    "wait": "Whole seconds from the start to the answer, or to the end.",
    "callid": "The call; `uid` in history. A retry or a replay has the same.",
    "status": "How the call ended.",
    "ext": "The employee's internal number.",
    "groupRealName": "Name of the department.",
    "telnum": "The employee's direct number.",
    "telnum_name": "Name of our number.",
    "link": "Of the recording; plays without a key, and waits until it is ready.",
    "rating": "What the customer pressed.",
    "direction": "Seen from the company.",
    "second_callid": "The call that goes on after a transfer.",
    "id": "The subscription.",
    "data": "What the event is about.",
}

_HEADERS = (
    ("X-CRM-Token", "The same as `crm_token`."),
    ("X-VPBX-Delivery", "The same in each attempt: drop what came twice."),
    ("X-VPBX-Signature", "`t=…,v1=…`: HMAC-SHA256 of `t.body`, where a secret is set."),
)


def _schema(always: dict[str, dict[str, Any]], known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(always),
        "properties": {
            name: {**kind, **({"description": _WORDS[name]} if _WORDS[name] else {})}
            for name, kind in {**always, **known}.items()
        },
    }


def _command(
    title: str,
    description: str,
    always: dict[str, dict[str, Any]],
    known: dict[str, dict[str, Any]],
    example: dict[str, Any],
    answer: dict[str, Any] | None = None,
    *,
    forms: bool = True,
) -> dict[str, Any]:
    """Return the path item of a command: members that are always there, and only if known."""
    schema = _schema({"cmd": {"const": example["cmd"]}, "crm_token": _TEXT, **always}, known)
    media: dict[str, Any] = {"schema": schema, "example": example}
    content = {"application/json": media}
    if forms:
        content = {"application/x-www-form-urlencoded": media, **content}
    taken: dict[str, Any] = {"description": "Any 2xx: taken. All else is tried again for 24 h."}
    if answer is not None:
        taken["content"] = {"application/json": answer}
    return {
        "post": {
            "summary": title,
            "description": description,
            "operationId": f"crm_{example['cmd']}",
            "tags": ["Commands to the CRM"],
            "security": [],
            "parameters": [
                {"name": name, "in": "header", "description": words, "schema": _TEXT}
                for name, words in _HEADERS
            ],
            "requestBody": {"required": True, "content": content},
            "responses": {"2XX": taken},
        }
    }


def _one_of(*words: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(words)}


_EMPLOYEE = {"ext": _TEXT, "groupRealName": _TEXT, "telnum": _TEXT, "telnum_name": _TEXT}
_BASE = {"cmd": "", "crm_token": "d47f9e88-cbe3-4961-8deb-ce55c169f40c"}

WEBHOOKS: dict[str, Any] = {
    "history": _command(
        "A call with the outside is over",
        "Sent when its row can be found in history.",
        {
            "type": _one_of("in", "out"),
            "user": _TEXT,
            "phone": _TEXT,
            "diversion": _TEXT,
            "start": _TIME,
            "duration": _NUMBER,
            "wait": _NUMBER,
            "callid": _TEXT,
            "status": _one_of(
                *("Success", "Missed", "Cancel", "Busy", "NotAvailable", "NotAllowed", "NotFound")
            ),
        },
        {**_EMPLOYEE, "link": _TEXT, "rating": _NUMBER},
        {
            **_BASE,
            "cmd": "history",
            "type": "in",
            "user": "olga",
            "phone": "79101112233",
            "diversion": "74951234567",
            "start": "20261126T043351Z",
            "duration": 23,
            "wait": 5,
            "callid": "59978031938000",
            "status": "Success",
            "ext": "701",
        },
    ),
    "event": _command(
        "Something happens in a call with the outside",
        "Those of one call come in order. Late ones are left out, unless they are wanted.",
        {
            "type": _one_of(
                *("INCOMING", "ACCEPTED", "COMPLETED", "CANCELLED", "OUTGOING", "TRANSFERRED")
            ),
            "callid": _TEXT,
            "phone": _TEXT,
            "user": _TEXT,
            "direction": _one_of("in", "out"),
            "time": _TIME,
            "start": _TIME,
        },
        {"diversion": _TEXT, **_EMPLOYEE, "second_callid": _TEXT},
        {
            **_BASE,
            "cmd": "event",
            "type": "INCOMING",
            "callid": "59978031938000",
            "phone": "79101112233",
            "user": "olga",
            "direction": "in",
            "ext": "701",
            "time": "20261126T043352Z",
            "start": "20261126T043351Z",
        },
    ),
    "contact": _command(
        "Who is calling?",
        "Asked before anybody is rung; what comes later than the limit changes nothing.",
        {"phone": _TEXT, "callid": _TEXT},
        {"diversion": _TEXT},
        {
            **_BASE,
            "cmd": "contact",
            "phone": "79101112233",
            "callid": "59978031938000",
            "diversion": "74951234567",
        },
        {
            "schema": {
                "type": "object",
                "properties": {"contact_name": _TEXT, "responsible": _TEXT},
            },
            "example": {"contact_name": "Ivan Petrov", "responsible": "olga"},
        },
    ),
    "rating": _command(
        "The customer rated the employee",
        "Sent when it can be found in history.",
        {"phone": _TEXT, "callid": _TEXT, "rating": _NUMBER, "user": _TEXT},
        {"ext": _TEXT},
        {
            **_BASE,
            "cmd": "rating",
            "phone": "79101112233",
            "callid": "59978031938000",
            "rating": 5,
            "user": "olga",
            "ext": "701",
        },
    ),
    "webhook": _command(
        "What was subscribed to by POST /webhook",
        "Goes to the address of the subscription.",
        {
            "type": _one_of("sipregs_error"),
            "id": _TEXT,
            "data": {"type": "object", "additionalProperties": _TEXT},
        },
        {},
        {
            **_BASE,
            "cmd": "webhook",
            "type": "sipregs_error",
            "id": "898254be-e2cd-4e8a-90d1-1615a42eb2dd",
            "data": {"telnum": "79001112233", "name": "Office", "domain": "sip.example"},
        },
        forms=False,
    ),
}
