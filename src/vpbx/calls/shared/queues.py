"""Who waits for which department, in which order, and who is offered whom. Pure.

Theory of operation. A ticket is a caller in line, or a customer to be called back; it belongs to
the department, not to a call. One function, `_allot`, runs after everything that happened and
goes through the tickets of a company, the longest waiting first, whatever their department: each
hunts among the employees who are free and reserved for nobody else. What it begins with is
reserved for it until it stops, so one free employee is offered one caller, and the one who has
waited longest. Everything happens at once, so no two calls can think the same of an employee.

`tell` of a ticket is called with `Start` and `Stop` (a caller's), `CallNow` or `Gone` (of who
is to be called back); it must not call back into the queues before it returns. Who is to be had
is asked of `Staff`; whoever knows that this has changed says so by `freed` and `changed`. What
nobody says (a registration that ran out, a setting changed by the command line) is seen within
`LOOK_S`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import field
from itertools import count
from typing import Protocol, TypeAlias

from vpbx.calls.hunt import Hunt, Start, Stop
from vpbx.clock import Clock, Timer
from vpbx.directory import CallOrder
from vpbx.frozen import dataclass

__all__ = [
    "CallBack",
    "CallNow",
    "Gone",
    "Queues",
    "Rule",
    "Staff",
    "Telling",
    "Ticket",
    "Waiting",
]

TRIES = 3
"""How often a customer is called back."""
RETRY_S = 300.0
"""How long after a try that did not reach them."""
LOOK_S = 1.0
"""How often a company's lines are looked through while anybody waits."""
PACE_S, PACE_FROM, PACE_OF = 1800.0, 3, 10
"""An estimate stands on at least `PACE_FROM` answers in `PACE_S`, on `PACE_OF` at most."""
REST_S, MAX_REST_S = 30.0, 960.0
"""How long an employee who did not take a call back is left alone with it: longer each time, for
phones stay registered when everybody has gone home."""


@dataclass(frozen=True, slots=True)
class CallNow:
    """Ring this employee, and then the customer."""

    login: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The department of a customer who was to be called back was deleted: the ticket is out."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How a department hunts, and who of it may be rung at all now, in order."""

    order: CallOrder
    duration_s: float
    people: tuple[str, ...]
    gone: bool = False
    """The department was deleted."""


class Staff(Protocol):
    """What the queues must know of a company at this moment."""

    def rule(self, domain_id: int, group: str, without: str) -> Rule:
        """Return the department's rule; nobody in it when there is no such department any more.

        Members who receive its calls and are not in DND; for EVENLY those first who have gone
        longest without a call. The employee `without` is left out.
        """

    def free(self, domain_id: int, login: str, ticket: Ticket) -> bool:
        """Say whether an employee is reachable and in no call, but that of `ticket`."""


Telling: TypeAlias = Start | Stop | CallNow | Gone
_Tell: TypeAlias = Callable[[Telling], None]


@dataclass(eq=False, slots=True)
class Ticket:
    """A place in line, taken at `since` (seconds of the clock)."""

    domain_id: int
    group: str
    since: float
    tell: _Tell
    number: int = 0
    """In which order tickets of the same moment were taken."""
    reserved: dict[str, None] = field(default_factory=dict)
    """Who is kept for it, in order: whom its phones are to ring at."""
    without: str = ""
    """An employee who is not rung for it: they call their own department."""

    @property
    def turn(self) -> tuple[float, int]:
        return self.since, self.number


@dataclass(eq=False, slots=True)
class Waiting(Ticket):
    """A caller in line. `callid` is of the call that rings for it."""

    callid: str = ""
    hunt: Hunt = field(default_factory=lambda: Hunt(CallOrder.ALL, 0.0))


@dataclass(eq=False, slots=True)
class CallBack(Ticket):
    """A customer to be called back, while nobody does it at this moment."""

    client: str = ""
    tries: int = 0
    """How often the customer was called."""
    not_before: float = 0.0
    rest: dict[str, float] = field(default_factory=dict)
    """Employees who did not take it → until when they are left alone."""
    refused: dict[str, int] = field(default_factory=dict)
    """How often they did not."""


