"""Who is told of what happens in calls, and what becomes of what they return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vpbx.events import (
    Answered,
    CallEvent,
    CallInfo,
    Completed,
    Direction,
    EventBus,
    Party,
    Ringing,
)

CALL = CallInfo("1", 1, "acme.example", Direction.IN, 0.0)
ANN = Party("ann")
RINGS, ANSWERED, OVER = Ringing(CALL, 1.0, ANN), Answered(CALL, 2.0, ANN), Completed(CALL, 3.0, ANN)


def recorder(name: str, heard: list[tuple[str, CallEvent]]) -> Callable[[Any], list[str]]:
    def record(event: CallEvent) -> list[str]:
        heard.append((name, event))
        return [f"{name} of {type(event).__name__}"]

    return record


def test_each_hears_its_kinds_in_the_order_of_subscription_and_all_is_one_unit() -> None:
    units: list[list[Any]] = []
    heard: list[tuple[str, CallEvent]] = []
    bus = EventBus(units.append)
    bus.subscribe(recorder("first", heard), Answered)
    bus.subscribe(recorder("all", heard))
    bus.subscribe(recorder("last", heard), Answered, Completed)
    for event in (RINGS, ANSWERED, OVER):
        bus.publish(event)
    assert heard == [
        *[("all", RINGS)],
        *[("first", ANSWERED), ("all", ANSWERED), ("last", ANSWERED)],
        *[("all", OVER), ("last", OVER)],
    ]
    assert units == [
        ["all of Ringing"],
        ["first of Answered", "all of Answered", "last of Answered"],
        ["all of Completed", "last of Completed"],
    ]


def test_who_comes_later_hears_what_is_told_from_then_on() -> None:
    heard: list[tuple[str, CallEvent]] = []
    bus = EventBus(lambda unit: None)
    bus.publish(RINGS)
    bus.subscribe(recorder("late", heard), Ringing)
    bus.publish(RINGS)
    assert heard == [("late", RINGS)]


def test_nothing_to_write_is_no_unit() -> None:
    units: list[list[Any]] = []
    bus = EventBus(units.append)
    bus.subscribe(lambda event: ())
    bus.publish(RINGS)
    assert units == []
