"""Calls in progress: what goes on now, and an end to it. Ours, beyond the original."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field
from starlette.responses import Response

from vpbx.api.answer import answer, no_content
from vpbx.api.errors import not_found
from vpbx.api.fields import Name, Request
from vpbx.api.models import Model
from vpbx.api.operation import Call, Section
from vpbx.calls import ActiveCall
from vpbx.events import Party

__all__ = ["section"]

section = Section("Calls in progress", "What goes on now. Beyond the original interface.")

VIEW = ("Employees", "View")
EDITING = ("Employees", "Editing")


class LiveCall(Model):
    """A call in progress."""

    callid: str = Field(description="The same as in events, and `uid` in history.")
    direction: Literal["in", "out", "inner"]
    state: Literal["waiting", "ringing", "dialing", "talking"] = Field(
        description="`waiting`: nobody is rung, as in a greeting, menu or queue."
    )
    phone: str = Field(description="The customer's number; empty when it is hidden, or inner.")
    diversion: str = Field(description="Our number; empty for inner calls.")
    user: str = Field(description="Login of who has the call, or is to get it.")
    user_name: str
    group: str = Field(description="Id of the department it is for.")
    group_name: str
    caller: str = Field(description="Inner calls: login of who calls.")
    caller_name: str
    since: str = Field(description="When it began, UTC.")
    answered: str = Field(description="When talk began, UTC; empty before.")
    on_hold: bool = Field(description="One side holds the other.")
    recording: bool = Field(description="It is being recorded.")
    parked: str = Field(description="The parking place it waits at, to be dialled; empty: none.")


SHOWN = {
    "callid": "201594855300017",
    "direction": "in",
    "state": "talking",
    "phone": "79101234567",
    "diversion": "79261234567",
    "user": "admin",
    "user_name": "Administrator",
    "group": "sales",
    "group_name": "Sales department",
    "caller": "",
    "caller_name": "",
    "since": "2026-01-20T08:58:42Z",
    "answered": "2026-01-20T08:58:47Z",
    "on_hold": False,
    "recording": True,
    "parked": "",
}


@section.get(
    "/calls", answer=list[LiveCall], right=VIEW, shows=[SHOWN], summary="Calls in progress"
)
async def list_calls(call: Call) -> Response:
    """All calls of the company that are going on, the oldest first."""
    mine = (live for live in call.services.calls.active() if live.info.domain_id == call.domain.id)
    ordered = sorted(mine, key=lambda live: (live.info.started_at, live.info.callid))
    return answer([show_call(live) for live in ordered])


@section.post("/calls/{callid}/hangup", right=EDITING, summary="Ending a call")
async def hang_up(call: Call) -> Response:
    """Both sides are hung up; history and events tell it as any other end."""
    if not call.services.calls.hang_up(call.domain.name, call.path["callid"]):
        raise not_found()
    return no_content()


class TransferTo(Request):
    """Where a call is to go on."""

    to: Name = Field(
        description="Internal number, login or phone number; `*5` parks, `*97` and an internal "
        "number is a mailbox."
    )
    mode: Literal["blind", "attended"] = Field(
        "blind",
        description="`blind`: at once. `attended`: the employee talks to `to` first, on the phone "
        "they have; when they hang up, the two are put through, and when `to` hangs up or does "
        "not answer, they are back.",
    )


@section.post(
    "/calls/{callid}/transfer",
    body=TransferTo,
    right=EDITING,
    example={"to": "702"},
    summary="Passing a call on",
)
async def transfer(call: Call, params: TransferTo) -> Response:
    """The employee who talks is hung up, and the other side goes on to `to`.

    Blind, as by the transfer key of a phone: TRANSFERRED names the callid it goes on under, and
    when nobody takes it there the employee is rung back. Attended, the other side hears music
    meanwhile, and the callid stays.
    """
    attended = params.mode == "attended"
    calls, callid = call.services.calls, call.path["callid"]
    if not calls.transfer(call.domain, callid, params.to, attended=attended):
        raise not_found()
    return no_content()


def show_call(live: ActiveCall) -> dict[str, Any]:
    """Return a call as LiveCall."""
    info, group = live.info, live.group
    return {
        "callid": info.callid,
        "direction": str(info.direction),
        "state": str(live.state),
        "phone": info.client,
        "diversion": info.diversion,
        **_named("user", live.user),
        "group": group.id if group is not None else "",
        "group_name": group.name if group is not None else "",
        **_named("caller", live.caller),
        "since": _time(info.started_at),
        "answered": "" if live.answered_at is None else _time(live.answered_at),
        "on_hold": live.on_hold,
        "recording": live.recording,
        "parked": live.parked,
    }


def _named(what: str, party: Party | None) -> dict[str, str]:
    login, name = ("", "") if party is None else (party.login, party.name)
    return {what: login, f"{what}_name": name}


def _time(epoch_s: float) -> str:
    return f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
