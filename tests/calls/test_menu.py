"""The digits of a menu, by the hands of a clock: no call, no sound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpbx.calls.menu import (
    MOST_MOVES,
    Action,
    Chosen,
    DialledExt,
    GaveUp,
    Hush,
    Keypad,
    Prompt,
)
from vpbx.clock import ManualClock
from vpbx.directory import Menu, MenuItem

INNER = Menu("Inner", items=(MenuItem("1", "user", user="bob"),))
MENU = Menu(
    "Main",
    items=(
        MenuItem("1", "user", user="ann"),
        MenuItem("2", "group", group="g_sales"),
        MenuItem("3", "ivr", ivr=INNER),
        MenuItem("7", "user", user="eve"),
        MenuItem("*", "user", user="star"),
    ),
)
WITH_TIMEOUT = Menu("Main", items=(*MENU.items, MenuItem("timeout", "group", group="g_all")))


class Exts:
    def __init__(self, *exts: str) -> None:
        self.exts = exts

    def known(self, digits: str) -> bool:
        return digits in self.exts

    def longer(self, digits: str) -> bool:
        return any(ext.startswith(digits) and ext != digits for ext in self.exts)


class Caller:
    """Presses buttons and says what happened since: `prompt Main`, `hush`, `ann`, `ext 701`."""

    def __init__(self, menu: Menu = MENU, exts: tuple[str, ...] = ("701", "702", "7021")) -> None:
        self.clock = ManualClock()
        self.actions: list[Action] = []
        self.keypad = Keypad(menu, Exts(*exts), self.clock, self.actions.append)

    def said(self) -> list[str]:
        words = []
        for action in self.actions:
            if isinstance(action, Prompt):
                words.append(f"{action.before} prompt {action.menu.name}".strip())
            elif isinstance(action, Hush):
                words.append("hush")
            elif isinstance(action, Chosen):
                words.append(action.item.user or action.item.group)
            elif isinstance(action, DialledExt):
                words.append(f"ext {action.ext}")
            else:
                words.append("gave up")
        self.actions.clear()
        return words

    def begin(self) -> list[str]:
        self.keypad.begin()
        return self.said()

    def press(self, digits: str, apart_s: float = 0.3) -> list[str]:
        for digit in digits:
            self.clock.advance(apart_s)
            self.keypad.press(digit)
        return self.said()

    def wait(self, seconds: float) -> list[str]:
        self.clock.advance(seconds)
        return self.said()

    def hear_it_out(self) -> list[str]:
        self.clock.advance(5)
        self.keypad.prompt_ended()
        return self.said()


def test_a_button_counts_while_the_prompt_plays() -> None:
    caller = Caller()
    assert caller.begin() == ["prompt Main"]
    assert caller.press("1") == ["hush", "ann"]
    assert caller.keypad.over


def test_a_button_counts_after_the_prompt() -> None:
    caller = Caller()
    caller.begin()
    assert caller.hear_it_out() == []
    assert caller.press("2", apart_s=9) == ["g_sales"]


def test_a_menu_within_the_menu_has_its_own_prompt_and_buttons() -> None:
    caller = Caller()
    caller.begin()
    assert caller.press("3") == ["hush", "prompt Inner"]
    assert caller.press("1") == ["hush", "bob"]


def test_a_button_may_lead_back_to_the_menu_it_came_from() -> None:
    back = MenuItem("9", "ivr", ivr=Menu("Main"))
    inner = Menu("Inner", items=(MenuItem("1", "user", user="bob"), back))
    caller = Caller(Menu("Main", items=(MenuItem("3", "ivr", ivr=inner), MENU.items[0])))
    assert caller.begin() == ["prompt Main"]
    for _ in range(3 * MOST_MOVES):
        assert caller.press("3") == ["hush", "prompt Inner"]
        assert caller.press("9") == ["hush", "prompt Main"]
    assert caller.press("1") == ["hush", "ann"]


def test_timeouts_that_lead_in_a_circle_come_to_an_end() -> None:
    inner = Menu("Inner", items=(MenuItem("timeout", "ivr", ivr=Menu("Main")),))
    caller = Caller(Menu("Main", items=(MenuItem("timeout", "ivr", ivr=inner),)))
    said = caller.begin()
    while said[-1] != "gave up":
        caller.keypad.prompt_ended()
        caller.clock.advance(10)
        said += caller.said()
        assert len(said) < 50
    assert said.count("prompt Main") == said.count("prompt Inner") + 1 == MOST_MOVES // 2 + 1


def test_stars_are_buttons() -> None:
    caller = Caller()
    caller.begin()
    assert caller.press("*") == ["hush", "star"]


def test_an_ext_dialled_in_full_is_reached_at_once() -> None:
    caller = Caller()
    caller.begin()
    assert caller.press("70") == ["hush"]
    assert caller.press("1") == ["ext 701"]


def test_an_ext_that_begins_a_longer_one_is_reached_after_three_seconds() -> None:
    caller = Caller()
    caller.begin()
    assert caller.press("702") == ["hush"]
    assert caller.wait(2.9) == []
    assert caller.wait(0.2) == ["ext 702"]
    caller = Caller()
    caller.begin()
    assert caller.press("7021", apart_s=2.5) == ["hush", "ext 7021"]


def test_pound_says_that_a_number_is_complete() -> None:
    caller = Caller()
    caller.begin()
    assert caller.press("702#") == ["hush", "ext 702"]


def test_a_button_that_begins_exts_is_taken_when_no_digit_follows() -> None:
    caller = Caller()
    caller.begin()
    assert caller.press("7") == ["hush"]
    assert caller.wait(2.9) == []
    assert caller.wait(0.2) == ["eve"]


def test_a_wrong_button_is_said_and_the_prompt_played_again() -> None:
    caller = Caller()
    caller.begin()
    assert caller.press("9") == ["hush", "menu-wrong-button prompt Main"]
    assert caller.press("1", apart_s=1) == ["hush", "ann"]


def test_what_follows_a_wrong_digit_at_once_is_taken_for_no_button() -> None:
    caller = Caller()
    caller.begin()
    assert caller.press("9112") == ["hush", "menu-wrong-button prompt Main"]
    assert caller.wait(1) == []
    assert caller.press("2") == ["hush", "g_sales"]


def test_an_ext_nobody_has_is_said_once_it_is_complete() -> None:
    caller = Caller()
    caller.begin()
    assert caller.press("709") == ["hush"]
    assert caller.press("12") == []
    assert caller.wait(3.1) == ["no-such-ext prompt Main"]


def test_nothing_pressed_plays_the_prompt_three_times_and_gives_up() -> None:
    caller = Caller()
    assert caller.begin() == ["prompt Main"]
    for _ in range(2):
        assert caller.hear_it_out() == []
        assert caller.wait(9.9) == []
        assert caller.wait(0.2) == ["prompt Main"]
    assert caller.hear_it_out() == []
    assert caller.wait(10) == ["gave up"]
    assert caller.wait(1000) == []


def test_nothing_pressed_takes_the_timeout_item_after_the_first_prompt() -> None:
    caller = Caller(WITH_TIMEOUT)
    caller.begin()
    caller.hear_it_out()
    assert caller.wait(10) == ["g_all"]


def test_a_prompt_that_goes_on_for_long_is_not_cut_by_the_ten_seconds() -> None:
    caller = Caller(WITH_TIMEOUT)
    caller.begin()
    assert caller.wait(120) == []


def test_who_only_presses_wrong_buttons_ends_as_who_presses_nothing() -> None:
    for menu, end in ((MENU, "gave up"), (WITH_TIMEOUT, "g_all")):
        caller = Caller(menu)
        caller.begin()
        said = [word for _ in range(12) for word in caller.press("9", apart_s=2)]
        assert said.count(end) == 1
        assert said[-1] == end


def test_a_choice_in_an_inner_menu_starts_the_count_anew() -> None:
    caller = Caller()
    caller.begin()
    for _ in range(2):
        caller.hear_it_out()
        caller.wait(10)
    assert caller.press("3") == ["hush", "prompt Inner"]
    caller.hear_it_out()
    assert caller.wait(10) == ["prompt Inner"]


@pytest.mark.parametrize("noise", ["A", "D", "", "12", "٣", "!"])
def test_what_is_no_key_of_a_telephone_does_nothing(noise: str) -> None:
    caller = Caller()
    caller.begin()
    caller.keypad.press(noise)
    assert caller.said() == []


def test_after_the_caller_has_gone_nothing_happens() -> None:
    caller = Caller()
    caller.begin()
    caller.press("7")
    caller.keypad.stop()
    caller.keypad.prompt_ended()
    caller.keypad.press("1")
    assert caller.wait(100) == []


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from("0123456789*#"), st.floats(0.05, 12)),
            st.tuples(st.just("hear"), st.floats(0.05, 12)),
        )
    ),
    st.sampled_from([MENU, WITH_TIMEOUT]),
)
def test_every_menu_comes_to_one_end(story: list[tuple[str, float]], menu: Menu) -> None:
    caller = Caller(menu)
    caller.keypad.begin()
    playing = 0
    for what, seconds in [*story, *[("hear", 20.0)] * 20]:
        caller.clock.advance(seconds)
        if what == "hear":
            caller.keypad.prompt_ended()
        else:
            caller.keypad.press(what)
        for action in caller.actions[playing:]:
            if isinstance(action, Hush):  # only what plays is stopped
                assert isinstance(caller.actions[playing - 1], Prompt)
            playing += 1
    ends = [a for a in caller.actions if isinstance(a, Chosen | DialledExt | GaveUp)]
    assert len(ends) == 1
    assert caller.actions[-1] is ends[0]
