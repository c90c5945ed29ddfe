"""What the PBX tells a CRM, typed: one class, for any web framework.

    receiver = Receiver(token="TOKEN")

    @receiver.on_contact
    def who(contact: Contact) -> ContactAnswer | None: ...

    @receiver.on_history
    def over(call: History) -> None: ...

    app = receiver.asgi()                      # Starlette, FastAPI: mount it
    app = receiver.wsgi()                      # Flask, Django
    status, body = receiver.handle(content_type, raw_body, headers)   # anything else

A command that came before is not handed on again (delivery is at least once). One that is not
for us (a wrong token) is 403. A handler that fails is 500, so that the PBX sends it again.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

__all__ = ["Contact", "ContactAnswer", "Event", "History", "Rating", "Receiver"]

log = logging.getLogger("vpbx_sdk")

_REMEMBERED = 10_000
_TIME = "%Y%m%dT%H%M%SZ"


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


def _whole(text: Any) -> int:
    return int(text) if str(text).isdigit() else 0


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


def _event(f: Mapping[str, str]) -> Event:
    return Event(
        f.get("type", ""),
        f.get("callid", ""),
        f.get("phone", ""),
        f.get("user", ""),
        f.get("direction", ""),
        f.get("diversion", ""),
        f.get("ext", ""),
        f.get("groupRealName", ""),
        f.get("second_callid", ""),
        _time(f.get("time", "")),
        f,
    )


def _history(f: Mapping[str, str]) -> History:
    return History(
        f.get("callid", ""),
        f.get("type", ""),
        f.get("status", ""),
        f.get("user", ""),
        f.get("phone", ""),
        f.get("diversion", ""),
        _time(f.get("start", "")),
        _whole(f.get("duration", "0")),
        _whole(f.get("wait", "0")),
        f.get("ext", ""),
        f.get("link", ""),
        _whole(f["rating"]) if f.get("rating") else None,
        f,
    )


class Receiver:
    """Takes commands, hands them to functions, answers the PBX."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._seen: OrderedDict[tuple[str, ...], None] = OrderedDict()
        self._contact: Callable[[Contact], ContactAnswer | None] | None = None
        self._event: Callable[[Event], None] | None = None
        self._history: Callable[[History], None] | None = None
        self._rating: Callable[[Rating], None] | None = None

    def on_contact(
        self, function: Callable[[Contact], ContactAnswer | None]
    ) -> Callable[[Contact], ContactAnswer | None]:
        """Let `function` say who calls."""
        self._contact = function
        return function

    def on_event(self, function: Callable[[Event], None]) -> Callable[[Event], None]:
        """Let `function` see each event."""
        self._event = function
        return function

    def on_history(self, function: Callable[[History], None]) -> Callable[[History], None]:
        """Let `function` see each call that is over."""
        self._history = function
        return function

    def on_rating(self, function: Callable[[Rating], None]) -> Callable[[Rating], None]:
        """Let `function` see each rating."""
        self._rating = function
        return function

    def handle(self, content_type: str, body: bytes) -> tuple[int, dict[str, str]]:
        """Take one POST; return the status and the JSON object to answer."""
        try:
            fields = _fields(content_type, body)
        except ValueError:
            return 400, {"error": "neither a form nor JSON"}
        given = fields.pop("crm_token", "").encode()
        if not hmac.compare_digest(given, self._token):
            return 403, {"error": "wrong crm_token"}
        cmd = fields.pop("cmd", "")
        if cmd not in ("contact", "event", "history", "rating"):
            return 200, {}  # what a newer PBX tells is no fault of it
        try:
            return 200, self._hand_on(cmd, fields)
        except Exception:
            log.exception("a handler failed: %s", cmd)
            return 500, {"error": "the handler failed"}

    def _hand_on(self, cmd: str, fields: dict[str, str]) -> dict[str, str]:
        if cmd == "contact":
            contact = Contact(
                fields.get("phone", ""),
                fields.get("callid", ""),
                fields.get("diversion", ""),
                fields,
            )
            answer = self._contact(contact) if self._contact is not None else None
            found = answer or ContactAnswer()
            known = {"contact_name": found.contact_name, "responsible": found.responsible}
            return {name: value for name, value in known.items() if value}
        key = (cmd, *(fields.get(name, "") for name in _KEY))
        if key in self._seen and (cmd != "event" or fields.get("time")):
            return {}  # an event without its time may well have happened again
        if cmd == "event" and self._event is not None:
            self._event(_event(fields))
        elif cmd == "history" and self._history is not None:
            self._history(_history(fields))
        elif cmd == "rating" and self._rating is not None:
            mark = _whole(fields.get("rating", "0"))
            callid, phone = fields.get("callid", ""), fields.get("phone", "")
            self._rating(Rating(callid, phone, mark, fields.get("user", ""), fields))
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return {}

    # -- frameworks ------------------------------------------------------------------------------

    def wsgi(self) -> Callable[..., Iterable[bytes]]:
        """Return a WSGI application."""

        def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            length = _whole(environ.get("CONTENT_LENGTH") or "0")
            body = environ["wsgi.input"].read(length)
            status, answer = self._answer(
                environ["REQUEST_METHOD"], environ.get("CONTENT_TYPE", ""), body
            )
            start_response(f"{status} {_WORDS[status]}", [("Content-Type", "application/json")])
            return [json.dumps(answer).encode()]

        return app

    def asgi(self) -> Callable[..., Awaitable[None]]:
        """Return an ASGI application; handlers run in a thread, so that they may wait."""
        import asyncio

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                return
            body = b""
            more = True
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
            headers = {name.lower(): value for name, value in scope["headers"]}
            kind = headers.get(b"content-type", b"").decode("latin-1")
            status, answer = await asyncio.to_thread(self._answer, scope["method"], kind, body)
            sent = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": status, "headers": sent})
            await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

        return app

    def _answer(self, method: str, content_type: str, body: bytes) -> tuple[int, dict[str, str]]:
        if method != "POST":
            return 405, {"error": "POST only"}
        return self.handle(content_type, body)


_KEY = ("callid", "type", "user", "time", "second_callid")
_WORDS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    405: "Method Not Allowed",
    500: "Internal Server Error",
}


def _fields(content_type: str, body: bytes) -> dict[str, str]:
    """Read a form or JSON into text fields; ValueError when it is neither."""
    if "json" in content_type:
        found = json.loads(body)
        if not isinstance(found, dict):
            raise ValueError("no object")
        return {str(name): "" if value is None else str(value) for name, value in found.items()}
    return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True))
