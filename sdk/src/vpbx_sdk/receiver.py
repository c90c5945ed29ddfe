"""What the PBX tells a CRM, typed: one class, for any web framework.

    receiver = Receiver(token="TOKEN", secret="whsec_…")    # a secret where commands are signed

    @receiver.on_contact
    def who(contact: Contact) -> ContactAnswer | None: ...

    @receiver.on_history
    def over(call: History) -> None: ...

    app = receiver.asgi()                      # Starlette, FastAPI: mount it
    app = receiver.wsgi()                      # Flask, Django: mount it
    status, body = receiver.handle(content_type, raw_body, headers)   # anything else

`receiver.calls` knows who rings and who talks. Handlers may be coroutines (`async def`).

A command that came before is not handed on again: delivery is at least once. One that is not for
us (a wrong token or signature) is 403. A handler that fails is 500, so that the PBX sends it
again; one that is still at work on the same command is 503.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import inspect
import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

from vpbx_sdk.calls import Calls
from vpbx_sdk.commands import (
    Command,
    Contact,
    ContactAnswer,
    Event,
    History,
    Rating,
    Webhook,
    command_of,
    read_fields,
)

__all__ = ["Receiver"]

log = logging.getLogger("vpbx_sdk")

MAX_BODY = 1_000_000
"""Bytes of a command that are read; a real one has less than a thousand."""
_REMEMBERED = 10_000
_LONGEST_TIME = 20
"""Digits of a signature's time (seconds since 1970)."""
_KEY = ("callid", "type", "user", "time", "second_callid", "id", "data")

Fields = dict[str, str]
Answer = tuple[int, dict[str, str]]
F = TypeVar("F", bound=Callable[[Any], Any])


