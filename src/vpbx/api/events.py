"""What was sent to the CRM, for those who fetch instead of receiving (ours, beyond crm-api)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Literal

from pydantic import Field
from starlette.responses import Response, StreamingResponse

from vpbx.api.answer import answer, no_content
from vpbx.api.errors import not_found, refuse_fields
from vpbx.api.fields import Request, Text
from vpbx.api.models import Model
from vpbx.api.operation import Call, Section
from vpbx.api.services import Commands
from vpbx.directory import FieldError

__all__ = ["lines", "section"]

section = Section(
    "Commands sent (ours)",
    "Every command to the CRM, with what came of it, for 30 days or as long as the server keeps "
    "it. A CRM that cannot be reached "
    "from outside fetches its commands here: keep the last `id` and ask for what came after it.",
)

VIEW = ("Main settings", "View")
EDIT = ("Main settings", "Editing")
MAX_LIMIT = 1000
_MAX_ID = (1 << 63) - 1

SHOWN = {
    "id": "7394857643219841024",
    "cmd": "history",
    "callid": "59978031938000",
    "address": "main",
    "time": "2026-11-26T04:33:52.118Z",
    "command": {"cmd": "history", "type": "in", "user": "olga", "phone": "79101112233"},
    "state": "taken",
    "format": "form",
    "attempts": 1,
    "status": 200,
    "latency_ms": 12,
    "answer": "{}",
    "error": "",
    "done": "2026-11-26T04:33:52.131Z",
    "next_try": "",
    "tries": [],
    "replay_of": "",
}


class Try(Model):
    """An attempt that failed, or came after one that did."""

    time: str
    status: int = Field(description="Of HTTP; 0: there was no answer.")
    latency_ms: int
    error: str


class CommandEvent(Model):
    """A command, and what came of it."""

    id: str = Field(description="Grows in the order in which commands can be seen.")
    cmd: Literal["history", "event", "rating", "contact", "webhook"]
    callid: str
    address: str = Field(
        description="Name of the company's address it is for; `webhook` for a subscription."
    )
    time: str = Field(description="When it was made: UTC, ISO 8601 with milliseconds.")
    command: dict[str, Any] = Field(description="What is sent, without `crm_token`.")
    state: Literal["waiting", "taken", "failed", "left out", "kept"] = Field(
        description="`failed` given up; `left out` an event too late to be news; `kept` no CRM "
        "address is set: to be fetched here."
    )
    format: str = Field(description="`form` or `json`, once sent.")
    attempts: int
    status: int = Field(description="Of the last answer; 0: there was none.")
    latency_ms: int
    answer: str = Field(description="The first 2 KiB of the last answer.")
    error: str
    done: str = Field(description="When it was taken, or given up; else empty.")
    next_try: str
    tries: list[Try]
    replay_of: str = Field(description="The `id` of what is sent once more, or empty.")


class EventsQuery(Request):
    """Which commands. An empty value is none."""

    after: Text = Field("", description="Only those after this `id`; `0`: from the oldest on.")
    limit: Text = Field("100", description="At most so many, up to 1000.")
    callid: Text = Field("", description="Of this call.")
    cmd: Text = Field("", description="Of this kind: history, event, rating, contact.")
    state: Text = Field("", description="In this state: failed, say.")
    address: Text = Field(
        "",
        description="Of this address of the company's; `all`: of every one. Without it the main "
        "one, so that each command comes once.",
    )


class StreamQuery(Request):
    """From where on."""

    after: Text = Field("", description="As `Last-Event-ID`; without both, from now on.")
    address: Text = Field("", description="As of GET /events.")


@section.get(
    "/events",
    query=EventsQuery,
    answer=list[CommandEvent],
    shows=[SHOWN],
    right=VIEW,
    summary="Commands sent",
)
async def list_events(call: Call, params: EventsQuery) -> Response:
    """In the order they came. Without `after` the newest."""
    limit = _number(params.limit or "100", "limit", MAX_LIMIT)
    found = await _commands(call).events(
        call.domain.id,
        after=_id(params.after, "after"),
        limit=max(1, limit),
        callid=params.callid,
        cmd=params.cmd,
        state=params.state,
        address=params.address,
    )
    return answer(found)


@section.get(
    "/events/stream",
    query=StreamQuery,
    answer=str,
    shows="id: 7394857643219841024\nevent: history\ndata: {...}\n\n",
    media_type="text/event-stream",
    right=VIEW,
    summary="Commands as they come",
)
async def stream_events(call: Call, params: StreamQuery) -> Response:
    """Server-sent events: `id`, `event` (the cmd) and `data` (as GET /events has it).

    A client that comes back with `Last-Event-ID` misses nothing.
    """
    last = call.request.headers.get("last-event-id", "") or params.after
    pieces = _commands(call).stream(call.domain.id, _id(last, "after"), params.address)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    told = lines(call, pieces)
    return StreamingResponse(told, media_type="text/event-stream", headers=headers)


@section.post("/events/{id}/replay", right=EDIT, summary="Sending a command once more")
async def replay_event(call: Call) -> Response:
    """The same command goes out again, as soon as live ones leave room."""
    number = _id(call.path["id"], "id")
    if number is None or not await _commands(call).replay(call.domain.id, number):
        raise not_found()
    return no_content()


async def lines(call: Call, pieces: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[bytes]:
    """A key that is revoked, or lost the right, is told nothing more."""
    yield b": hello\n\n"
    async for events in pieces:
        if not await call.is_still_let_in(VIEW):
            return
        if not events:
            yield b": nothing new\n\n"
            continue
        yield "".join(
            f"id: {event['id']}\nevent: {event['cmd']}\n"
            f"data: {json.dumps(event, ensure_ascii=False, separators=(',', ':'))}\n\n"
            for event in events
        ).encode()


def _commands(call: Call) -> Commands:
    commands = call.services.commands
    if commands is None:
        raise not_found()
    return commands


def _id(text: str, field: str) -> int | None:
    return _number(text, field, _MAX_ID) if text else None


def _number(text: str, field: str, most: int) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) <= most:
        return int(text)
    raise refuse_fields(FieldError(field, f"must be a whole number, at most {most}"))
