"""Making a call (crm-api §5)."""

from __future__ import annotations

from pydantic import Field
from starlette.responses import Response

from vpbx import calls
from vpbx.api.answer import answer
from vpbx.api.errors import ApiError
from vpbx.api.fields import Flag, Name, Request, Text
from vpbx.api.models import Model, only_if
from vpbx.api.operation import Call, Section

__all__ = ["MakeCall", "begin_call", "section"]

_BUSY_S = 5
"""Until when one of an employee's calls may be over; nobody knows."""

section = Section("Outgoing call", "Click to call: first the employee's phones ring.")


class MakeCall(Request):
    """Whom to call, and for whom."""

    phone: Name = Field(
        description="The number to be called. An extension behind it (`#4048`, `ext. 4048`, "
        "`,4048`) is dialled by DTMF after the answer."
    )
    user: Text = Field("", description="Login or internal number of the employee to connect.")
    group: Text = Field(
        "", description="In place of `user`: a department, whose first free employee is rung."
    )
    clid: Text = Field("", description="The number to show to the customer.")
    show_phone: Flag = Field(False, description="Show the customer's number to the employee.")


class MadeCall(Model):
    """The call that is under way."""

    callid: str = Field(description="The same as `uid` in history.")
    clid: str = only_if("The number shown; only if it was sent and may be used.")


EXAMPLE = {"phone": "79101234567", "user": "admin", "clid": "79261234567"}
SHOWS = {"callid": "2015948553", "clid": "79261234567"}


def _later(message: str, wait_s: int) -> ApiError:
    return ApiError(429, message, headers={"Retry-After": str(wait_s)})


@section.post(
    "/makecall",
    body=MakeCall,
    answer=MadeCall,
    example=EXAMPLE,
    shows=SHOWS,
    summary="Making an outgoing call",
)
async def make_call(call: Call, params: MakeCall) -> Response:
    """Ring the employee's phones; when one answers, the customer is called.

    The answer comes as soon as the call is under way, not after. 429 with `Retry-After`: the
    employee has as many calls made for them as one may have at once, or calls are made with this
    key more often than that is allowed.
    """
    made = await begin_call(call, params)
    shown = {"callid": made.callid}
    if made.clid:
        shown["clid"] = made.clid
    return answer(shown)


async def begin_call(call: Call, params: MakeCall) -> calls.MadeCall:
    """Make the call; ApiError 429 when the employee or the key has had enough for now."""
    rates, key = call.services.makecalls, call.identity.key_id
    if wait_s := rates.wait_s(key):
        raise _later("Too many calls are being made with this key", wait_s)
    try:
        made = await call.services.calls.make_call(
            call.domain,
            phone=params.phone,
            user=params.user,
            group=params.group or None,
            clid=params.clid or None,
            show_phone=params.show_phone,
        )
    except calls.TooManyCalls as error:
        raise _later(str(error), _BUSY_S) from None
    rates.count(key)
    return made
