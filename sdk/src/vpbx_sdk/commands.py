"""What a PBX tells a CRM, as typed values (`/crmapi/v1` §2).

`fields` of each has everything that came, as text: what a newer PBX adds is there too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

__all__ = [
    "Command",
    "Contact",
    "ContactAnswer",
    "Event",
    "History",
    "Rating",
    "Webhook",
    "command_of",
    "read_fields",
]

_TIME = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Contact:
    """Somebody calls: who are they? Answer within the PBX's patience (2 s by default)."""

    phone: str
    callid: str
    diversion: str
    fields: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class ContactAnswer:
    """What the CRM knows: the name to show, and who is responsible (login, ext or number)."""

    contact_name: str = ""
    responsible: str = ""


@dataclass(frozen=True)
class Event:
    """Something happens in a call: INCOMING, ACCEPTED, COMPLETED, CANCELLED, OUTGOING,
    TRANSFERRED (to `second_callid`)."""

    type: str
    callid: str
    phone: str
    user: str
    direction: str
    diversion: str
    ext: str
    group: str
    second_callid: str
    time: datetime | None
    fields: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class History:
    """A call is over. duration and wait: seconds."""

    callid: str
    type: str
    status: str
    user: str
    phone: str
    diversion: str
    start: datetime | None
    duration: int
    wait: int
    ext: str
    link: str
    rating: int | None
    fields: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Rating:
    """The customer rated the employee."""

    callid: str
    phone: str
    rating: int
    user: str
    fields: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Webhook:
    """What was subscribed to by `api.webhooks.add`: `sipregs_error`, say."""

    type: str
    id: str
    data: Mapping[str, Any]
    fields: Mapping[str, str] = field(repr=False)


Command: TypeAlias = Contact | Event | History | Rating | Webhook


def command_of(cmd: str, fields: Mapping[str, str]) -> Command | None:
    """Return the command that `fields` are; None for one that is not known here."""
    text = _Texts(fields)
    if cmd == "contact":
        return Contact(text["phone"], text["callid"], text["diversion"], fields)
    if cmd == "event":
        return _event(text, fields)
    if cmd == "history":
        return _history(text, fields)
    if cmd == "rating":
        mark = _whole(text["rating"])
        return Rating(text["callid"], text["phone"], mark, text["user"], fields)
    if cmd == "webhook":
        return Webhook(text["type"], text["id"], _object(text["data"]), fields)
    return None


def _event(text: _Texts, fields: Mapping[str, str]) -> Event:
    return Event(
        type=text["type"],
        callid=text["callid"],
        phone=text["phone"],
        user=text["user"],
        direction=text["direction"],
        diversion=text["diversion"],
        ext=text["ext"],
        group=text["groupRealName"],
        second_callid=text["second_callid"],
        time=_time(text["time"]),
        fields=fields,
    )


def _history(text: _Texts, fields: Mapping[str, str]) -> History:
    return History(
        callid=text["callid"],
        type=text["type"],
        status=text["status"],
        user=text["user"],
        phone=text["phone"],
        diversion=text["diversion"],
        start=_time(text["start"]),
        duration=_whole(text["duration"]),
        wait=_whole(text["wait"]),
        ext=text["ext"],
        link=text["link"],
        rating=_whole(text["rating"]) if text["rating"] else None,
        fields=fields,
    )


def read_fields(content_type: str, body: bytes) -> dict[str, str]:
    """Read a form or JSON into text fields; ValueError when it is neither."""
    if "json" in content_type.lower():
        try:
            found = json.loads(body)
        except RecursionError:
            raise ValueError("nested too deep") from None
        if not isinstance(found, dict):
            raise ValueError("no object")
        fields = {str(name): as_text(value) for name, value in found.items()}
        "".join((*fields, *fields.values())).encode()  # halves of characters are no text
        return fields
    return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True))


def as_text(value: Any) -> str:
    """Return a member of a command as a form would have it; objects and lists as JSON."""
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


class _Texts:
    """Fields of which each that is missing is empty."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> str:
        return self._fields.get(name, "")


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
