"""The CRM that the PBX sees: commands in, statements out."""

from __future__ import annotations

import hmac
import json
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from vpbx.bridge.config import BridgeConfig
from vpbx.bridge.store import Away, Store

__all__ = ["make_app"]

_MOST_BYTES = 64 * 1024
_WRITTEN = ("history", "event", "rating")


def make_app(config: BridgeConfig, store: Store) -> Starlette:
    """Return the application; the PBX's CRM address is any path of it."""
    token = config.token.encode()

    async def take(request: Request) -> JSONResponse:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MOST_BYTES:
                return JSONResponse({"error": "too large"}, 413)
        try:
            fields = _fields(request.headers.get("content-type", ""), body)
        except ValueError:
            return JSONResponse({"error": "neither a form nor JSON"}, 400)
        if not hmac.compare_digest(fields.pop("crm_token", "").encode(), token):
            return JSONResponse({"error": "wrong crm_token"}, 403)
        return await answer(fields.pop("cmd", ""), fields)

    async def answer(cmd: str, fields: dict[str, str]) -> JSONResponse:
        if cmd == "contact":
            return JSONResponse(await store.contact(fields))
        if cmd in _WRITTEN:
            try:
                await store.write(cmd, fields)
            except Away as away:
                return JSONResponse({"error": str(away)[:200]}, 503, {"Retry-After": "5"})
        return JSONResponse({})

    return Starlette(routes=[Route("/{path:path}", take, methods=["POST"])])


def _fields(content_type: str, body: bytes) -> dict[str, str]:
    if "json" in content_type:
        found: Any = json.loads(body)
        if not isinstance(found, dict):
            raise ValueError("no object")
        return {str(name): "" if value is None else str(value) for name, value in found.items()}
    return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True))
