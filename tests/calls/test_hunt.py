"""Whom a department's hunt rings: by the hands of a clock, without a phone."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpbx.calls.hunt import Hunt, Start, Stop
from vpbx.directory import CallOrder

ABC = ("a", "b", "c")
ONE_BY_ONE = [CallOrder.BYORDER, CallOrder.EVENLY]


class Phones:
    """A hunt among a, b and c, and who of them is free."""

    def __init__(self, order: CallOrder, duration_s: float = 15.0, people: str = "abc") -> None:
        self.hunt = Hunt(order, duration_s)
        self.now = 1000.0
        self.people = tuple(people)
        self.free = set(people)

    def step(self, seconds: float = 0.0) -> str:
        """Let time pass; return what is done then: `+a` is begun with, `-a` stopped."""
        self.now += seconds
        actions = self.hunt.step(self.now, self.people, self.free.__contains__)
        return " ".join(f"{'+' if isinstance(a, Start) else '-'}{a.login}" for a in actions)

    def refuse(self, login: str) -> str:
        self.hunt.refused(login, self.now)
        return self.step()

    def in_s(self) -> float | None:
        due = self.hunt.due(self.now)
        return None if due is None else due - self.now


def test_all_rings_everybody_who_is_free_and_whoever_gets_free() -> None:
    phones = Phones(CallOrder.ALL)
    phones.free.remove("b")
    assert phones.step() == "+a +c"
    assert phones.in_s() is None
    assert phones.step(100) == ""
    phones.free.add("b")
    assert phones.step() == "+b"


@pytest.mark.parametrize("order", ONE_BY_ONE)
def test_one_by_one_from_the_top_and_again_from_the_top(order: CallOrder) -> None:
    phones = Phones(order)
    assert phones.step() == "+a"
    assert phones.in_s() == 15
    assert phones.step(14.9) == ""
    assert phones.step(0.1) == "-a +b"
    assert phones.step(15) == "-b +c"
    assert phones.step(15) == "-c +a"


@pytest.mark.parametrize("order", ONE_BY_ONE)
def test_who_is_busy_is_passed_over(order: CallOrder) -> None:
    phones = Phones(order)
    phones.free -= {"a", "c"}
    assert phones.step() == "+b"
    phones.free.add("a")
    assert phones.step(1) == ""
    assert phones.step(14) == "-b +a"


@pytest.mark.parametrize("order", ONE_BY_ONE)
def test_the_only_one_to_be_had_rings_on(order: CallOrder) -> None:
    phones = Phones(order)
    phones.free = {"b"}
    assert phones.step() == "+b"
    assert phones.step(15) == ""
    assert phones.in_s() is None
    phones.free.add("c")
    assert phones.step(1) == "-b +c"


@pytest.mark.parametrize("order", [*ONE_BY_ONE, CallOrder.WATERFALL])
def test_nobody_free_is_waited_for(order: CallOrder) -> None:
    phones = Phones(order)
    phones.free = set()
    assert phones.step() == ""
    assert phones.in_s() is None
    phones.free = {"c"}
    assert phones.step(50) == "+c"


@pytest.mark.parametrize("order", ONE_BY_ONE)
def test_a_refusal_moves_the_hunt_on_at_once(order: CallOrder) -> None:
    phones = Phones(order)
    assert phones.step() == "+a"
    phones.now += 2
    assert phones.refuse("a") == "+b"
    assert phones.step(15) == "-b +c"
    assert phones.step(15) == "-c +a"


def test_waterfall_joins_one_after_the_other_and_stops_nobody() -> None:
    phones = Phones(CallOrder.WATERFALL)
    assert phones.step() == "+a"
    assert phones.step(15) == "+b"
    assert phones.step(15) == "+c"
    assert phones.in_s() == 15
    assert phones.step(15) == ""
    assert phones.in_s() is None
    assert set(phones.hunt.ringing) == {"a", "b", "c"}


def test_in_waterfall_a_refusal_brings_the_next_at_once() -> None:
    phones = Phones(CallOrder.WATERFALL)
    assert phones.step() == "+a"
    assert phones.refuse("a") == "+b"
    assert phones.step(15) == "+c"


@pytest.mark.parametrize("order", CallOrder)
def test_who_refuses_by_itself_does_not_make_it_spin(order: CallOrder) -> None:
    phones = Phones(order, people="a")
    rung = []
    for _ in range(300):
        if "+a" in phones.step(1):
            rung.append(phones.now)
            phones.refuse("a")
    gaps = [later - sooner for sooner, later in itertools.pairwise(rung)]
    assert gaps
    assert gaps == sorted(gaps)
    assert min(gaps) >= 15
    assert max(gaps) <= 60


@pytest.mark.parametrize("order", CallOrder)
def test_who_refused_and_then_gets_free_is_rung_at_once(order: CallOrder) -> None:
    phones = Phones(order, people="a")
    assert phones.step() == "+a"
    assert phones.refuse("a") == ""
    phones.hunt.freed("a")
    assert phones.step(1) == "+a"


@pytest.mark.parametrize("order", CallOrder)
def test_who_may_be_rung_no_longer_is_stopped(order: CallOrder) -> None:
    phones = Phones(order)
    phones.step()
    phones.people = ("b", "c")
    assert phones.step(1).startswith("-a")
    assert "a" not in phones.hunt.ringing


def test_a_department_that_is_edited_while_it_rings_goes_on_by_the_new_rule() -> None:
    phones = Phones(CallOrder.ALL, people="ab")
    assert phones.step() == "+a +b"
    phones.hunt.set_rule(CallOrder.BYORDER, 5)
    phones.people = (*phones.people, "c")
    phones.free.add("c")
    assert phones.step(5) == "-a -b +c"


def test_a_duration_of_nothing_does_not_spin() -> None:
    phones = Phones(CallOrder.BYORDER, 0)
    assert phones.step() == "+a"
    assert phones.step() == ""


Happening = st.tuples(
    st.sampled_from(["wait", "refuse", "busy", "free", "leave", "enter"]),
    st.sampled_from(ABC),
    st.integers(1, 40),
)


@given(st.sampled_from(list(CallOrder)), st.sampled_from([5, 15, 30]), st.lists(Happening))
def test_whatever_happens_it_keeps_its_promises(
    order: CallOrder, duration: int, story: list[tuple[str, str, int]]
) -> None:
    phones = Phones(order, duration)
    ringing: set[str] = set()
    for what, login, seconds in [("wait", "a", 1), *story]:
        if what == "wait":
            phones.now += seconds
        elif what == "refuse":
            phones.hunt.refused(login, phones.now)
            ringing.discard(login)
        elif what == "busy":
            phones.free.discard(login)
        elif what == "free":
            phones.free.add(login)
            phones.hunt.freed(login)
        elif what == "leave":
            phones.people = tuple(x for x in phones.people if x != login)
        else:
            phones.people = tuple(sorted({*phones.people, login}))
        for action in phones.hunt.step(phones.now, phones.people, phones.free.__contains__):
            if isinstance(action, Stop):
                ringing.remove(action.login)
            else:
                assert action.login not in ringing
                ringing.add(action.login)
        assert ringing == set(phones.hunt.ringing)
        assert ringing <= phones.free & set(phones.people)
        if order in ONE_BY_ONE:
            assert len(ringing) <= 1
        rested = phones.hunt.due(phones.now) is not None
        if not ringing and phones.free & set(phones.people):
            assert rested, "somebody is free, nobody is rung, and nobody will look again"