class Receiver:
    """Takes commands, hands them to functions, answers the PBX.

    token: `crm_token`, as the PBX has it; secret: that of `vpbx crm set --sign`, then a command
    without a right signature, or with one older than `tolerance_s`, is refused.
    """

    def __init__(self, token: str, *, secret: str = "", tolerance_s: float = 300.0) -> None:
        self.calls = Calls()
        """What goes on in calls, from what was told so far."""
        self._token = token.encode()
        self._secret = secret.encode()
        self._tolerance_s = tolerance_s
        self._seen: OrderedDict[tuple[str, ...], None] = OrderedDict()
        self._busy: set[tuple[str, ...]] = set()
        self._lock = threading.Lock()
        self._handlers: dict[type, Callable[[Any], Any]] = {}

    def on_contact(self, function: F) -> F:
        """Let `function` say who calls: Contact → ContactAnswer, or None for nobody known."""
        return self._on(Contact, function)

    def on_event(self, function: F) -> F:
        """Let `function` see each Event."""
        return self._on(Event, function)

    def on_history(self, function: F) -> F:
        """Let `function` see each call that is over, as History."""
        return self._on(History, function)

    def on_rating(self, function: F) -> F:
        """Let `function` see each Rating."""
        return self._on(Rating, function)

    def on_webhook(self, function: F) -> F:
        """Let `function` see what was subscribed to, as Webhook."""
        return self._on(Webhook, function)

    def _on(self, kind: type, function: F) -> F:
        self._handlers[kind] = function
        return function

    # -- one command -----------------------------------------------------------------------------

    def handle(
        self, content_type: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Take one POST; return the status and the JSON object to answer.

        `headers` (of any case) are needed where commands are signed, and tell deliveries apart.
        """
        given = {name.lower(): value for name, value in (headers or {}).items()}
        fields, refusal = self._let_in(content_type, body, given)
        if refusal is not None:
            return refusal
        return self.take(fields, given.get("x-vpbx-delivery", ""))

    async def handle_async(
        self, content_type: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The same in an event loop: coroutines are awaited, functions run in a thread."""
        given = {name.lower(): value for name, value in (headers or {}).items()}
        fields, refusal = self._let_in(content_type, body, given)
        if refusal is not None:
            return refusal
        key, command, answer = self._begin(fields, given.get("x-vpbx-delivery", ""))
        if answer is not None or command is None:
            return answer or (200, {})
        done = False
        try:
            handler = self._handlers.get(type(command))
            if inspect.iscoroutinefunction(handler):
                found = await handler(command)
            elif handler is not None:
                found = await asyncio.to_thread(handler, command)
            else:
                found = None
            done = True
            return 200, _said(found)
        except Exception:
            log.exception("a handler failed: %s", type(command).__name__)
            return 500, {"error": "the handler failed"}
        finally:
            self._end(key, done=done)

    def take(self, fields: Mapping[str, str], delivery: str = "") -> Answer:
        """Take a command that is known to be the PBX's: one that was fetched (`vpbx_sdk.Poller`).

        delivery: tells it from all others; without one, what it says does.
        """
        key, command, answer = self._begin(dict(fields), delivery)
        if answer is not None or command is None:
            return answer or (200, {})
        done = False
        try:
            handler = self._handlers.get(type(command))
            found = handler(command) if handler is not None else None
            if inspect.isawaitable(found):
                found = asyncio.run(_waited(found))
            done = True
            return 200, _said(found)
        except Exception:
            log.exception("a handler failed: %s", type(command).__name__)
            return 500, {"error": "the handler failed"}
        finally:
            self._end(key, done=done)

    def _let_in(
        self, content_type: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[Fields, Answer | None]:
        """Return the fields of a command, or why it is refused."""
        if self._secret and not self._is_signed(body, headers.get("x-vpbx-signature", "")):
            return {}, (403, {"error": "no valid signature"})
        try:
            fields = read_fields(content_type, body)
        except ValueError:
            return {}, (400, {"error": "neither a form nor JSON"})
        if not hmac.compare_digest(fields.pop("crm_token", "").encode(), self._token):
            return {}, (403, {"error": "wrong crm_token"})
        return fields, None

    def _is_signed(self, body: bytes, header: str) -> bool:
        parts = dict(part.strip().partition("=")[::2] for part in header.split(","))
        at, given = parts.get("t", ""), parts.get("v1", "")
        if not (at.isascii() and at.isdigit() and len(at) < _LONGEST_TIME):
            return False
        expected = hmac.new(self._secret, at.encode() + b"." + body, hashlib.sha256).hexdigest()
        fresh = abs(time.time() - int(at)) <= self._tolerance_s
        return hmac.compare_digest(expected.encode(), given.encode()) and fresh

    def _begin(
        self, fields: Fields, delivery: str
    ) -> tuple[tuple[str, ...], Command | None, Answer | None]:
        """Return what tells the command apart, and the command; or what is answered at once."""
        cmd = fields.pop("cmd", "")
        command = command_of(cmd, fields)
        if command is None:  # what a newer PBX tells is no fault of it
            return (), None, (200, {})
        if isinstance(command, Contact):  # a question is answered each time
            self.calls.take(command)
            return (), command, None
        said = (cmd, *(fields.get(name, "") for name in _KEY))
        key = ("delivery", delivery) if delivery else said
        certain = delivery or cmd != "event" or fields.get("time")
        with self._lock:
            if key in self._seen and certain:
                return key, None, (200, {})  # an event without its time may have happened again
            if key in self._busy:
                return key, None, (503, {"error": "the same command is still being handled"})
            self._busy.add(key)
        self.calls.take(command)
        return key, command, None

    def _end(self, key: tuple[str, ...], *, done: bool) -> None:
        if not key:
            return
        with self._lock:
            self._busy.discard(key)
            if done:
                self._seen[key] = None
                if len(self._seen) > _REMEMBERED:
                    self._seen.popitem(last=False)

    # -- frameworks ------------------------------------------------------------------------------

    def wsgi(self) -> Callable[..., Iterable[bytes]]:
        """Return a WSGI application."""

        def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            length = environ.get("CONTENT_LENGTH") or "0"
            size = int(length) if length.isascii() and length.isdigit() else 0
            if environ["REQUEST_METHOD"] != "POST":
                status, answer = _NOT_POST
            elif size > MAX_BODY:
                status, answer = _TOO_LARGE
            else:
                headers = {
                    name[5:].replace("_", "-"): value
                    for name, value in environ.items()
                    if name.startswith("HTTP_")
                }
                kind = environ.get("CONTENT_TYPE", "")
                status, answer = self.handle(kind, environ["wsgi.input"].read(size), headers)
            start_response(f"{status} {_WORDS[status]}", [("Content-Type", "application/json")])
            return [json.dumps(answer).encode()]

        return app

    def asgi(self) -> Callable[..., Awaitable[None]]:
        """Return an ASGI application; handlers that are no coroutines run in a thread."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                await _live(receive, send)
                return
            if scope["type"] != "http":
                return
            body = await _body(receive)
            if scope["method"] != "POST":
                status, answer = _NOT_POST
            elif body is None:
                status, answer = _TOO_LARGE
            else:
                headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in scope["headers"]}
                kind = headers.get("content-type", "")
                status, answer = await self.handle_async(kind, body, headers)
            sent = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": status, "headers": sent})
            await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

        return app


_NOT_POST: Answer = (405, {"error": "POST only"})
_TOO_LARGE: Answer = (413, {"error": "too large"})
_WORDS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    405: "Method Not Allowed",
    413: "Content Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def _said(found: Any) -> dict[str, str]:
    """Return the answer to a question; to all else there is none."""
    if not isinstance(found, ContactAnswer):
        return {}
    known = {"contact_name": found.contact_name, "responsible": found.responsible}
    return {name: value for name, value in known.items() if value}


async def _waited(found: Awaitable[Any]) -> Any:
    return await found


async def _live(receive: Any, send: Any) -> None:
    """Start and stop as an ASGI server asks."""
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _body(receive: Any) -> bytes | None:
    """Return the body of a request; None: it is too large."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY or message["type"] == "http.disconnect":
            return None
        more = message.get("more_body", False)
    return body
