"""The path of a call: where it came, who rang, who talked, as its events told, in short.

It is kept with the call's row as a JSON array of `[ms since the start, kind, who, login or id]`.
A call that goes round for hours in a queue has its first and its last steps.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from vpbx.events import (
    Answered,
    AttemptEnded,
    CallEvent,
    CallStarted,
    Completed,
    Dialing,
    Entered,
    Group,
    Party,
    RingEnded,
    Ringing,
    Taken,
    Transferred,
    epoch_ms,
)
from vpbx.frozen import dataclass
from vpbx.jsontext import compact

__all__ = ["STEP_KINDS", "Path", "Step", "add_step", "dump_path", "load_path"]

Path: TypeAlias = list[list[Any]]

STEP_KINDS = ("at", "in", "ring", "dial", "talk", "stop", "over", "taken", "passed")
"""It is `at` a place (a `Destination`) or `in` a department; somebody rings, is dialled for,
talks; `stop`: no more ringing or dialling, `over`: no more talk; `taken` by what is no employee;
`passed` on to another call, whose callid stands in place of the login."""

_MOST = 120
_KEPT_FIRST = 80
_KINDS: dict[type, str] = {
    Ringing: "ring",
    RingEnded: "stop",
    Dialing: "dial",
    AttemptEnded: "stop",
    Answered: "talk",
    Completed: "over",
    Transferred: "passed",
}


@dataclass(frozen=True, slots=True)
class Step:
    """`at_s`: seconds since the call began; `who`: a name, or a place; `key`: login or id."""

    at_s: float
    kind: str
    who: str
    key: str


def add_step(path: Path, event: CallEvent) -> None:
    """Go on by one event; most that is no step adds none."""
    since = epoch_ms(event.at) - epoch_ms(event.call.started_at)
    if isinstance(event, CallStarted | Entered | Taken):
        _add_place(path, since, event)
        return
    kind = _KINDS.get(type(event))
    if kind is None:
        return
    told: Any = event
    user: Party = told.user
    group: Group | None = told.group
    if kind == "ring" and group is not None:
        _add_group(path, since, group)
    key = event.second_callid if isinstance(event, Transferred) else user.login
    _add(path, [since, kind, user.name or user.login, key])


def _add_place(path: Path, since: int, event: CallStarted | Entered | Taken) -> None:
    kind = "taken" if isinstance(event, Taken) else "at"
    if event.place:
        place = str(event.place)
        _add(path, [since, kind, place, place])
    elif isinstance(event, Entered) and event.group is not None:
        _add_group(path, since, event.group)


def _add_group(path: Path, since: int, group: Group) -> None:
    if not any(step[1] == "in" and step[3] == group.id for step in path):
        _add(path, [since, "in", group.name or group.id, group.id])


def _add(path: Path, step: list[Any]) -> None:
    if len(path) >= _MOST:
        del path[_KEPT_FIRST]
    path.append(step)


def dump_path(path: Path) -> str:
    """Return a path as it is kept; "" for none."""
    return compact(path) if path else ""


def load_path(text: str | None) -> tuple[Step, ...]:
    """Return what `dump_path` made; of a call that has none, nothing."""
    if not text:
        return ()
    return tuple(Step(ms / 1000, kind, who, key) for ms, kind, who, key in json.loads(text))
