"""The extension behind a number: pressed after the answer, by the hands of a clock."""

from __future__ import annotations

from vpbx.calls.postdial import DIGIT_S, FIRST_S, PAUSE_S, PostDial
from vpbx.clock import ManualClock


def pressed(text: str, *steps: float) -> list[str]:
    clock = ManualClock()
    found = [""]
    PostDial(clock, text, lambda digit: found.__setitem__(-1, found[-1] + digit))
    for step in steps:
        clock.advance(step)
        found.append("")
    return found[:-1]


def test_digits_follow_one_another_after_a_moment() -> None:
    assert pressed("40#", FIRST_S, DIGIT_S, DIGIT_S, 60) == ["4", "0", "#", ""]
    assert pressed("4", FIRST_S - 0.1, 0.1, 60) == ["", "4", ""]


def test_a_comma_is_a_pause() -> None:
    assert pressed(",1,2", FIRST_S, PAUSE_S, DIGIT_S, PAUSE_S) == ["", "1", "", "2"]


def test_stopped_it_presses_nothing_more() -> None:
    clock, found = ManualClock(), []
    dialling = PostDial(clock, "123", found.append)
    clock.advance(FIRST_S)
    dialling.stop()
    clock.advance(60)
    dialling.stop()
    assert found == ["1"]
