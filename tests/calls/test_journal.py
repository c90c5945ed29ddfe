"""The events of a call are balanced whatever a route says, in whatever order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpbx.calls.shared.lines import Lines
from vpbx.calls.told.journal import TABLE, Journal, Move, PartyState
from vpbx.clock import ManualClock
from vpbx.events import (
    Answered,
    AttemptEnded,
    CallEnded,
    CallEvent,
    CallInfo,
    CallStarted,
    Completed,
    Dialing,
    Direction,
    EventBus,
    Group,
    Party,
    RingEnded,
    Ringing,
)

ANN, BOB, EVE = Party("ann", "Ann", "701"), Party("bob", "Bob", "702"), Party("eve", "Eve", "703")
SALES = Group("g_1", "Sales")


class SetClock(ManualClock):
    """A clock whose time of day somebody sets."""

    set_by = 0.0

    def time(self) -> float:
        return self.now() + self.set_by

    def jump(self, seconds: float) -> None:
        self.set_by += seconds


def journal(
    direction: Direction = Direction.IN, clock: ManualClock | None = None
) -> tuple[Journal, list[CallEvent]]:
    seen: list[CallEvent] = []

    def recorder(event: CallEvent) -> list[object]:
        seen.append(event)
        return []

    bus = EventBus(lambda writes: None)
    bus.subscribe(recorder)
    clock = clock or ManualClock()
    info = CallInfo("1", 1, "acme.example", direction, clock.time(), "79101234567")
    return Journal(info, bus, clock, Lines()), seen


def kinds(events: list[CallEvent]) -> list[tuple[str, str]]:
    return [(type(e).__name__, getattr(getattr(e, "user", None), "login", "")) for e in events]


def test_the_others_are_told_off_before_the_answer_is_told() -> None:
    book, seen = journal()
    book.start(ANN, group=SALES)
    for party in (ANN, BOB, EVE):
        book.ring(party, SALES)
    book.answer(BOB)
    book.end(480)
    assert kinds(seen) == [
        ("CallStarted", "ann"),
        ("Ringing", "ann"),
        ("Ringing", "bob"),
        ("Ringing", "eve"),
        ("RingEnded", "ann"),
        ("RingEnded", "eve"),
        ("Answered", "bob"),
        ("Completed", "bob"),
        ("CallEnded", "bob"),
    ]
    assert all(e.group == SALES for e in seen if isinstance(e, Ringing | Answered | RingEnded))


def test_a_second_device_that_rings_is_not_told_again() -> None:
    book, seen = journal()
    book.start(ANN)
    book.ring(ANN)
    book.ring(ANN)
    assert kinds(seen) == [("CallStarted", "ann"), ("Ringing", "ann")]


def test_a_phone_that_answers_without_ringing_rings_and_answers() -> None:
    book, seen = journal()
    book.start(ANN)
    book.answer(ANN)
    assert kinds(seen)[1:] == [("Ringing", "ann"), ("Answered", "ann")]


def test_a_phone_that_takes_a_call_without_ringing_rings_before_the_others_stop() -> None:
    book, seen = journal()
    book.start(ANN)
    book.ring(ANN)
    book.answer(BOB)
    assert kinds(seen)[1:] == [
        ("Ringing", "ann"),
        ("Ringing", "bob"),
        ("RingEnded", "ann"),
        ("Answered", "bob"),
    ]


@pytest.mark.parametrize("jump_s", [7200.0, -7200.0])
def test_a_clock_that_is_set_changes_no_duration(jump_s: float) -> None:
    clock = SetClock()
    book, seen = journal(clock=clock)
    book.start(ANN)
    clock.advance(5)
    clock.jump(jump_s)
    book.answer(ANN)
    clock.jump(-3 * jump_s)
    clock.advance(23)
    book.end(480)
    end = seen[-1]
    assert isinstance(end, CallEnded)
    assert end.answered_at is not None
    assert end.answered_at - end.call.started_at == pytest.approx(5)
    assert end.at - end.answered_at == pytest.approx(23)
    times = [event.at for event in seen]
    assert times == sorted(times)


def test_an_outgoing_attempt_ends_once() -> None:
    book, seen = journal(Direction.OUT)
    book.start(ANN)
    book.dial(ANN)
    book.stop(ANN)
    book.stop(ANN)
    book.end(480)
    book.end(480)
    assert kinds(seen) == [
        ("CallStarted", "ann"),
        ("Dialing", "ann"),
        ("AttemptEnded", "ann"),
        ("CallEnded", "ann"),
    ]


def test_the_last_one_rung_and_the_moment_of_answer_are_remembered() -> None:
    book, seen = journal(Direction.INNER)
    book.start(BOB, caller=ANN)
    book.ring(BOB)
    book.ring(EVE)
    book.stop(EVE)
    assert book.story.owner == EVE
    assert book.answered_at is None
    book.answer(BOB)
    book.end(480)
    assert isinstance(seen[-1], CallEnded)
    assert seen[-1].answered_at is not None


def test_nothing_is_told_of_a_call_that_never_started() -> None:
    book, seen = journal()
    book.ring(ANN)
    book.end(480)
    assert seen == []


def test_every_state_can_be_left() -> None:
    for state in PartyState:
        assert state is PartyState.IDLE or (state, Move.STOP) in TABLE


OPENS = {Ringing: RingEnded, Dialing: AttemptEnded, Answered: Completed}


@given(
    st.sampled_from([Direction.IN, Direction.OUT]),
    st.lists(
        st.tuples(st.sampled_from(["ring", "dial", "answer", "stop"]), st.sampled_from([ANN, BOB]))
    ),
)
def test_events_balance_whatever_is_said(
    direction: Direction, moves: list[tuple[str, Party]]
) -> None:
    book, seen = journal(direction)
    book.start(ANN)
    for move, party in moves:
        getattr(book, move)(party)
    book.end(480)
    assert isinstance(seen[0], CallStarted)
    assert isinstance(seen[-1], CallEnded)
    for login in ("ann", "bob"):
        open_: type | None = None
        for event in seen[1:-1]:
            if event.user.login != login:  # type: ignore[union-attr]
                continue
            if type(event) in (Ringing, Dialing):
                assert open_ is None
                open_ = type(event)
            elif type(event) is Answered:
                assert open_ in (Ringing, Dialing)
                open_ = Answered
            else:
                assert open_ is not None
                assert type(event) is OPENS[open_]
                open_ = None
        assert open_ is None
