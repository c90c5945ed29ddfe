"""What another PBX asks over HTTPS: `/branch/v1/challenge` and `/branch/v1/exchange`.

No part of the CRM API: its own paths, its own proof (`vpbx.branches`). The gate before it lets
plain HTTP in from this machine only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from vpbx.api.routing import route_to
from vpbx.branches import Answering, Refusal

__all__ = ["PATH", "routes"]

PATH = "/branch/v1"
_MAX_BODY = 4 << 20


class _Endpoint:
    def __init__(self, work: Callable[[bytes], Awaitable[dict[str, Any]]]) -> None:
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> JSONResponse:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BODY:
                return JSONResponse({"reason": "too large"}, 413)
        try:
            return JSONResponse(await self._work(bytes(body)))
        except Refusal as refusal:
            return JSONResponse({"reason": refusal.reason}, refusal.status)


def routes(answering: Answering) -> list[Route]:
    """Return the two routes."""
    return [
        route_to(f"{PATH}/challenge", "POST", _Endpoint(answering.challenge)),
        route_to(f"{PATH}/exchange", "POST", _Endpoint(answering.exchange)),
    ]
