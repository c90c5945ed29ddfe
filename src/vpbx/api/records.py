"""Recordings of calls, by signed link (crm-api §4): no key needed, none is looked at."""

from __future__ import annotations

import os
from email.utils import parsedate_to_datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from vpbx.api import history
from vpbx.api.errors import ApiError, not_found, refuse
from vpbx.api.models import Error
from vpbx.api.services import ApiServices
from vpbx.history import PDF, Recording

__all__ = ["RecordEndpoint"]

AUDIO = "audio/mpeg"
DOCUMENT = "application/pdf"
RETRY_S = 5
_SOUND = {AUDIO: {"schema": {"type": "string", "format": "binary"}}}
DESCRIPTION: dict[str, Any] = {
    "summary": "A recording",
    "description": "What `record` and `link` point to. Needs no key; the signature is the "
    "secret. Range requests work; while the recording is being encoded the request waits. Of a "
    "fax it is a PDF, and the link ends in `.pdf`.",
    "tags": [history.section.title],
    "operation_id": "get_recording",
    "response_class": Response,
    "responses": {
        200: {"description": "The recording.", "content": _SOUND},
        206: {"description": "The part asked for.", "content": _SOUND},
        304: {"description": "The client has it already."},
        404: {"description": "No such recording, or a wrong signature.", "model": Error},
        416: {"description": "No such part."},
        503: {"description": "Not yet encoded; see Retry-After.", "model": Error},
    },
    "openapi_extra": {
        "security": [],
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": description,
                "schema": {"type": "string"},
            }
            for name, description in (
                ("callid", "The call."),
                ("signature", "Made by the server; part of the link."),
            )
        ],
    },
}


class RecordEndpoint:
    """GET and HEAD of a recording: Range, ETag, and patience while it is being encoded."""

    def __init__(self, services: ApiServices) -> None:
        self._history = services.history
        self._wait_s = services.config.recording_wait_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        parameters = scope["path_params"]
        try:
            recording = await self._find(parameters["callid"], parameters["signature"])
            response = await run_in_threadpool(_response, recording, request)
        except ApiError as error:
            response = refuse(error)
        await response(scope, receive, send)

    async def _find(self, callid: str, signature: str) -> Recording:
        """Return the recording, complete. What is wrong with a link is not told: 404."""
        found = await self._history.recording(callid)
        if found is None or not self._history.links.verify(found.domain_id, callid, signature):
            raise not_found()
        if not found.ready:
            found = await self._history.recording(callid, wait_s=self._wait_s)
        if found is None:
            raise not_found()
        if not found.ready:
            headers = {"Retry-After": str(RETRY_S)}
            raise ApiError(503, "Recording is being prepared", headers=headers)
        return found


def _response(recording: Recording, request: Request) -> Response:
    try:
        stat = os.stat(recording.path)
    except OSError:
        raise not_found() from None
    response = FileResponse(
        recording.path,
        media_type=DOCUMENT if recording.path.suffix == PDF else AUDIO,
        stat_result=stat,
        filename=f"{recording.callid}{recording.path.suffix}",
        content_disposition_type="inline",
        headers={"Cache-Control": "private, max-age=86400"},
    )
    if _is_known(request, response):
        kept = {k: response.headers[k] for k in ("etag", "last-modified", "cache-control")}
        return Response(status_code=304, headers=kept)
    return response


def _is_known(request: Request, response: Response) -> bool:
    """Tell whether the client has the file already (RFC 9110 §13.2.2)."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        mine = response.headers["etag"]
        return any(tag.strip().removeprefix("W/") in (mine, "*") for tag in tags.split(","))
    since = request.headers.get("if-modified-since")
    if since is None:
        return False
    try:
        changed = parsedate_to_datetime(response.headers["last-modified"])
        return changed <= parsedate_to_datetime(since)
    except (TypeError, ValueError):
        return False
