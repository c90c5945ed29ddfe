"""Who is what in which call: one state that answers busy, BLF, pick-up and "who got free".

Fed by every move of every call's journal, the move of who places a call included. A watcher is
told of each change of an employee, after it; the questions answer with what is then true.

An employee's presence is that of the busiest of their calls (RFC 4235 says `early` and
`confirmed` of a dialog where this says RINGING and TALKING).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, IntEnum, auto
from typing import TypeAlias

from vpbx.frozen import dataclass

__all__ = ["Line", "Lines", "Presence", "Use", "Watcher"]


class Use(Enum):
    """What an employee does in a call."""

    RINGING = auto()
    """Their phone rings."""
    PLACING = auto()
    """They call somebody, and nobody has answered yet."""
    TALKING = auto()


class Presence(IntEnum):
    """What colleagues may know of an employee; the greater one counts."""

    IDLE = 0
    RINGING = 1
    TALKING = 2
    """Or calling: the phone is in their hand."""


@dataclass(frozen=True, slots=True)
class Line:
    """An employee's part in one call. `group`: id of the department they are rung for, or ""."""

    callid: str
    use: Use
    since: float
    group: str = ""


Employee: TypeAlias = tuple[int, str]
"""Domain id and login."""
Watcher: TypeAlias = Callable[[int, str, Presence, Presence], None]
"""(domain id, login, presence before, presence now): something about their calls has changed."""


class Lines:
    """The calls of all employees. An employee without a call takes no room."""

    def __init__(self) -> None:
        self._lines: dict[Employee, dict[str, Line]] = {}
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Tell `watcher` of every change; returns how to stop that."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def move(
        self,
        domain_id: int,
        login: str,
        callid: str,
        use: Use | None,
        *,
        now: float,
        group: str = "",
    ) -> None:
        """Take note that `login` is `use` in a call from `now` on; None: they have left it."""
        who = (domain_id, login)
        lines = self._lines.get(who, {})
        before = _presence(lines)
        was = lines.get(callid)
        if use is None:
            if was is None:
                return
            del lines[callid]
            if not lines:
                del self._lines[who]
        else:
            if was is not None and was.use is use:
                return
            kept = was.group if was is not None and not group else group
            self._lines.setdefault(who, lines)[callid] = Line(callid, use, now, kept)
        after = _presence(lines)
        for watcher in tuple(self._watchers):
            watcher(domain_id, login, before, after)

    def of(self, domain_id: int, login: str) -> tuple[Line, ...]:
        """Return an employee's calls, the oldest first."""
        return tuple(self._lines.get((domain_id, login), {}).values())

    def idle(self, domain_id: int, login: str) -> bool:
        """Say whether an employee is in no call at all, not even rung."""
        return (domain_id, login) not in self._lines

    def busy(self, domain_id: int, login: str, *, besides: str = "") -> bool:
        """Say whether an employee talks or calls somebody, in another call than `besides`."""
        lines = self._lines.get((domain_id, login))
        return lines is not None and any(
            line.use is not Use.RINGING and line.callid != besides for line in lines.values()
        )

    def rings(self, domain_id: int, login: str, *, besides: str = "") -> bool:
        """Say whether an employee's phone rings, for another call than `besides`."""
        lines = self._lines.get((domain_id, login))
        return lines is not None and any(
            line.use is Use.RINGING and line.callid != besides for line in lines.values()
        )

    def presence(self, domain_id: int, login: str) -> Presence:
        """Return what BLF shows of an employee (whether they are registered is not known here)."""
        return _presence(self._lines.get((domain_id, login), {}))

    def ringing_at(self, domain_id: int, login: str) -> Line | None:
        """Return the call that has rung longest at an employee: whoever picks up gets that one."""
        ringing = [line for line in self.of(domain_id, login) if line.use is Use.RINGING]
        return min(ringing, key=_age, default=None)

    def ringing_in(self, domain_id: int, groups: frozenset[str]) -> tuple[str, Line] | None:
        """Return who has been rung longest for one of these departments, and the call."""
        ringing = [
            (login, line)
            for login, line in self._all(domain_id)
            if line.use is Use.RINGING and line.group in groups
        ]
        return min(ringing, key=lambda found: _age(found[1]), default=None)

    def _all(self, domain_id: int) -> Iterator[tuple[str, Line]]:
        for (domain, login), lines in self._lines.items():
            if domain == domain_id:
                for line in lines.values():
                    yield login, line


def _presence(lines: dict[str, Line]) -> Presence:
    if not lines:
        return Presence.IDLE
    for line in lines.values():
        if line.use is not Use.RINGING:
            return Presence.TALKING
    return Presence.RINGING


def _age(line: Line) -> tuple[float, str]:
    return line.since, line.callid
