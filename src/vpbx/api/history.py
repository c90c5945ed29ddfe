"""Call history (crm-api §4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

from pydantic import Field
from starlette.responses import Response, StreamingResponse

from vpbx.api.errors import refuse_fields
from vpbx.api.fields import Positive, Request, Text
from vpbx.api.models import Model, only_if
from vpbx.api.operation import Call, Section
from vpbx.directory import FieldError, normalize
from vpbx.history import InvalidQuery, Query, select_period

__all__ = ["section"]

section = Section(
    "Call history",
    "Newest first. `period` beats start and end; no end: now; no start: the start of the local "
    "day of end; nothing: today. Days and weeks (Monday first) are in the domain's time zone.",
)

JSON = "application/json"
CSV = "text/csv"
AT_ONCE_BYTES = 128 * 1024
"""An answer up to this size goes out whole, with its length; a bigger one is streamed."""

EXTERNAL = {
    "uid": "1755936870",
    "type": "in",
    "status": "success",
    "client": "79008003396",
    "account": "admin",
    "diversion": "79001112233",
    "destination": "user",
    "user": "admin",
    "user_name": "Administrator",
    "group_name": "",
    "start": "2022-01-20T08:58:42Z",
    "wait": 5,
    "duration": 23,
    "record": "",
}
INNER = {
    "uid": "3934307521",
    "status": "noanswer",
    "from": "admin",
    "to": "manager",
    "from_name": "admin",
    "to_name": "Ivan",
    "start": "2022-01-20T08:59:22Z",
    "wait": 13,
    "duration": 0,
    "record": "",
}
EXTERNAL_CSV = (
    "1755936870,success,79008003396,admin@acme.vpbx.example,79001112233,"
    "2022-01-20T08:58:42Z,5,23,\r\n"
)
INNER_CSV = (
    "3934307521,noanswer,admin@acme.vpbx.example,manager@acme.vpbx.example,"
    "2022-01-20T08:59:22Z,13,0,\r\n"
)

PeriodName = Literal[
    "today",
    "yesterday",
    "this_week",
    "last_week",
    "this_month",
    "last_month",
    "week",
    "month",
]
Destination = Literal[
    "", "user", "group", "telnum", "ivr", "onduty", "offtime", "hello", "vm", "am"
]
ExternalStatus = Literal[
    "success", "missed", "cancel", "busy", "notavailable", "notallowed", "notfound"
]
RECORD = "Link to the recording, playable without a key; or empty."


class ExternalRow(Model):
    """A call with the outside."""

    uid: str = Field(description="The same as `callid` of commands and makecall.")
    type: Literal["in", "out"]
    status: ExternalStatus
    client: str = Field(description="The customer's number.")
    account: str = Field(
        description="Login of who talked; else the department's id; else `ivr`, `fax`…"
    )
    diversion: str = Field(description="Our number the call came or went through.")
    destination: Destination = Field(
        description="Who an incoming call ended at: `user` taken by the employee, `group` missed "
        "in a department, `telnum` an outside number, `ivr` in the menu, `onduty` attendant "
        "outside business hours, `offtime` closed-hours message, `hello` ended in the greeting, "
        "`vm` voicemail with a message, `am` voicemail without one."
    )
    user: str = Field(description="Login of the employee.")
    user_name: str
    group_name: str
    start: str = Field(description="UTC, YYYY-MM-DDTHH:MM:SSZ.")
    wait: int = Field(description="Seconds before the answer, or the end.")
    duration: int = Field(description="Seconds of talk.")
    record: str = Field(description=RECORD)
    rating: int = only_if("Only if the customer rated the employee.")


class InnerRow(Model):
    """A call between employees."""

    uid: str
    status: Literal["success", "noanswer"]
    # `from` is a word of Python's own.
    from_: str = Field(alias="from", description="Login of who called.")
    to: str = Field(description="Login of who was called, or a department's id.")
    from_name: str
    to_name: str
    start: str = Field(description="UTC, YYYY-MM-DDTHH:MM:SSZ.")
    wait: int = Field(description="Seconds before the answer, or the end.")
    duration: int = Field(description="Seconds of talk.")
    record: str = Field(description=RECORD)


class _Span(Request):
    """What both kinds of history are asked by."""

    start: Text = Field("", description="YYYYmmddTHHMMSSZ or YYYY-MM-DDTHH:MM:SSZ.")
    end: Text = Field("", description="YYYYmmddTHHMMSSZ or YYYY-MM-DDTHH:MM:SSZ.")
    period: PeriodName | None = Field(None, description="Beats start and end.")
    limit: Positive | None = Field(None, description="How many at most; default: all.")
    user: Text = Field("", description="Login or internal number of an employee.")


class InnerQuery(_Span):
    """Which calls."""

    type: Literal["all", "success", "noanswer", "missed"] = "all"


class ExternalQuery(_Span):
    """Which calls."""

    type: Literal["all", "in", "out", "missed"] = "all"
    diversion: Text = Field("", description="Our number the call came or went through.")
    client: Text = Field("", description="The customer's number.")


@section.get(
    "/history/json",
    query=ExternalQuery,
    answer=list[ExternalRow],
    shows=[EXTERNAL],
    summary="Loading external history (json)",
)
async def external_json(call: Call, params: ExternalQuery) -> Response:
    """Calls with the outside, newest first."""
    return await _send(call.services.history.external_json(_query(call, params)), JSON)


@section.get(
    "/history/csv",
    query=ExternalQuery,
    answer=str,
    shows=EXTERNAL_CSV,
    media_type=CSV,
    summary="Loading external history (csv)",
)
async def external_csv(call: Call, params: ExternalQuery) -> Response:
    """Calls with the outside, newest first, as CSV (RFC 4180) without a header line.

    Fields: uid, type (`success` or `missed` for incoming, else `out`), client, account
    (`login@domain`), via, start, wait, duration, record, and rating only if rated.
    """
    return await _send(call.services.history.external_csv(_query(call, params)), CSV)


@section.get(
    "/history/inner/json",
    query=InnerQuery,
    answer=list[InnerRow],
    shows=[INNER],
    summary="Loading internal history (json)",
)
async def inner_json(call: Call, params: InnerQuery) -> Response:
    """Calls between employees, newest first."""
    return await _send(call.services.history.inner_json(_query(call, params)), JSON)


@section.get(
    "/history/inner/csv",
    query=InnerQuery,
    answer=str,
    shows=INNER_CSV,
    media_type=CSV,
    summary="Loading internal history (csv)",
)
async def inner_csv(call: Call, params: InnerQuery) -> Response:
    """Calls between employees, newest first, as CSV (RFC 4180) without a header line.

    Fields: uid, status, from, to (both `login@domain`), start, wait, duration, record.
    """
    return await _send(call.services.history.inner_csv(_query(call, params)), CSV)


def _query(call: Call, params: InnerQuery | ExternalQuery) -> Query:
    domain = call.domain
    try:
        period = select_period(
            domain.zone,
            call.services.clock.time(),
            period=params.period or "",
            start=params.start,
            end=params.end,
        )
    except InvalidQuery as error:
        raise refuse_fields(FieldError(error.field, error.message)) from None
    employee = domain.find_employee(params.user) if params.user else None
    numbers = {}
    if isinstance(params, ExternalQuery):
        for name in ("diversion", "client"):
            text = getattr(params, name)
            if text:
                numbers[name] = normalize(text, domain.country, field=name)
    return Query(
        domain_id=domain.id,
        domain=domain.name,
        period=period,
        type=params.type,
        limit=params.limit,
        user=employee.login if employee is not None else params.user,
        **numbers,
    )


async def _send(pieces: AsyncIterator[bytes], media_type: str) -> Response:
    """Answer with what `pieces` yields: whole when it is little, else as a stream."""
    first: list[bytes] = []
    size = 0
    async for piece in pieces:
        first.append(piece)
        size += len(piece)
        if size > AT_ONCE_BYTES:
            return StreamingResponse(_chain(first, pieces), media_type=media_type)
    return Response(b"".join(first), media_type=media_type)


async def _chain(first: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for piece in first:
        yield piece
    async for piece in rest:
        yield piece
