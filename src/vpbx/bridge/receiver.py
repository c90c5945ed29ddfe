"""The CRM that the PBX sees: commands in, statements out."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from vpbx.bridge.config import BridgeConfig
from vpbx.bridge.store import Away, Store

__all__ = ["make_app"]

_MOST_BYTES = 64 * 1024
_WRITTEN = ("history", "event", "rating")

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]


def make_app(config: BridgeConfig, store: Store) -> App:
    """Return the application (ASGI); the PBX's CRM address is any path of it."""
    token = config.token.encode()

    async def take(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] != "POST":
            await _answer(send, 405, {"error": "commands come by POST"}, (b"allow", b"POST"))
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > _MOST_BYTES:
                await _answer(send, 413, {"error": "too large"})
                return
            if not message.get("more_body"):
                break
        headers = dict(scope["headers"])
        try:
            fields = _fields(headers.get(b"content-type", b""), body)
        except (ValueError, RecursionError):
            await _answer(send, 400, {"error": "neither a form nor JSON"})
            return
        told = fields.pop("crm_token", "").encode() or headers.get(b"x-crm-token", b"")
        if not hmac.compare_digest(told, token):
            await _answer(send, 403, {"error": "wrong crm_token"})
            return
        try:
            answer = await _carry_out(store, fields.pop("cmd", ""), fields)
        except Away as away:
            reason = {"error": str(away)[:200]}
            await _answer(send, 503, reason, (b"retry-after", b"5"))
        else:
            await _answer(send, 200, answer)

    return take


async def _carry_out(store: Store, cmd: str, fields: dict[str, str]) -> dict[str, str]:
    if cmd == "contact":
        return await store.contact(fields)
    if cmd in _WRITTEN:
        if fields.get("test"):  # `vpbx crm test`: nothing has happened
            await store.try_out(cmd, fields)
        else:
            await store.write(cmd, fields)
    return {}


async def _answer(
    send: Send, status: int, content: dict[str, str], *more: tuple[bytes, bytes]
) -> None:
    body = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _fields(content_type: bytes, body: bytes) -> dict[str, str]:
    if b"json" in content_type:
        found: Any = json.loads(body)
        if not isinstance(found, dict):
            raise ValueError("no object")
        texts = {str(name): "" if value is None else str(value) for name, value in found.items()}
        "".join((*texts, *texts.values())).encode()  # halves of characters are no text
        return texts
    return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True))
