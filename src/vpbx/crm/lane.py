"""Which command to an address of a domain's CRM is next: pure, with the clock as a parameter.

Theory of operation. Commands of one call stand in a queue; its head is sent, and the next one
only when the head was taken or given up. Queues do not wait for each other. A queue is

    HELD      its head waits for its row to be committed (what it tells of must be there first)
    READY     its head may be sent; queues in this state stand in line
    SENDING   its head is on its way
    WAITING   its head was not taken; it becomes READY when its pause is over

and moves like this (all of it; a queue that becomes empty is forgotten):

    HELD     --release--> READY
    READY    --take-->    SENDING
    SENDING  --taken-->   READY     with the next command as head; HELD if that is held
    SENDING  --left out-> READY     as taken, but it says nothing about the CRM
    SENDING  --refused--> WAITING   or, when the head's time is up, READY with the next command
    WAITING  --due-->     READY

All commands that are not taken at once are rows in the database too. A lane holds at most
`Limits.kept` of them; beyond that it is *spilled*: new commands are rows only, and are read
back, in the order of their ids, when there is room (`wants_rows`, `take_rows`). Every pending
row up to `last_id` is in memory or done with, every one after it is not in memory: that is what
keeps the order right.

A lane is *troubled* after `Limits.trouble` attempts in a row that failed. The first command
taken after that says that the CRM is back, and everything that waits is tried at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import field
from enum import Enum, auto
from typing import Any

from vpbx.clock import Clock, Timer
from vpbx.crm.commands import Fields
from vpbx.directory import MAIN
from vpbx.frozen import dataclass

PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Pauses after the first, second… attempt that failed; the last one from then on."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one lane."""

    kept: int = 500
    """Commands in memory."""
    kept_in_all: int = 20_000
    """Commands in memory, all lanes together…"""
    fair_share: int = 20
    """…but so many any lane may have."""
    refill_below: int = 20
    """Rows are read back when fewer than this are in line or being sent…"""
    refill: int = 200
    """…at most so many at a time."""
    keep_trying_s: float = 24 * 3600.0
    """A command not taken for so long is given up."""
    trouble: int = 3


@dataclass(slots=True)
class Command:
    """A command on its way, as its row says. `id` grows with time."""

    id: int
    domain_id: int
    callid: str
    fields: Fields
    created_at: float
    attempts: int = 0
    taken: bool = False
    is_row: bool = False
    """Whether its row is in the database, or on the way there."""
    since: float = 0.0
    """When it was made, by the monotonic clock."""
    held: bool = False
    """Whether it may not be sent yet."""
    address: str = MAIN
    """Name of the CRM's address it is for."""
    replay_of: int | None = None
    """The number in the log of what is sent once more."""
    # What came of it so far, for the log (`record`).
    log_id: int | None = None
    state: str = "waiting"
    format: str = ""
    status: int = 0
    latency_ms: int = 0
    answer: str = ""
    error: str = ""
    done_ms: int | None = None
    next_ms: int | None = None
    tries: list[list[Any]] = field(default_factory=list)


@dataclass(slots=True)
class Tally:
    """How many commands all lanes together have in memory."""

    kept: int = 0


class QueueState(Enum):
    """What the head of a call's queue is doing; see the top of this file."""

    HELD = auto()
    READY = auto()
    SENDING = auto()
    WAITING = auto()


@dataclass(slots=True)
class _Queue:
    commands: deque[Command] = field(default_factory=deque)
    state: QueueState = QueueState.READY
    timer: Timer | None = None


