"""The older version of the API: one path, `cmd` says what is wanted.

Several operators' clouds speak it beside `/crmapi/v1`, and many connectors know only it. The
same keys, rights and brake on guessing; nothing of its own behind it. Parameters stand in query
or form, the key among them as `token`. Employees may be named `login@domain`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from vpbx.api import history
from vpbx.api.answer import answer
from vpbx.api.auth import Door
from vpbx.api.body import query_values, read_body
from vpbx.api.errors import ApiError, field_errors, refuse_fields
from vpbx.api.fields import as_text
from vpbx.api.makecall import MakeCall, begin_call
from vpbx.api.operation import Call
from vpbx.api.services import ApiServices
from vpbx.directory import Employee, FieldError, Invalid, NotFound

__all__ = ["PATH", "OlderVersion"]

PATH = "/sys/crm_api.wcgp"
_COLUMNS = 9
_NUMBERS = (2, 4)
"""Columns of the CSV that are phone numbers: client and via."""
_SHORT = 6

Parameters = Mapping[str, str]


class OlderVersion:
    """The endpoint of all commands."""

    def __init__(self, services: ApiServices, door: Door) -> None:
        self._services = services
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._answer(Request(scope, receive))
        except ApiError as error:
            response = _refuse(error)
        except Invalid as error:
            response = _refuse(refuse_fields(*error.errors))
        except NotFound:
            response = _refuse(_wrong("user"))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        parameters = await _parameters(request, self._services.config.max_body_bytes)
        token = parameters.get("token") or request.headers.get("x-api-key", "")
        identity = await self._door.admit(request, None, token)
        command = _COMMANDS.get(parameters.get("cmd", "").lower())
        if command is None:
            raise _wrong("cmd")
        return await command(Call(self._services, request, identity, {}), parameters)


async def _parameters(request: Request, max_bytes: int) -> Parameters:
    """Return the parameters of body and query, the body's first."""
    body = (await read_body(request, max_bytes)).value
    found: dict[str, Any] = {
        name: values[-1] for name, values in query_values(request.scope["query_string"]).items()
    }
    if isinstance(body, dict):
        found.update({name: value for name, value in body.items() if value is not None})
    parameters = {}
    for name, value in found.items():
        if isinstance(value, bool):
            value = str(value).lower()
        try:
            parameters[name] = as_text(value)
        except ValueError:
            raise _wrong(name) from None
    return parameters


def _refuse(error: ApiError) -> Response:
    """Return an error as this version has it: which parameters, else the message."""
    text = error.message
    fields = [each.field for each in error.errors]
    if fields:
        text = f"Invalid parameters: [{', '.join(fields)}]"
    response = answer({"error": text})
    response.status_code = error.status
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


def _wrong(field: str) -> ApiError:
    return refuse_fields(FieldError(field, "is not known"))


def _user(call: Call, parameters: Parameters) -> Employee:
    """Return the employee `user` names: login, ext, `login@domain` or direct number."""
    found = call.domain.find_named(parameters.get("user", ""))
    if found is None:
        raise _wrong("user")
    return found


def _switch(parameters: Parameters, name: str, on: str, off: str) -> bool:
    value = parameters.get(name, "").lower()
    if value not in (on, off, "1", "0"):
        raise _wrong(name)
    return value in (on, "1")


async def _accounts(call: Call, parameters: Parameters) -> Response:
    shown = []
    for each in call.domain.employees.values():
        fields = {
            "name": each.login,
            "realName": each.name,
            "ext": each.ext,
            "email": each.email,
            "telnum": each.telnum,
        }
        shown.append({name: value for name, value in fields.items() if value})
    return answer(shown)


async def _groups(call: Call, parameters: Parameters) -> Response:
    departments = tuple(call.domain.departments.values())
    if parameters.get("user"):
        departments = call.domain.departments_of(_user(call, parameters).login)
    return answer([{"id": d.id, "realName": d.name, "ext": d.ext} for d in departments])


async def _make_call(call: Call, parameters: Parameters) -> Response:
    if not parameters.get("phone"):
        raise _wrong("phone")
    employee = _user(call, parameters)
    made = await begin_call(
        call,
        MakeCall(
            phone=parameters["phone"],
            user=employee.login,
            group="",
            clid=parameters.get("phoneExt") or parameters.get("clid") or "",
            show_phone=False,
        ),
    )
    return answer({"CallID": made.callid, "callid": made.callid})


async def _history(call: Call, parameters: Parameters) -> Response:
    names = ("start", "end", "period", "type", "limit", "user")
    asked = {name: parameters[name] for name in names if parameters.get(name)}
    if "user" in asked:
        asked["user"] = _user(call, parameters).login
    try:
        query = TypeAdapter(history.ExternalQuery).validate_python(asked)
    except ValidationError as error:
        raise refuse_fields(*field_errors(error)) from None
    pieces = call.services.history.external_csv(history.query_of(call, query))
    return StreamingResponse(_with_plus(pieces), media_type=history.CSV)


async def _with_plus(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Give the rows of `/history/csv` as they were then: nine columns, numbers with `+`."""
    async for piece in pieces:  # whole lines
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        for row in csv.reader(io.StringIO(piece.decode(), newline="")):
            for column in _NUMBERS:
                if row[column].isdigit() and len(row[column]) > _SHORT:
                    row[column] = f"+{row[column]}"
            writer.writerow(row[:_COLUMNS])
        yield out.getvalue().encode()


async def _subscribe(call: Call, parameters: Parameters) -> Response:
    state = _switch(parameters, "status", "on", "off")
    login, group_id = _user(call, parameters).login, parameters.get("group_id", "")
    await call.services.directory.users.set_subscription(call.domain, login, state, group_id)
    return PlainTextResponse("OK")


async def _subscription(call: Call, parameters: Parameters) -> Response:
    login, group_id = _user(call, parameters).login, parameters.get("group_id", "")
    state = await call.services.directory.users.subscription(call.domain, login, group_id)
    return answer({"status": "on" if state else "off"})


async def _set_dnd(call: Call, parameters: Parameters) -> Response:
    """`state` is what the name says here: true, do not disturb."""
    state = _switch(parameters, "state", "true", "false")
    login = _user(call, parameters).login
    await call.services.directory.users.set_dnd(call.domain, login, not state)
    return answer({"state": str(state).lower()})


async def _get_dnd(call: Call, parameters: Parameters) -> Response:
    receives = await call.services.directory.users.dnd(call.domain, _user(call, parameters).login)
    return answer({"state": str(not receives).lower()})


_COMMANDS: dict[str, Callable[[Call, Parameters], Awaitable[Response]]] = {
    "accounts": _accounts,
    "groups": _groups,
    "makecall": _make_call,
    "history": _history,
    "subscribeoncalls": _subscribe,
    "subscriptionstatus": _subscription,
    "subscribtionstatus": _subscription,
    "set_dnd": _set_dnd,
    "get_dnd": _get_dnd,
}
