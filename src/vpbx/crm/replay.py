"""Commands once more, because somebody asked for it (a CRM was wrong, or empty, or new).

They wait in the outbox's table under a status of their own, so a restart loses none, and are
sent beside the lane, few at a time: ten thousand of them hold up no live command. Those of one
call keep their order. One that is refused is tried `_TRIES` times and holds up nobody but its
call; a CRM that does not answer at all is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

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
_PAUSE_S = 0.5
_AWAY_S = (2.0, 5.0, 15.0, 60.0)


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
        if key not in self._tasks:
            task = asyncio.get_running_loop().create_task(self._work(key))
            self._tasks[key] = task
            task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _work(self, key: tuple[int, str]) -> None:
        while key in self._more:
            self._more.discard(key)
            after = 0
            while True:
                try:
                    page = await self._store.read_replays(*key, after, _PAGE)
                except Exception as error:
                    log.warning("commands to be sent again cannot be read", error=repr(error))
                    await asyncio.sleep(_AWAY_S[0])
                    continue
                if not page:
                    break
                after = page[-1].id
                # those of one call are in one hand
                hands: list[list[Command]] = [[] for _ in range(HANDS)]
                for command in page:
                    hands[hash(command.callid) % HANDS].append(command)
                await asyncio.gather(*(self._send_all(hand) for hand in hands))

    async def _send_all(self, commands: Sequence[Command]) -> None:
        for command in commands:
            away = 0
            while not await self._send_once(command):
                if command.status:  # it answers, but does not take this one
                    await asyncio.sleep(_PAUSE_S)
                else:
                    await asyncio.sleep(_AWAY_S[min(away, len(_AWAY_S) - 1)])
                    away += 1

    async def _send_once(self, command: Command) -> bool:
        """Send it; True: it is done with."""
        began = self._clock.now()
        answer = await self._send(command)
        now = self._clock.time()
        if answer.status and not answer.taken:
            command.attempts += 1
        given_up = bool(answer.status) and not answer.taken and command.attempts >= _TRIES
        taken = State.TAKEN if answer.taken else State.FAILED if given_up else State.WAITING
        state = answer.fate or taken
        took_s = self._clock.now() - began
        note(command, answer, state=state, now=now, took_s=took_s, next_s=None)
        writes = self._record.changed(command)
        if state != State.WAITING:
            writes.append(self._store.delete(command))
        self._writer.submit(writes)
        return state != State.WAITING