class Queues:
    """All lines of all companies."""

    def __init__(self, clock: Clock, staff: Staff) -> None:
        self._clock = clock
        self._staff = staff
        self._lines: dict[int, list[Ticket]] = {}
        """By domain, the longest waiting first."""
        self._reserved: dict[tuple[int, str], Ticket] = {}
        self._timers: dict[int, Timer] = {}
        self._pace: dict[tuple[int, str], deque[float]] = {}
        """When those who had to wait were answered, of the last `PACE_OF`."""
        self._numbers = count(1)

    # -- tickets ----------------------------------------------------------------------------------

    def join(self, ticket: Ticket) -> None:
        """Put a ticket into line: behind those who have waited longer."""
        ticket.number = next(self._numbers)
        line = self._lines.setdefault(ticket.domain_id, [])
        line.append(ticket)
        line.sort(key=lambda each: each.turn)
        self._allot(ticket.domain_id)

    def leave(self, ticket: Ticket) -> None:
        """Take a ticket out of line: answered, gone, or on to elsewhere; harmless twice.

        What was reserved for it is free for the next; it is told of nothing any more.
        """
        if self._remove(ticket):
            self._allot(ticket.domain_id)

    def _remove(self, ticket: Ticket) -> bool:
        line = self._lines.get(ticket.domain_id, [])
        if ticket not in line:
            return False
        line.remove(ticket)
        if not line:
            del self._lines[ticket.domain_id]
        for login in tuple(ticket.reserved):
            self._release(ticket, login)
        return True

    def refused(self, ticket: Waiting, login: str) -> None:
        """An employee who was rung for a caller will not answer."""
        ticket.hunt.refused(login, self._clock.now())
        self._release(ticket, login)
        self._allot(ticket.domain_id)

    def place(self, ticket: Ticket) -> int:
        """Return a ticket's place in the line of its department, 1 is next; 0: not in line."""
        line = [t for t in self._lines.get(ticket.domain_id, ()) if t.group == ticket.group]
        return line.index(ticket) + 1 if ticket in line else 0

    def any(self, domain_id: int) -> bool:
        """Say whether anybody is in any line of a company."""
        return domain_id in self._lines

    def waiting(self, domain_id: int, group: str) -> int:
        """Return how many are in a department's line, those to be called back among them."""
        return sum(ticket.group == group for ticket in self._lines.get(domain_id, ()))

    def served(self, ticket: Waiting) -> None:
        """Somebody who had to wait is being answered: that is how fast the line moves."""
        moments = self._pace.setdefault((ticket.domain_id, ticket.group), deque(maxlen=PACE_OF))
        moments.append(self._clock.now())

    def wait_minutes(self, ticket: Ticket) -> int | None:
        """Return how many minutes a ticket may still wait; None: nobody can tell.

        By how fast the line has moved in the last half hour.
        """
        since = self._clock.now() - PACE_S
        served = self._pace.get((ticket.domain_id, ticket.group), ())
        moments = [moment for moment in served if moment >= since]
        place = self.place(ticket)
        if len(moments) < PACE_FROM or not place:
            return None
        pause_s = (moments[-1] - moments[0]) / (len(moments) - 1)
        return max(1, round(place * pause_s / 60))

    # -- calling back -----------------------------------------------------------------------------

    def taken(self, ticket: CallBack) -> None:
        """The employee has answered: the customer is called, once more."""
        ticket.tries += 1

    def not_taken(self, ticket: CallBack, login: str) -> None:
        """The employee did not answer: somebody else may, they are left alone for a while."""
        times = ticket.refused[login] = ticket.refused.get(login, 0) + 1
        rest_s = min(REST_S * 2.0 ** (min(times, 10) - 1), MAX_REST_S)
        ticket.rest[login] = self._clock.now() + rest_s
        self._release(ticket, login)
        self._allot(ticket.domain_id)

    def not_reached(self, ticket: CallBack, login: str) -> bool:
        """The customer did not answer: try again later, or (False) not any more."""
        ticket.not_before = self._clock.now() + RETRY_S
        self._release(ticket, login)
        again = ticket.tries < TRIES
        if again:
            self._allot(ticket.domain_id)
        else:
            self.leave(ticket)
        return again

    def callbacks(self, domain_id: int, client: str) -> list[CallBack]:
        """Return what has been promised to a customer."""
        line = self._lines.get(domain_id, ())
        return [t for t in line if isinstance(t, CallBack) and t.client == client]

    # -- what has changed -------------------------------------------------------------------------

    def freed(self, domain_id: int, login: str) -> None:
        """An employee got free: a call ended, DND was switched off, a device registered."""
        for ticket in self._lines.get(domain_id, ()):
            if isinstance(ticket, Waiting):
                ticket.hunt.freed(login)
            elif isinstance(ticket, CallBack):
                ticket.rest.pop(login, None)
        self._allot(domain_id)

    def changed(self, domain_id: int) -> None:
        """Something about a company's employees or departments may be different now."""
        self._allot(domain_id)

    # -- who is offered whom ----------------------------------------------------------------------

    def _allot(self, domain_id: int) -> None:
        line = self._lines.get(domain_id)
        if line is None:
            self._stop_looking(domain_id)
            return
        now = self._clock.now()
        told: list[tuple[Ticket, Telling]] = []
        # First whoever must stop: what they leave is there for those who have waited longer.
        stopped = True
        while stopped:
            stopped = False
            rules: dict[tuple[str, str], Rule] = {}
            for ticket in line:
                for action in self._step(ticket, self._rule(ticket, rules), now):
                    told.append((ticket, action))
                    stopped |= isinstance(action, Stop)
        for ticket in [t for t in line if isinstance(t, CallBack) and self._rule(t, rules).gone]:
            self._remove(ticket)  # what becomes of a caller, their call decides
            told.append((ticket, Gone()))
        self._remind(domain_id, now)
        for ticket, telling in told:
            ticket.tell(telling)

    def _rule(self, ticket: Ticket, known: dict[tuple[str, str], Rule]) -> Rule:
        key = (ticket.group, ticket.without)
        rule = known.get(key)
        if rule is None:
            rule = known[key] = self._staff.rule(ticket.domain_id, *key)
        return rule

    def _step(self, ticket: Ticket, rule: Rule, now: float) -> Iterator[Start | Stop | CallNow]:
        if isinstance(ticket, Waiting):
            ticket.hunt.set_rule(rule.order, rule.duration_s)
            for login in ticket.hunt.resting:
                if login not in rule.people or not self._staff.free(
                    ticket.domain_id, login, ticket
                ):
                    ticket.hunt.freed(login)  # when they are to be had again, they are new
            for action in ticket.hunt.step(
                now, rule.people, lambda login: self._free(ticket, login)
            ):
                if isinstance(action, Start):
                    self._reserve(ticket, action.login)
                else:
                    self._release(ticket, action.login)
                yield action
        elif isinstance(ticket, CallBack) and not ticket.reserved and ticket.not_before <= now:
            for login in rule.people:
                if ticket.rest.get(login, now) <= now and self._free(ticket, login):
                    self._reserve(ticket, login)
                    yield CallNow(login)
                    break

    def _free(self, ticket: Ticket, login: str) -> bool:
        holder = self._reserved.get((ticket.domain_id, login))
        if holder is not None and holder is not ticket:
            return False
        return self._staff.free(ticket.domain_id, login, ticket)

    def _reserve(self, ticket: Ticket, login: str) -> None:
        self._reserved[ticket.domain_id, login] = ticket
        ticket.reserved[login] = None

    def _release(self, ticket: Ticket, login: str) -> None:
        if login in ticket.reserved:
            del ticket.reserved[login]
            del self._reserved[ticket.domain_id, login]

    def _remind(self, domain_id: int, now: float) -> None:
        """Come back when the first of a company's tickets wants it, and before long anyway."""
        self._stop_looking(domain_id)
        if domain_id not in self._lines:
            return
        moments = [due for ticket in self._lines[domain_id] for due in _due(ticket, now)]
        delay_s = max(0.0, min([*moments, now + LOOK_S]) - now)
        self._timers[domain_id] = self._clock.call_later(delay_s, lambda: self._allot(domain_id))

    def _stop_looking(self, domain_id: int) -> None:
        timer = self._timers.pop(domain_id, None)
        if timer is not None:
            timer.cancel()


def _due(ticket: Ticket, now: float) -> Iterator[float]:
    if isinstance(ticket, Waiting):
        due = ticket.hunt.due(now)
        if due is not None:
            yield due
    elif isinstance(ticket, CallBack) and not ticket.reserved:
        yield from (moment for moment in (ticket.not_before, *ticket.rest.values()) if moment > now)
