"""Call history (crm-api §4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError
from starlette.responses import Response, StreamingResponse

from vpbx.api.errors import refuse_fields
from vpbx.api.fields import Positive, Request, Text, is_uid
from vpbx.api.gate import asked_base
from vpbx.api.models import Model, only_if
from vpbx.api.operation import Call, Section
from vpbx.directory import DomainConfig, FieldError, read_number
from vpbx.history import WHENEVER, InvalidQuery, Period, Query, select_period

__all__ = ["CSV", "ExternalQuery", "query_of", "section"]

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
    "telnum_name": "Main line",
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
    "1755936870,in,79008003396,admin@acme.vpbx.example,79001112233,2022-01-20T08:58:42Z,5,23,\r\n"
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
ExternalStatus = Literal["success", "missed", "noanswer"]
Reason = Literal["cancel", "busy", "notavailable", "notallowed", "notfound"]
MissedStatus = Literal[1, 2, 3, 4]
MISSED_STATUS = (
    "1 the customer called back, 2 we called back, 3 nobody did, 4 we tried and they did not "
    "answer; kept up to date by later calls."
)
MAX_LISTED = 1000
RECORD = "Link to the recording, playable without a key; or empty."


class ExternalRow(Model):
    """A call with the outside."""

    uid: str = Field(description="The same as `callid` of commands and makecall.")
    type: Literal["in", "out"]
    status: ExternalStatus = Field(
        description="`missed` only of incoming calls, `noanswer` only of outgoing ones."
    )
    reason: Reason = only_if("Only with `noanswer` (ours): why.")
    missedStatus: MissedStatus = only_if("Only with `missed` (ours): " + MISSED_STATUS)
    client: str = Field(description="The customer's number.")
    account: str = Field(
        description="Login of who talked; else the department's id; else `ivr`, `fax`…"
    )
    diversion: str = Field(description="Our number the call came or went through.")
    telnum_name: str = Field(description="Its name.")
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


def _listed(value: Any) -> Any:
    """Take a list, repeated parameters, or one text with commas."""
    items = value if isinstance(value, list) else [value]
    parts = [p for item in items for p in (item.split(",") if isinstance(item, str) else [item])]
    listed = [part for part in parts if not isinstance(part, str) or part.strip()]
    if len(listed) > MAX_LISTED:
        raise PydanticCustomError("list", f"may have at most {MAX_LISTED} items")
    return listed


TIME = "YYYYmmddTHHMMSSZ or ISO 8601; without a zone UTC; a bare date is a day of the domain."
Listed = Annotated[list[Text], BeforeValidator(_listed)]


class _Span(Request):
    """What both kinds of history are asked by. An empty value is none."""

    start: Text = Field("", description=TIME)
    end: Text = Field("", description=TIME + " Included.")
    period: PeriodName | None = Field(None, description="Beats start and end.")
    limit: Positive | None = Field(None, description="How many at most; default: all.")
    user: Text = Field("", description="Login or internal number of an employee.")
    uid: Listed = Field(
        [],
        description="Only these calls (ours): repeated, or with commas between. Without period, "
        "start and end: whenever they were.",
    )
    groups: Listed = Field(
        [], description="Departments' ids or internal numbers, any of them (ours); as uid."
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {name: value for name, value in data.items() if value != ""}
        return data


def _numbers(value: Any) -> Any:
    """Take numbers as they come, as texts too."""
    listed = _listed(value)
    return [int(i) if isinstance(i, str) and i.strip().isdecimal() else i for i in listed]


class InnerQuery(_Span):
    """Which calls."""

    type: Literal["all", "success", "noanswer", "missed"] = "all"


class ExternalQuery(_Span):
    """Which calls."""

    type: Literal["all", "in", "out", "missed"] = "all"
    diversion: Text = Field("", description="Our number the call came or went through.")
    client: Text = Field("", description="The customer's number.")
    missedStatus: Annotated[list[MissedStatus], BeforeValidator(_numbers)] = Field(
        [], description="Missed calls, of which (ours): " + MISSED_STATUS
    )


@section.get(
    "/history/json",
    query=ExternalQuery,
    answer=list[ExternalRow],
    shows=[EXTERNAL],
    summary="Loading external history (json)",
)
async def external_json(call: Call, params: ExternalQuery) -> Response:
    """Calls with the outside, newest first."""
    return await _send(call.services.history.external_json(query_of(call, params)), JSON)


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

    Fields: uid, type (`in`, `out` or `missed`), client, account (`login@domain`), via, start,
    wait, duration, record; where customers of any number are asked to rate, rating in every
    line, maybe empty.
    """
    return await _send(call.services.history.external_csv(query_of(call, params)), CSV)


@section.get(
    "/history/inner/json",
    query=InnerQuery,
    answer=list[InnerRow],
    shows=[INNER],
    summary="Loading internal history (json)",
)
async def inner_json(call: Call, params: InnerQuery) -> Response:
    """Calls between employees, newest first."""
    return await _send(call.services.history.inner_json(query_of(call, params)), JSON)


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
    return await _send(call.services.history.inner_csv(query_of(call, params)), CSV)


def query_of(call: Call, params: InnerQuery | ExternalQuery) -> Query:
    """Return what a request asks of history; ApiError 400 names what is wrong."""
    domain = call.domain
    employee = domain.find_employee(params.user) if params.user else None
    query = Query(
        domain_id=domain.id,
        domain=domain.name,
        period=_period(call, params),
        type=params.type,
        limit=params.limit,
        user=employee.login if employee is not None else params.user,
        uids=_uids(params.uid),
        groups=tuple(_group_id(domain, text) for text in params.groups),
        has_ratings=any(number.rating for number in domain.numbers.values()),
        link_base=asked_base(call.request.scope, call.services.config.https_port),
    )
    if not isinstance(params, ExternalQuery):
        return query
    return replace(
        query,
        missed=tuple(params.missedStatus),
        diversion=_digits(domain, params.diversion, "diversion"),
        client=_digits(domain, params.client, "client"),
    )


def _digits(domain: DomainConfig, text: str, field: str) -> str:
    return read_number(text, domain.country, field=field).digits if text else ""


def _period(call: Call, params: _Span) -> Period:
    if params.uid and not (params.period or params.start or params.end):
        return WHENEVER
    try:
        return select_period(
            call.domain.zone,
            call.services.clock.time(),
            period=params.period or "",
            start=params.start,
            end=params.end,
        )
    except InvalidQuery as error:
        raise refuse_fields(FieldError(error.field, error.message)) from None


def _uids(texts: list[str]) -> tuple[int, ...]:
    for text in texts:
        if not is_uid(text):
            raise refuse_fields(FieldError("uid", "must be digits"))
    return tuple(int(text) for text in texts)


def _group_id(domain: DomainConfig, text: str) -> str:
    """Return a department's id; one that is no more has its calls still."""
    department = domain.find_department(text)
    return department.id if department is not None else text


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
