"""Commands once more, because somebody asked for it (a CRM was wrong, or empty, or new).

They wait in the outbox's table under a status of their own, so a restart loses none, and are
sent beside the lane, few at a time: ten thousand of them hold up no live command.

They are sent in rounds, each tried once a round, with pauses after rounds in which nothing was
taken; a CRM that does not answer is left alone soon, and waited for. Those of one call keep their
order. A command that is refused while others are taken is at fault itself: after `_TRIES` times
it is given up, and holds up nobody but its call meanwhile. Where everything is refused the CRM is
in trouble (a proxy that says 502, a wrong token), and it is waited for as well, up to
`_TRIES_AT_ALL` attempts with each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from vpbx.clock import Clock
from vpbx.crm.client import Answer
from vpbx.crm.lane import Command
from vpbx.crm.record import CommandLog, Entry, State, note
from vpbx.crm.store import Store
from vpbx.crm.tables import SUBSCRIBERS
from vpbx.db import Writer

__all__ = ["Replays"]

log = structlog.get_logger("vpbx.crm")

HANDS = 2
"""Requests to one address at the same time, beside those of the lane."""
_PAGE = 100
_TRIES = 3
_TRIES_AT_ALL = 12
_PAUSES_S = (0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
_UNREAD_S = 2.0
_SILENT = 3
"""Attempts without an answer, one after the other, that end a round."""
_REFUSED = 20
"""Refusals with nothing taken that end a round."""


class Replays:
    """Sends what is to be sent once more. `send` gives a command to its domain's address."""

    def __init__(
        self,
        store: Store,
        record: CommandLog,
        writer: Writer,
        send: Callable[[Command], Awaitable[Answer]],
        clock: Clock,
    ) -> None:
        self._store = store
        self._record = record
        self._writer = writer
        self._send = send
        self._clock = clock
        self._tasks: dict[tuple[int, str], asyncio.Task[None]] = {}
        self._more: set[tuple[int, str]] = set()

    async def start(self) -> None:
        """Go on with what an earlier run left."""
        for domain_id, address in await self._store.replaying():
            self.go_on(domain_id, address)

    async def stop(self) -> None:
        """Stop sending; what is left stays in its rows."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def add(self, domain_id: int, entries: Sequence[Entry], to: str = "") -> int:
        """Send these entries of the log once more, in their order; return how many.

        `to` names an address for all of them; without it each goes where it went before.
        """
        now = self._clock.time()
        commands = [
            Command(
                self._store.new_id(self._clock.steady()),
                domain_id,
                entry.callid,
                dict(entry.fields),
                now,
                since=self._clock.now(),
                address=entry.address if not to or entry.address == SUBSCRIBERS else to,
                replay_of=entry.id,
            )
            for entry in entries
        ]
        for start in range(0, len(commands), _PAGE):
            page = commands[start : start + _PAGE]
            self._writer.submit(
                [write for each in page for write in self._store.replay(each, self._record)]
            )
        await self._writer.flush()
        for address in {command.address for command in commands}:
            self.go_on(domain_id, address)
        return len(commands)

    def go_on(self, domain_id: int, address: str) -> None:
        """See to it that somebody is at it."""
        key = domain_id, address
        self._more.add(key)
        at_it = self._tasks.get(key)
        if at_it is None or at_it.done():  # done, and not yet forgotten: it looks no more
            task = asyncio.get_running_loop().create_task(self._work(key))
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))

    def _forget(self, key: tuple[int, str], done: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is done:
            del self._tasks[key]

    async def _work(self, key: tuple[int, str]) -> None:
        run = _Run()
        while True:
            self._more.discard(key)
            at_end = await self._round(key, run)
            left = run.left or run.failing
            if at_end and not left and key not in self._more:
                return
            if not run.taken:
                await asyncio.sleep(_PAUSES_S[min(run.idle, len(_PAUSES_S) - 1)])
                run.idle += 1
            elif left and at_end:
                await asyncio.sleep(_PAUSES_S[0])

    async def _round(self, key: tuple[int, str], run: _Run) -> bool:
        """Try each row once, from where the last round stopped; True: up to the end.

        Nobody who does not answer is asked for long, nor who refuses everything.
        """
        run.begin()
        at_end = False
        while not (at_end or run.in_vain):
            try:
                if not run.calls:  # what was done with in the last round is to be gone
                    await self._writer.flush()
                page = await self._store.read_replays(*key, run.after, _PAGE)
            except Exception as error:
                log.warning("commands to be sent again cannot be read", error=repr(error))
                await asyncio.sleep(_UNREAD_S)
                continue
            hands: list[list[Command]] = [[] for _ in range(HANDS)]
            for command in page:  # those of one call are in one hand
                hands[hash(command.callid) % HANDS].append(command)
            at_end = not page
            reached = await asyncio.gather(*(self._send_all(hand, run) for hand in hands))
            done = page[-1].id if page else 0
            run.after = min(done if last is None else last for last in reached)
        for command in run.refused:
            self._settle(command, run)
        return at_end

    async def _send_all(self, commands: Sequence[Command], run: _Run) -> int | None:
        """Try these in order; return the last that was tried where it stopped before their end."""
        last = run.after
        for read in commands:
            if run.in_vain:
                return last
            last = read.id
            command = run.failing.get(read.callid, read)
            if command.id != read.id:
                run.left = True
                continue  # one before it is still to be taken
            began = self._clock.now()
            answer = await self._send(command)
            run.heard(command, answer)
            state = answer.fate or (State.TAKEN if answer.taken else State.WAITING)
            self._keep(command, answer, state, self._clock.now() - began)
        return None

    def _settle(self, command: Command, run: _Run) -> None:
        """Say what a refusal means: the CRM's trouble, or the command's."""
        if run.taken or run.calls == 1:
            run.blamed[command.id] = run.blamed.get(command.id, 0) + 1
        if run.blamed.get(command.id, 0) >= _TRIES or command.attempts >= _TRIES_AT_ALL:
            run.done(command)
            answer = Answer(command.status, error=command.error)
            self._keep(command, answer, State.FAILED, command.latency_ms / 1000)

    def _keep(self, command: Command, answer: Answer, state: str, took_s: float) -> None:
        note(command, answer, state=state, now=self._clock.time(), took_s=took_s, next_s=None)
        writes = self._record.changed(command)
        if state != State.WAITING:
            writes.append(self._store.delete(command))
        self._writer.submit(writes)


@dataclass
class _Run:
    """How it goes with the replays to one address."""

    after: int = 0
    """The last row that was tried."""
    idle: int = 0
    """Rounds in a row in which nothing was taken."""
    failing: dict[str, Command] = field(default_factory=dict)
    """By callid, the first that was not taken: the rest of its call waits for it."""
    blamed: dict[int, int] = field(default_factory=dict)
    """How often a command was refused by a CRM that took others."""
    refused: list[Command] = field(default_factory=list)
    taken: int = 0
    silent: int = 0
    calls: int = 0
    left: bool = False
    """Whether the round passed by any that is still to be sent."""

    def begin(self) -> None:
        """Begin a round."""
        self.refused = []
        self.taken = self.silent = self.calls = 0
        self.left = False

    @property
    def in_vain(self) -> bool:
        """Whether the round had better stop."""
        return self.silent >= _SILENT or (not self.taken and len(self.refused) >= _REFUSED)

    def heard(self, command: Command, answer: Answer) -> None:
        """Learn from an answer."""
        self.calls += 1
        if answer.taken or answer.fate:
            self.done(command)
            self.taken += 1
            self.silent = self.idle = 0
            return
        self.left = True
        self.failing[command.callid] = command
        if answer.status:
            command.attempts += 1
            self.refused.append(command)
            self.silent = 0
        else:
            self.silent += 1

    def done(self, command: Command) -> None:
        """The command is taken or given up."""
        self.failing.pop(command.callid, None)
        self.blamed.pop(command.id, None)
