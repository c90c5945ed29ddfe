"""The digits of a menu: what a caller pressed, and when, to where they want to go. Pure.

Theory of operation. `Keypad` is told of digits and of the end of what it asked to be played, and
tells what to do by calling `act`. Its timers are those of the clock it is given.

    the prompt is played; digits count while it plays and end it
    a button of the menu                            → there; a menu within the menu → its prompt
    an internal number dialled in full              → its employee or department
    a button that begins internal numbers as well   → the button, once no digit follows for 3 s
    anything else                                   → "no such item", and the prompt again
    nothing for 10 s after the prompt               → the item `timeout`, else the prompt again
    the prompt was played 3 times to no answer      → the menu is over

`#` says that a number is complete, where it is no button itself. Digits that follow a wrong one
at once (within 0.6 s) belong to it: they are not taken for buttons.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from vpbx.clock import Clock, Timer
from vpbx.directory import Menu, MenuItem
from vpbx.frozen import dataclass

__all__ = [
    "NO_SUCH_EXT",
    "WRONG_BUTTON",
    "Action",
    "Chosen",
    "DialledExt",
    "Exts",
    "GaveUp",
    "Hush",
    "Keypad",
    "Prompt",
]

INTERDIGIT_S = 3.0
NO_BUTTON_S = 10.0
BURST_S = 0.6
TIMES_PLAYED = 3
"""How often the prompt is heard by who presses nothing."""
MOST_WRONG = 10
MOST_MOVES = 10
"""From menu to menu by `timeout` items, while nothing is pressed: they may lead in a circle."""
"""After so many wrong choices in a row a menu ends as if nothing had been pressed."""
TIMEOUT = "timeout"
WRONG_BUTTON = "menu-wrong-button"
NO_SUCH_EXT = "no-such-ext"
_DIGITS = frozenset("0123456789*#")


class Exts(Protocol):
    """Internal numbers of the company, as they are at this moment."""

    def known(self, digits: str) -> bool:
        """Say whether this is somebody's number."""

    def longer(self, digits: str) -> bool:
        """Say whether somebody's number begins so and goes on."""


class Action:
    """What a keypad wants done."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Prompt(Action):
    """Play `before` (a built-in prompt, or ""), then the prompt of `menu`; tell of the end."""

    menu: Menu
    before: str = ""


@dataclass(frozen=True, slots=True)
class Hush(Action):
    """Stop what is played."""


@dataclass(frozen=True, slots=True)
class Chosen(Action):
    """Go where an item of a menu leads: an employee or a department."""

    item: MenuItem


@dataclass(frozen=True, slots=True)
class DialledExt(Action):
    """Go to who has this internal number."""

    ext: str


@dataclass(frozen=True, slots=True)
class GaveUp(Action):
    """Nothing was chosen: the menu is over."""


class Keypad:
    """One caller in a menu, from `begin` to the first of `Chosen`, `DialledExt` and `GaveUp`."""

    def __init__(self, menu: Menu, exts: Exts, clock: Clock, act: Callable[[Action], None]) -> None:
        self._menu = self._root = menu
        self._exts = exts
        self._clock = clock
        self._act = act
        self._timer: Timer | None = None
        self._dialled = ""
        self._playing = False
        self._played = 0
        self._wrong = 0
        self._moved = 0
        self._deaf_until = 0.0
        self.over = False

    def begin(self) -> None:
        """Play the prompt for the first time."""
        self._prompt()

    def prompt_ended(self) -> None:
        """Take note that what was played has come to its end."""
        if self._playing and not self.over:
            self._playing = False
            if not self._dialled:
                self._wait(NO_BUTTON_S, self._nothing_pressed)

    def press(self, digit: str) -> None:
        """Take a digit; what is none (a flash, A to D) does nothing."""
        if self.over or digit not in _DIGITS:
            return
        now = self._clock.now()
        if now < self._deaf_until:
            self._deaf_until = now + BURST_S
            return
        self._stop_timer()
        if self._playing:
            self._playing = False
            self._act(Hush())
        self._played = self._moved = 0
        if digit == "#" and self._dialled:
            self._complete()
            return
        self._dialled += digit
        self._look()

    def stop(self) -> None:
        """The caller is gone, or goes on elsewhere: do nothing any more."""
        self.over = True
        self._stop_timer()

    def _look(self) -> None:
        """Decide on what was dialled so far."""
        known, longer = self._exts.known(self._dialled), self._exts.longer(self._dialled)
        button = self._item(self._dialled)
        if longer:
            self._wait(INTERDIGIT_S, self._complete)
        elif button is not None or known:
            self._complete()
        elif len(self._dialled) > 1:
            # One digit too many, or a wrong number: more of it may come.
            self._wait(INTERDIGIT_S, self._complete)
        else:
            self._deaf_until = self._clock.now() + BURST_S
            self._complete()

    def _complete(self) -> None:
        """Nothing more is to come: go there, or say that it leads nowhere."""
        dialled, self._dialled = self._dialled, ""
        item = self._item(dialled)
        if item is not None:
            self._take(item)
        elif self._exts.known(dialled):
            self._end(DialledExt(dialled))
        else:
            self._wrong += 1
            if self._wrong >= MOST_WRONG:
                self._nothing_chosen()
            else:
                self._prompt(WRONG_BUTTON if len(dialled) == 1 else NO_SUCH_EXT)

    def _take(self, item: MenuItem) -> None:
        if item.ivr is None:
            self._end(Chosen(item))
            return
        menu = self._root.find(item.ivr)
        self._moved += 1
        if menu is None or self._moved > MOST_MOVES:
            self._end(GaveUp())
            return
        self._menu, self._wrong, self._played = menu, 0, 0
        self._prompt()

    def _nothing_pressed(self) -> None:
        if self._item(TIMEOUT) is not None or self._played >= TIMES_PLAYED:
            self._nothing_chosen()
        else:
            self._prompt()

    def _nothing_chosen(self) -> None:
        item = self._item(TIMEOUT)
        if item is not None:
            self._take(item)
        else:
            self._end(GaveUp())

    def _prompt(self, before: str = "") -> None:
        self._stop_timer()
        self._playing = True
        self._played += 1
        self._act(Prompt(self._menu, before))

    def _end(self, action: Action) -> None:
        self.stop()
        self._act(action)

    def _item(self, button: str) -> MenuItem | None:
        return next((item for item in self._menu.items if item.button == button), None)

    def _wait(self, delay_s: float, then: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = self._clock.call_later(delay_s, then)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