class Lane:
    """The commands of one domain to one address.

    `ready` is called when `take` has something to give.
    """

    def __init__(
        self,
        domain_id: int,
        clock: Clock,
        ready: Callable[[], None],
        limits: Limits,
        tally: Tally,
        *,
        address: str = MAIN,
        spilled: bool = False,
    ) -> None:
        self.domain_id = domain_id
        self.address = address
        self.limits = limits
        self.kept = 0
        """Commands in memory."""
        self.spilled = spilled
        """Whether there are, or may be, pending rows that are not in memory."""
        self.last_id = 0
        self.newest_id = 0
        """Id of the newest command that was put, kept or not."""
        self.failures = 0
        """Attempts in a row that failed."""
        self._clock = clock
        self._ready = ready
        self._tally = tally
        self._queues: dict[str, _Queue] = {}
        self._line: deque[str] = deque()
        self._waiting = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is in memory and no row waits to be."""
        return not self.kept and not self.spilled

    @property
    def troubled(self) -> bool:
        return self.failures >= self.limits.trouble

    @property
    def in_line(self) -> int:
        """How many queues are READY."""
        return len(self._line)

    @property
    def room(self) -> int:
        """How many more commands may be kept in memory."""
        return self._bound() - self.kept

    @property
    def wants_rows(self) -> bool:
        """Whether pending rows should be read back now.

        What waits for another try does not count, as long as there is room: commands that
        this CRM will not take must not keep it from those it would take.
        """
        if not self.spilled:
            return False
        busy = self.kept - self._waiting
        return busy < self.limits.refill_below and self.room * 4 >= self._bound()  # not one by one

    def _bound(self) -> int:
        crowded = self._tally.kept >= self.limits.kept_in_all
        return self.limits.fair_share if crowded else self.limits.kept

    def put(self, command: Command) -> None:
        """Take a new command, whose row is being written."""
        self.newest_id = command.id
        if self.spilled or self.room <= 0:
            self.spilled = True
            return
        self._keep(command)
        self._ready()

    def take_rows(self, commands: Iterable[Command], *, newest_id: int, all_read: bool) -> None:
        """Take pending rows read back, those after `last_id` in the order of their ids.

        `newest_id` is what the lane's own was before the rows were read, all that was
        submitted by then being written; `all_read` tells that no further row was found.
        """
        for command in commands:
            self._keep(command)
        if all_read and newest_id == self.newest_id:
            self.spilled = False
        self._ready()

    def take(self) -> Command | None:
        """Return the next command to send, or None; say `taken` or `refused` of it later."""
        if not self._line:
            return None
        queue = self._queues[self._line.popleft()]
        queue.state = QueueState.SENDING
        return queue.commands[0]

    def taken(self, command: Command) -> bool:
        """The CRM took the command. True: it is back after trouble."""
        self._next(command)
        return self.answers()

    def leave_out(self, command: Command) -> None:
        """The command was not sent, and will not be."""
        self._next(command)

    def release(self, command: Command) -> None:
        """The command may be sent. Nothing when it is not in memory: its row is read later."""
        command.held = False
        queue = self._queues.get(command.callid)
        if queue is not None and queue.state is QueueState.HELD and queue.commands[0] is command:
            self._stand_in_line(command.callid, queue)
            self._ready()

    def answers(self) -> bool:
        """The CRM answers. True: after trouble; then all that waits is tried at once."""
        was_troubled, self.failures = self.troubled, 0
        if was_troubled:
            for callid, queue in self._queues.items():
                if queue.state is QueueState.WAITING:
                    self._due(callid, queue)
            self._ready()
        return was_troubled

    def pause_s(self, command: Command) -> float:
        """Return how long a command that was just refused waits for its next try."""
        return PAUSES_S[min(command.attempts, len(PAUSES_S)) - 1]

    def refused(self, command: Command) -> bool:
        """The CRM did not take it. True: it waits for another try; False: it is given up."""
        self.failures += 1
        command.attempts += 1
        if self._clock.now() - command.since >= self.limits.keep_trying_s:
            self._next(command)
            return False
        queue = self._queues[command.callid]
        queue.state = QueueState.WAITING
        self._waiting += len(queue.commands)
        pause_s = self.pause_s(command)
        queue.timer = self._clock.call_later(pause_s, lambda: self._on_timer(command.callid))
        return True

    def close(self) -> None:
        """Forget everything; the rows stay."""
        for queue in self._queues.values():
            if queue.timer is not None:
                queue.timer.cancel()
        self._queues.clear()
        self._line.clear()
        self._tally.kept -= self.kept
        self.kept = self._waiting = 0

    def _keep(self, command: Command) -> None:
        self.last_id = command.id
        self.newest_id = max(self.newest_id, command.id)
        self.kept += 1
        self._tally.kept += 1
        queue = self._queues.get(command.callid)
        if queue is None:
            queue = self._queues[command.callid] = _Queue()
            queue.commands.append(command)
            self._stand_in_line(command.callid, queue)
            return
        if queue.state is QueueState.WAITING:
            self._waiting += 1
        queue.commands.append(command)

    def _stand_in_line(self, callid: str, queue: _Queue) -> None:
        """Let the head of a queue be sent, as soon as it may be."""
        if queue.commands[0].held:
            queue.state = QueueState.HELD
        else:
            queue.state = QueueState.READY
            self._line.append(callid)

    def _next(self, command: Command) -> None:
        """Done with the head of a queue, for good or ill."""
        queue = self._queues[command.callid]
        queue.commands.popleft()
        self.kept -= 1
        self._tally.kept -= 1
        if queue.commands:
            self._stand_in_line(command.callid, queue)
        else:
            del self._queues[command.callid]

    def _on_timer(self, callid: str) -> None:
        queue = self._queues.get(callid)
        if queue is not None and queue.state is QueueState.WAITING:
            self._due(callid, queue)
            self._ready()

    def _due(self, callid: str, queue: _Queue) -> None:
        if queue.timer is not None:
            queue.timer.cancel()
            queue.timer = None
        self._waiting -= len(queue.commands)
        self._stand_in_line(callid, queue)
