"""Values made by `vpbx.frozen` are those of the standard library, but for the price."""

from __future__ import annotations

import copy
import dataclasses
import pickle

from vpbx.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A value."""

    name: str
    row: int = 0


@dataclass(frozen=True, slots=True)
class Better(Place):
    """A value that is told apart by less than all it has."""

    price: int = 0

    def __hash__(self) -> int:
        return 7


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """A thing of its own."""

    number: int


@dataclass(slots=True)
class Count:
    """What changes."""

    number: int


def test_values_that_are_equal_are_one_key() -> None:
    assert Place("a", 1) == Place("a", 1)
    assert {Place("a", 1): "here"}[Place("a", 1)] == "here"
    assert Place("a", 1) != Place("a", 2)
    assert dataclasses.replace(Place("a", 1), row=2) == Place("a", 2)
    assert repr(Place("a")) == "Place(name='a', row=0)"


def test_value_may_say_itself_what_it_is_found_by() -> None:
    assert hash(Better("a", 1, 2)) == 7
    assert Better("a", 1, 2) != Better("a", 1, 3)


def test_things_of_their_own_stay_different() -> None:
    one, other = Ticket(1), Ticket(1)
    assert one != other
    assert len({one, other}) == 2


def test_what_changes_is_no_key() -> None:
    assert Count(1) == Count(1)
    assert Count.__hash__ is None


def test_values_travel_to_other_processes() -> None:
    for value in (Place("a", 1), Better("b", 2, 3)):
        assert pickle.loads(pickle.dumps(value)) == value
        assert copy.deepcopy(value) == value


def test_value_has_room_for_its_fields_only() -> None:
    assert not hasattr(Place("a"), "__dict__")
