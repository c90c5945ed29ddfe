"""Digits dialled after the answer: the extension behind a number, as a hand would press them."""

from __future__ import annotations

from collections.abc import Callable

from vpbx.clock import Clock, Timer

__all__ = ["PostDial"]

FIRST_S = 1.0
"""After the answer: an automatic attendant begins to listen with its first words."""
DIGIT_S = 0.3
"""From one digit to the next; a digit sounds for half of it."""
PAUSE_S = 2.0
"""A comma, as modems and mobile phones wait at it."""


class PostDial:
    """Presses `text` (0-9, `*`, `#`, and `,` for a pause) by the hands of a clock."""

    def __init__(self, clock: Clock, text: str, press: Callable[[str], None]) -> None:
        self._clock = clock
        self._text = text
        self._press = press
        self._timer: Timer | None = clock.call_later(FIRST_S, self._next)

    def stop(self) -> None:
        """Press nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _next(self) -> None:
        self._timer = None
        if not self._text:
            return
        char, self._text = self._text[0], self._text[1:]
        if char != ",":
            self._press(char)
        if self._text:
            self._timer = self._clock.call_later(PAUSE_S if char == "," else DIGIT_S, self._next)
