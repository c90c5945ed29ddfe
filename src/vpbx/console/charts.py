"""Bars as SVG, laid out here and drawn by a template: no script and no style in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Bar", "Chart", "draw"]

_WIDTH, _HEIGHT = 960, 200
_TOP = 12
_MOST_WORDS = 32


@dataclass(frozen=True, slots=True)
class Bar:
    """Answered calls below, missed ones on top of them. Measures are those of the picture."""

    x: float
    width: float
    answered_y: float
    answered_height: float
    missed_y: float
    missed_height: float
    label: str
    told: str
    answered: int
    missed: int


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of `width` and `height`, its bars ending at `floor`; `top`: what fills it."""

    width: int
    height: int
    floor: int
    most: int
    bars: tuple[Bar, ...]


def draw(columns: Sequence[tuple[str, str, int, int]]) -> Chart:
    """Lay out columns of label, words, answered and missed."""
    most = max((answered + missed for _label, _told, answered, missed in columns), default=0)
    step = _WIDTH / max(1, len(columns))
    scale = (_HEIGHT - _TOP) / max(1, most)
    every = -(-len(columns) // _MOST_WORDS)
    bars = []
    for index, (label, told, answered, missed) in enumerate(columns):
        low, high = answered * scale, missed * scale
        bars.append(
            Bar(
                x=round(index * step + step * 0.15, 2),
                width=round(step * 0.7, 2),
                answered_y=round(_HEIGHT - low, 2),
                answered_height=round(low, 2),
                missed_y=round(_HEIGHT - low - high, 2),
                missed_height=round(high, 2),
                label=label if index % max(1, every) == 0 else "",
                told=told,
                answered=answered,
                missed=missed,
            )
        )
    return Chart(_WIDTH, _HEIGHT + 22, _HEIGHT, most, tuple(bars))
