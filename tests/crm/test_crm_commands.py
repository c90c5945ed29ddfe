"""Each event of a call as the command of crm-api §2."""

from __future__ import annotations

from typing import Any

import pytest

from tests.crm.world import ANN, BOB, NOW, SALES, domain, integration, new_call
from vpbx.crm.commands import contact_command, event_command, history_command, rating_command
from vpbx.directory import DomainConfig
from vpbx.events import (
    Answered,
    AttemptEnded,
    CallEnded,
    CallInfo,
    Completed,
    Dialing,
    Direction,
    Rated,
    RingEnded,
    Ringing,
    Status,
    Transferred,
)

COMPANY: DomainConfig = domain(integration("https://crm.example/"))


def link(call: CallInfo) -> str:
    return f"https://{call.domain}/r/{call.callid}.mp3"


def history(event: CallEnded, rating: int | None = None) -> dict[str, Any]:
    return history_command(event, COMPANY, rating=rating, link=link)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (Ringing, "INCOMING"),
        (Answered, "ACCEPTED"),
        (RingEnded, "CANCELLED"),
        (Completed, "COMPLETED"),
        (Dialing, "OUTGOING"),
        (AttemptEnded, "CANCELLED"),
    ],
)
def test_the_event_table(event: Any, kind: str) -> None:
    call = new_call()
    assert event_command(event(call, NOW + 5, ANN)) == {
        "cmd": "event",
        "type": kind,
        "callid": call.callid,
        "phone": "79101234567",
        "user": "ann",
        "direction": "in",
        "diversion": "74957654321",
        "ext": "701",
        "telnum": "79001112233",
        "telnum_name": "Main line",
        "time": "20240515T190645Z",
        "start": "20240515T190640Z",
    }


def test_a_transfer_names_the_call_that_goes_on() -> None:
    fields = event_command(Transferred(new_call(), NOW, ANN, "123"))
    assert (fields["type"], fields["user"], fields["second_callid"]) == (
        "TRANSFERRED",
        "ann",
        "123",
    )


def test_the_department_of_an_event_is_its_name() -> None:
    assert event_command(Ringing(new_call(), NOW, ANN, SALES))["groupRealName"] == SALES.name


def test_an_event_leaves_out_what_is_not_known() -> None:
    call = new_call(Direction.OUT, diversion="", telnum_name="")
    assert event_command(Dialing(call, NOW, BOB)) == {
        "cmd": "event",
        "type": "OUTGOING",
        "callid": call.callid,
        "phone": "79101234567",
        "user": "bob",
        "direction": "out",
        "ext": "702",
        "time": "20240515T190640Z",
        "start": "20240515T190640Z",
    }


def test_history_of_an_answered_call() -> None:
    call = new_call(started_at=NOW + 0.75)
    ended = CallEnded(
        call, NOW + 125.5, Status.SUCCESS, ANN, SALES, answered_at=NOW + 5, recorded=True
    )
    fields = history(ended, rating=4)
    assert fields == {
        "cmd": "history",
        "type": "in",
        "user": "ann",
        "phone": "79101234567",
        "diversion": "74957654321",
        "start": "20240515T190640Z",
        "wait": 4,
        "duration": 120,
        "callid": call.callid,
        "status": "Success",
        "ext": "701",
        "groupRealName": "Sales department",
        "telnum": "79001112233",
        "telnum_name": "Main line",
        "link": f"https://d1.example/r/{call.callid}.mp3",
        "rating": 4,
    }
    assert list(fields)[1:10] == [
        *("type", "user", "phone", "diversion", "start", "duration", "wait", "callid", "status")
    ]


@pytest.mark.parametrize(
    ("direction", "status", "shown"),
    [
        (Direction.IN, Status.SUCCESS, "Success"),
        (Direction.IN, Status.MISSED, "Missed"),
        (Direction.IN, Status.BUSY, "Missed"),
        (Direction.OUT, Status.SUCCESS, "Success"),
        (Direction.OUT, Status.CANCEL, "Cancel"),
        (Direction.OUT, Status.BUSY, "Busy"),
        (Direction.OUT, Status.NOTAVAILABLE, "NotAvailable"),
        (Direction.OUT, Status.NOTALLOWED, "NotAllowed"),
        (Direction.OUT, Status.NOTFOUND, "NotFound"),
        (Direction.OUT, Status.NOANSWER, "NotAvailable"),
    ],
)
def test_history_statuses(direction: Direction, status: Status, shown: str) -> None:
    fields = history(CallEnded(new_call(direction), NOW + 9, status, ANN))
    assert (fields["type"], fields["status"]) == (direction.value, shown)


def test_the_first_ten_fields_of_history_are_never_empty() -> None:
    call = new_call(client="", diversion="", telnum_name="")
    fields = history(CallEnded(call, NOW, Status.MISSED, None))
    always = ["cmd", "type", "user", "phone", "diversion", "start", "duration", "wait"]
    always += ["callid", "status"]
    assert [name for name in fields if name not in ("ext", "telnum")] == always
    assert all(fields[name] != "" for name in always)
    assert (fields["phone"], fields["diversion"], fields["duration"]) == (
        "anonymous",
        "74957654321",
        0,
    )


def test_a_call_nobody_was_rung_for_names_somebody() -> None:
    ended = CallEnded(new_call(), NOW + 9, Status.MISSED, None, SALES)
    assert (history(ended)["user"], history(ended)["ext"]) == ("bob", "702")
    ended = CallEnded(new_call(), NOW + 9, Status.MISSED, None)
    assert history(ended)["user"] == "ann"
    ended = CallEnded(new_call(diversion="74950000000"), NOW + 9, Status.MISSED, None)
    assert history(ended)["user"] == "admin"


def test_a_clock_set_back_makes_no_negative_duration() -> None:
    assert history(CallEnded(new_call(), NOW - 9, Status.MISSED, ANN))["duration"] == 0


def test_what_a_caller_makes_up_is_still_text() -> None:
    fields = event_command(Ringing(new_call(client="\ud800\0x" + "9" * 500), NOW, ANN))
    assert fields["phone"] == "?x" + "9" * 126


def test_rating() -> None:
    call = new_call()
    assert rating_command(Rated(call, NOW, ANN, 5)) == {
        "cmd": "rating",
        "phone": "79101234567",
        "callid": call.callid,
        "rating": 5,
        "user": "ann",
        "ext": "701",
    }


def test_contact_leaves_out_an_unknown_diversion() -> None:
    assert contact_command("79101234567", "1", "") == {
        "cmd": "contact",
        "phone": "79101234567",
        "callid": "1",
    }
    assert contact_command("", "1", "74957654321")["phone"] == "anonymous"
