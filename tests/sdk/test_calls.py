"""The state of calls, from the commands of each path of call-events.md."""

from __future__ import annotations

import random
from typing import Any

import pytest

from vpbx_sdk import Calls, Receiver
from vpbx_sdk.commands import command_of
from vpbx_sdk.testing import FakePbx

PHONE = "79101112233"


def tell(calls: Calls, *steps: str) -> None:
    """Tell calls as call-events.md writes them: `I a`, `A a`, `T a 2`, `H Missed a`; `@2` is the
    call from here on."""
    callid, direction = "1", "in"
    for number, step in enumerate(steps):
        verb, *words = step.split()
        if verb.startswith("@"):
            callid = verb[1:]
            continue
        common = {"callid": callid, "phone": PHONE, "time": f"20260101T0000{number:02}Z"}
        if verb == "C":
            fields: dict[str, Any] = {"diversion": "74951234567"}
            cmd = "contact"
        elif verb == "H":
            cmd = "history"
            fields = {"type": direction, "status": words[0], "user": words[1]}
            fields |= {"start": "20260101T000000Z", "duration": "5", "wait": "2"}
        elif verb == "R":
            cmd, fields = "rating", {"rating": words[0], "user": words[1]}
        else:
            cmd = "event"
            direction = "out" if verb == "O" else direction
            fields = {"type": EVENTS[verb], "user": words[0], "direction": direction}
            fields |= {"second_callid": words[1]} if words[1:] else {}
        command = command_of(cmd, {**common, **fields})
        assert command is not None
        calls.take(command)


EVENTS = {
    "I": "INCOMING",
    "A": "ACCEPTED",
    "X": "CANCELLED",
    "E": "COMPLETED",
    "O": "OUTGOING",
    "T": "TRANSFERRED",
}


@pytest.mark.parametrize(
    ("steps", "state", "ringing", "user"),
    [
        (["C"], "waiting", (), ""),
        (["C", "I a"], "ringing", ("a",), ""),
        (["C", "I a", "I b"], "ringing", ("a", "b"), ""),
        (["C", "I a", "X a"], "waiting", (), ""),
        (["C", "I a", "X a", "I b"], "ringing", ("b",), ""),
        (["C", "I a", "I b", "X a", "A b"], "talking", (), "b"),
        (["C", "I a", "I b", "A b", "X a"], "talking", (), "b"),
        (["C", "I a", "A a", "E a"], "over", (), "a"),
        (["C", "I a", "H Missed a"], "over", (), "a"),
        (["O a"], "dialing", (), "a"),
        (["O a", "A a"], "talking", (), "a"),
        (["O a", "X a"], "over", (), "a"),
        (["C", "I a", "A a", "T a", "A b"], "talking", (), "b"),
        (["C", "I a", "A a", "E a", "H Success a", "I a"], "over", (), "a"),
    ],
)
def test_who_rings_and_who_talks(
    steps: list[str], state: str, ringing: tuple[str, ...], user: str
) -> None:
    calls = Calls()
    tell(calls, *steps)
    call = calls.get("1")
    assert call is not None
    assert (call.state, call.ringing, call.user) == (state, ringing, user)
    assert call.phone == PHONE
    for login in ("a", "b"):
        concerns = login in ringing or (login == user and state in ("talking", "dialing"))
        assert bool(calls.of_user(login)) is concerns
    assert bool(calls.of_phone(PHONE)) is (state != "over")


def test_a_call_that_is_passed_on_is_one_conversation() -> None:
    calls = Calls()
    tell(calls, "C", "I a", "A a", "T a 2", "E a", "H Success a")
    waits = calls.get("2")
    assert waits is not None
    assert (waits.state, waits.phone, waits.continues) == ("waiting", PHONE, "1")
    tell(
        calls, "@2", "I b", "A b", "T b 3", "E b", "H Success b", "@3", "I c", "R 4 c", "H Missed c"
    )
    assert [call.callid for call in calls.conversation("2")] == ["1", "2", "3"]
    assert [call.user for call in calls.conversation("3")] == ["a", "b", "c"]
    last = calls.get("3")
    assert last is not None
    assert last.history is not None
    assert (last.history.status, last.rating, last.over) == ("Missed", 4, True)
    assert calls.conversation("nothing") == []
    assert calls.active() == []


def test_a_circle_of_transfers_is_no_endless_conversation() -> None:
    calls = Calls()
    tell(calls, "I a", "A a", "T a 2", "@2", "I b", "A b", "T b 1")
    assert [call.callid for call in calls.conversation("1")]


def test_memory_is_bounded_and_calls_that_go_on_are_kept() -> None:
    calls = Calls()
    tell(calls, "@going-on", "I a", "A a")
    for number in range(12_000):
        tell(calls, f"@{number}", "I b", "H Missed b")
    assert len(calls._calls) <= 11_000
    assert calls.get("going-on") is not None
    assert calls.get("11999") is not None
    assert len(calls._heard) == len(calls._calls)
    for number in range(12_000):
        tell(calls, f"@open{number}", "I b")
    assert len(calls._calls) <= 11_000


def test_a_receiver_knows_before_its_handler_is_asked() -> None:
    receiver, pbx, seen = Receiver("TOKEN"), FakePbx(), []

    @receiver.on_event
    def look(event: Any) -> None:
        call = receiver.calls.get(event.callid)
        assert call is not None
        seen.append((event.type, call.state, call.user, call.ringing))

    callid = pbx.customer_calls(receiver, phone=PHONE, user="a", talk_s=5, transfer_to="b")
    assert seen == [
        ("INCOMING", "ringing", "", ("a",)),
        ("ACCEPTED", "talking", "a", ()),
        ("TRANSFERRED", "talking", "a", ()),
        ("COMPLETED", "over", "a", ()),
        ("INCOMING", "ringing", "", ("b",)),
        ("ACCEPTED", "talking", "b", ()),
        ("COMPLETED", "over", "b", ()),
    ]
    assert [call.user for call in receiver.calls.conversation(callid)] == ["a", "b"]


def test_any_order_and_repetition_breaks_nothing() -> None:
    steps = ["C", "I a", "I b", "X a", "A b", "T b 2", "E b", "H Success b", "O a", "R 5 b"]
    for seed in range(300):
        calls, chance = Calls(), random.Random(seed)
        tell(calls, *chance.choices(steps, k=12), "H Success b")
        call = calls.get("1")
        assert call is not None
        assert call.over
        assert call.ringing == ()
