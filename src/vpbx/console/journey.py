"""The path of a call, drawn: a lane for each place it came to and each person it rang, by time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vpbx.console.texts import Texts
from vpbx.history import Step

__all__ = ["Bar", "Journey", "Lane", "journey"]

WIDTH, LABEL, LANE = 640, 150, 30
_LEAST = 3
_LETTERS = 19
_SHOWN = ("at", "in", "ring", "dial", "talk", "taken", "passed")
SAID_WORDS = {
    "at": "comes to: {who}",
    "in": "comes to the department: {who}",
    "ring": "rings at: {who}",
    "dial": "is dialled for: {who}",
    "talk": "talks: {who}",
    "taken": "is taken by: {who}",
    "passed": "is passed on by: {who}",
}


@dataclass(slots=True)
class Bar:
    """A stretch of a lane. `kind`: place, ring or talk. x and width in the drawing's units."""

    kind: str
    x: float
    width: float
    title: str


@dataclass(slots=True)
class Lane:
    """A line of the drawing: a place, a department or a person."""

    name: str
    y: int
    bars: list[Bar] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Journey:
    """The drawing, and the same in words: (seconds since the start, words, callid or "")."""

    lanes: list[Lane]
    ticks: list[tuple[float, str]]
    told: list[tuple[float, str, str]]
    height: int
    width: int = WIDTH


def journey(
    path: Sequence[Step], length_s: float, places: Mapping[str, str], say: Texts
) -> Journey | None:
    """Return the path of a call that took `length_s` in all; None where none is known."""
    if not path:
        return None
    pen = _Pen(max(length_s, path[-1].at_s, 1.0), places, say)
    for step in path:
        pen.draw(step)
    pen.finish()
    told = [
        (step.at_s, say(SAID_WORDS[step.kind], who=pen.name(step)), _other(step))
        for step in path
        if step.kind in _SHOWN
    ]
    lanes = list(pen.lanes.values())
    return Journey(lanes, pen.ticks(), told, len(lanes) * LANE + 24)


def _other(step: Step) -> str:
    return step.key if step.kind == "passed" else ""


class _Pen:
    def __init__(self, length_s: float, places: Mapping[str, str], say: Texts) -> None:
        self.lanes: dict[str, Lane] = {}
        self._length_s = length_s
        self._places = places
        self._say = say
        self._open: dict[str, Step] = {}
        self._place: Step | None = None

    def name(self, step: Step) -> str:
        """Return who or what a step is about, in the reader's words."""
        if step.kind in ("at", "taken"):
            return self._say(self._places.get(step.who, step.who))
        return step.who

    def draw(self, step: Step) -> None:
        if step.kind in ("at", "in", "taken"):
            self._leave(step.at_s)
            self._place = step
            return
        if step.kind == "passed":
            return
        before = self._open.pop(step.key, None)
        if before is not None:
            self._bar(before, step.at_s, "talk" if before.kind == "talk" else "ring")
        if step.kind in ("ring", "dial", "talk"):
            self._open[step.key] = step
        if step.kind == "talk":
            self._leave(step.at_s)

    def finish(self) -> None:
        self._leave(self._length_s)
        for step in self._open.values():
            self._bar(step, self._length_s, "talk" if step.kind == "talk" else "ring")

    def ticks(self) -> list[tuple[float, str]]:
        """Return where seconds are written: five at most, round ones."""
        each = next(
            (s for s in (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800) if self._length_s / s <= 5), 3600
        )
        found = range(0, int(self._length_s) + 1, each)
        return [(self._x(s), f"{s // 60}:{s % 60:02}") for s in found]

    def _leave(self, at_s: float) -> None:
        if self._place is not None:
            self._bar(self._place, at_s, "place")
            self._place = None

    def _x(self, at_s: float) -> float:
        return round(LABEL + at_s / self._length_s * (WIDTH - LABEL - 10), 1)

    def _bar(self, step: Step, until_s: float, kind: str) -> None:
        name = self.name(step)
        key = f"{'place' if kind == 'place' else 'person'} {step.key}"
        lane = self.lanes.setdefault(key, Lane(_short(name), len(self.lanes) * LANE))
        start, end = self._x(step.at_s), self._x(until_s)
        title = f"{name}: {step.at_s:.0f}–{until_s:.0f} s"
        lane.bars.append(Bar(kind, start, max(end - start, _LEAST), title))


def _short(name: str) -> str:
    return name if len(name) <= _LETTERS else name[: _LETTERS - 1] + "…"
