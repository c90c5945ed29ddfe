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
from vpbx.calls import ActiveCall, Mode
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
    supervises: str = Field(
        description="`callid` of the call that `caller` listens to by this one; empty: a call "
        "like others."
    )
    mode: Literal["", "listen", "whisper", "barge"] = Field(
        description="By whom they are heard there."
    )


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
    "supervises": "",
    "mode": "",
}


@section.get(
    "/calls", answer=list[LiveCall], right=VIEW, shows=[SHOWN], summary="Calls in progress"
)
async def list_calls(call: Call) -> Response:
    """All calls of the company that are going on, the oldest first."""
    mine = call.services.calls.active(call.domain.id)
    ordered = sorted(mine, key=lambda live: (live.info.started_at, live.info.callid))
    return answer([show_call(live) for live in ordered])


@section.post("/calls/{callid}/hangup", right=EDITING, summary="Ending a call")
async def hang_up(call: Call) -> Response:
    """Both sides are hung up; history and events tell it as any other end."""
    if not call.services.calls.hang_up(call.domain.name, call.path["callid"]):
        raise not_found()
    await _note(call, "ended")
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
    await _note(call, f"passed on to {params.to}")
    return no_content()


class Supervise(Request):
    """Who is to hear a call, and by whom they are heard."""

    user: Name = Field(
        description="Login or internal number of the supervisor: an administrator, or a head of "
        "a department that the call or its employee is of."
    )
    mode: Literal["listen", "whisper", "barge"] = Field(
        "listen",
        description="`listen`: nobody hears them. `whisper`: only the employee does. `barge`: "
        "both do.",
    )


class Supervision(Model):
    """A supervisor's own call."""

    callid: str = Field(description="Of the call that rings their phone; hang it up to end it.")


@section.post(
    "/calls/{callid}/supervise",
    body=Supervise,
    right=EDITING,
    answer=Supervision,
    example={"user": "admin", "mode": "listen"},
    shows={"callid": "201594855300018"},
    summary="Listening to a call, whispering, barging in",
)
async def supervise(call: Call, params: Supervise) -> Response:
    """The supervisor's phone rings; once they answer they hear both sides of the talk.

    Asked once more while they are at it, this changes the mode; so do the keys 1, 2 and 3 of
    their phone. Their call ends with the talk, and when that is passed on; the talk goes on
    whatever becomes of their call. One supervisor at a time; the log of changes keeps who
    listened to whom.
    """
    calls, callid = call.services.calls, call.path["callid"]
    begun = await calls.supervisors.begin(
        call.domain, callid, user=params.user, mode=Mode(params.mode)
    )
    if begun is None:
        raise not_found()
    return answer({"callid": begun})


class PickUp(Request):
    """Who is to take a call."""

    user: Name = Field(
        description="Login or internal number of an administrator, or a head of a department that "
        "the call or its employee is of."
    )


@section.post(
    "/calls/{callid}/pickup",
    body=PickUp,
    right=EDITING,
    example={"user": "admin"},
    summary="Taking a call that rings elsewhere",
)
async def pick_up(call: Call, params: PickUp) -> Response:
    """Their phones ring for the call too, though they talk or are not to be disturbed; who answers
    first has it. For a call that rings at somebody or waits in a department."""
    calls, callid = call.services.calls, call.path["callid"]
    if not calls.supervisors.take_ringing(call.domain, callid, user=params.user):
        raise not_found()
    await _note(call, f"picked up for {params.user}")
    return no_content()


async def _note(call: Call, told: str) -> None:
    """Write into the log of changes who meddled with a call."""
    if call.services.changes is not None:
        await call.services.changes.note_call(call.domain.id, call.path["callid"], told)


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
        "supervises": live.supervises,
        "mode": live.mode,
    }


def _named(what: str, party: Party | None) -> dict[str, str]:
    login, name = ("", "") if party is None else (party.login, party.name)
    return {what: login, f"{what}_name": name}


def _time(epoch_s: float) -> str:
    return f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
