"""Whom of a department to ring for one caller, and whom to stop: pure, the time is a parameter.

    order      rings
    ALL        everybody who is free, at once, until somebody answers
    BYORDER    one by one, each for `duration_s`, from the top, and again from the top
    EVENLY     the same; the order given begins with who has gone longest without a call
    WATERFALL  one by one, each next after `duration_s` joins those who ring already

Whose phone refuses (or cannot be reached) makes room at once, and is left alone for a while that
doubles each time, so that a phone which refuses by itself does not make the hunt spin. Somebody
who is the only one to be had rings on when their time is over: there is nobody to move on to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from vpbx.directory import CallOrder
from vpbx.frozen import dataclass

__all__ = ["Hunt", "Start", "Stop"]

REST_S = 30.0
"""How long who refused is left alone in ALL; else it is the duration, at least `MIN_REST_S`."""
MIN_REST_S = 5.0
SHORTEST_S = 1.0
"""Nobody is rung for less, whatever is set."""
MAX_REST_S = 60.0


@dataclass(frozen=True, slots=True)
class Start:
    """Begin to ring an employee."""

    login: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Ring an employee no longer."""

    login: str


class Hunt:
    """The state of one hunt. `step` after everything that happened, and when `due` is over."""

    __slots__ = ("_advance", "_cursor", "_duration_s", "_order", "_refused", "_rest", "_ringing")

    def __init__(self, order: CallOrder, duration_s: float) -> None:
        self.set_rule(order, duration_s)
        self._ringing: dict[str, float] = {}
        """Who rings → since when; the last one began last."""
        self._rest: dict[str, float] = {}
        """Who refused → until when they are left alone."""
        self._refused: dict[str, int] = {}
        self._cursor = ""
        """Who was begun with last: the next one comes after them."""
        self._advance = False
        """Somebody refused: the next one's turn has come before its time."""

    @property
    def ringing(self) -> Iterable[str]:
        """Who is being rung."""
        return self._ringing.keys()

    @property
    def resting(self) -> tuple[str, ...]:
        """Who refused and is left alone, or was."""
        return tuple(self._rest)

    def set_rule(self, order: CallOrder, duration_s: float) -> None:
        """Go on by another rule: the department was edited."""
        self._order, self._duration_s = order, max(duration_s, SHORTEST_S)

    def refused(self, login: str, now: float) -> None:
        """Take note that `login` will not answer: all their devices refused or failed."""
        if self._ringing.pop(login, None) is None:
            return
        base = REST_S if self._order is CallOrder.ALL else max(self._duration_s, MIN_REST_S)
        times = self._refused[login] = self._refused.get(login, 0) + 1
        self._rest[login] = now + min(base * 2.0 ** (times - 1), MAX_REST_S)
        self._advance = True

    def freed(self, login: str) -> None:
        """Take note that `login` has just become free: what they refused before is forgotten."""
        self._rest.pop(login, None)
        self._refused.pop(login, None)

    def step(
        self, now: float, people: Sequence[str], free: Callable[[str], bool]
    ) -> list[Start | Stop]:
        """Return what to do now.

        `people` are those who may be rung at all, in their order; `free` says of one whether
        they are to be had this moment, which holds for somebody who rings for this caller.
        Whoever is to be started counts as ringing from now on.
        """
        actions: list[Start | Stop] = []
        members = set(people)
        for login in tuple(self._ringing):
            if login not in members or not free(login):
                del self._ringing[login]
                actions.append(Stop(login))
        for login in self._next(now, people, free):
            if self._order in (CallOrder.BYORDER, CallOrder.EVENLY):
                actions.extend(Stop(other) for other in self._ringing)
                self._ringing.clear()
            self._ringing[login] = now
            self._cursor = login
            actions.append(Start(login))
        self._advance = False
        return actions

    def due(self, now: float) -> float | None:
        """Return when to `step` again if nothing happens; None: no need to."""
        moments = [until for until in self._rest.values() if until > now]
        if self._ringing and self._order is not CallOrder.ALL:
            over = self._last_begun() + self._duration_s
            if over > now:
                moments.append(over)
        return min(moments, default=None)

    def _last_begun(self) -> float:
        return max(self._ringing.values())

    def _next(
        self, now: float, people: Sequence[str], free: Callable[[str], bool]
    ) -> Sequence[str]:
        """Return who is to be started now."""
        if self._order is CallOrder.ALL:
            return [login for login in people if self._may(login, now, free)]
        if self._ringing and not self._advance and now < self._last_begun() + self._duration_s:
            return ()
        for login in self._from_cursor(people):
            if self._may(login, now, free):
                return (login,)
        return ()

    def _from_cursor(self, people: Sequence[str]) -> Sequence[str]:
        if self._cursor not in people:
            return people
        after = people.index(self._cursor) + 1
        return (*people[after:], *people[:after])

    def _may(self, login: str, now: float, free: Callable[[str], bool]) -> bool:
        return login not in self._ringing and self._rest.get(login, now) <= now and free(login)
