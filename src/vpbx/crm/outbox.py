"""The outbox: commands reach their CRM, at once when it can take them, else when it can.

Each event is handed over from memory at once. What the CRM has not taken by the time the
writer's next transaction goes out, at most 20 ms later, becomes a row in it; the row goes when
the CRM has taken it. What tells of something that can be asked for (`history`, `rating`) is held
until that transaction, with the history row of the same event in it, is committed: whoever is
told finds it. After a crash the rows left are sent on, so a command may arrive twice, never not
at all.

A company may have several addresses (`Integration.others`). Each has a lane of its own, with
rows, workers and pauses of its own: one that is slow or dead delays no other.

Events that could not be delivered while they were news (`sender.LATE_S`), of a call that is over,
are left out, unless the integration wants them (crm-api §2): a pop-up of an hour ago helps nobody.

An answer that is no 2xx, of whatever kind, counts as "not now": a CRM that answers 401 or 404
is being set up or repaired more often than it means it, and 24 hours of growing pauses cost
little. The same goes for an integration that was switched off with commands under way: they
are held, and sent if it comes on again in that time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import field
from functools import partial
from typing import Any

import structlog

from vpbx.clock import Clock, Timer
from vpbx.crm.client import Answer, CrmClient
from vpbx.crm.commands import Fields
from vpbx.crm.crew import Crew
from vpbx.crm.lane import Command, Lane, Limits, Tally
from vpbx.crm.record import CommandLog, State, note
from vpbx.crm.replay import Replays
from vpbx.crm.sender import Sender
from vpbx.crm.store import Counts, Store, Stuck
from vpbx.db import Database, Write, Writer
from vpbx.directory import MAIN, Integration
from vpbx.frozen import dataclass

log = structlog.get_logger("vpbx.crm")

_READ_AGAIN_S = 2.0


@dataclass(frozen=True, slots=True)
class OutboxConfig:
    """How the outbox works; the defaults are meant to stay."""

    at_once: int = 10
    """Requests to one address at the same time."""
    failed_kept_s: float = 30 * 86_400.0
    """How long commands that were given up can be seen."""
    log_kept_s: float = 30 * 86_400.0
    """How long the log of the integration goes back."""
    sweep_s: float = 900.0
    """How often rows are looked through for those whose time is up."""
    lane: Limits = field(default_factory=Limits)


@dataclass(slots=True)
class _Desk:
    """A lane, and who works on it."""

    lane: Lane
    workers: int = 0
    starting: int = 0
    """Of them, those that have not taken a command yet."""
    reading: bool = False
    given_up: int = 0
    """Commands since it was idle, or since the CRM came back."""


class Outbox:
    """Sends commands. `settings` gives the integration of a domain at the moment of sending.

    `is_open` tells whether a call is still going on. `node` (0 to 1023) is this server among
    those that share the database: each sends its own.
    `webhook` delivers what goes to subscribers instead of the CRM.
    """

    def __init__(
        self,
        database: Database,
        writer: Writer,
        client: CrmClient,
        settings: Callable[[int], Awaitable[Integration | None]],
        *,
        node: int,
        clock: Clock,
        config: OutboxConfig | None = None,
        is_open: Callable[[str], bool] = lambda callid: False,
        webhook: Callable[[int, Fields], Awaitable[Answer]] | None = None,
    ) -> None:
        self.record = CommandLog(database, node)
        """The log of the integration."""
        self._writer = writer
        self._sender = Sender(client, settings, webhook, is_open, clock)
        self._clock = clock
        self._config = config or OutboxConfig()
        self._store = Store(database, node)
        self.replays = Replays(self._store, self.record, writer, self._send_again, clock)
        """What is to be sent once more."""
        self._tally = Tally()
        self._desks: dict[tuple[int, str], _Desk] = {}
        self._crew = Crew()
        self._running = False
        self._sweeper: Timer | None = None
        self._sweeping = False

    def put(
        self,
        domain_id: int,
        fields: Fields,
        *,
        when_written: bool = False,
        address: str = MAIN,
    ) -> list[Write]:
        """Take a command of a call (`fields["callid"]`) and return the writes of its rows.

        `address` names which of the company's addresses it is for.

        The caller commits them; the sending begins by itself, with `when_written` not before
        they, and what stands with them in one transaction, are committed.
        """
        now = self._clock.time()
        command = Command(
            self._store.new_id(self._clock.steady()),
            domain_id,
            str(fields["callid"]),
            fields,
            now,
            since=self._clock.now(),
            held=when_written,
            address=address,
        )
        self._desk(domain_id, address).lane.put(command)
        write = self._store.insert(command)
        if when_written:
            write = write._replace(then=partial(self._release, command))
        return [self.record.opened(command), write]  # in this order: the second names the first

    def asked(
        self, domain_id: int, address: str, fields: Fields, answer: Answer, took_s: float
    ) -> None:
        """Keep in the log that an address was asked who calls, and what it said."""
        now = self._clock.time()
        callid = str(fields["callid"])
        number = self._store.new_id(self._clock.steady())
        question = Command(number, domain_id, callid, fields, now, address=address)
        state = State.TAKEN if answer.taken else State.FAILED
        note(question, answer, state=state, now=now, took_s=took_s, next_s=None)
        self._writer.submit([self.record.opened(question)])

    def _release(self, command: Command) -> None:
        desk = self._desks.get((command.domain_id, command.address))
        if desk is not None:
            desk.lane.release(command)

    def crm_answers(self, domain_id: int, address: str = MAIN) -> None:
        """Hear from elsewhere that an address answers: what waits for it is tried at once."""
        desk = self._desks.get((domain_id, address))
        if desk is not None and desk.lane.answers():
            self._log_back(desk)

    @property
    def in_memory(self) -> int:
        """How many commands are in memory."""
        return self._tally.kept

    async def counts(self, domain_id: int) -> Counts:
        """Return how many commands of a domain wait, and how many were given up."""
        return await self._store.counts(domain_id)

    async def failed(self, domain_id: int, limit: int = 100) -> list[Stuck]:
        """Return the commands of a domain that were given up, newest first."""
        return await self._store.stuck(domain_id, failed=True, limit=limit)

    async def pending(self, domain_id: int, limit: int = 100) -> list[Stuck]:
        """Return the commands of a domain that wait, newest first."""
        return await self._store.stuck(domain_id, failed=False, limit=limit)

    async def start(self) -> None:
        """Take up what an earlier run left, and begin to send."""
        left = await self._store.recover()
        await self.record.start()
        for domain_id, address in left:
            self._desk(domain_id, address)  # spilled, as all made before we run: its rows are read
        self._running = True
        await self.replays.start()
        for desk in list(self._desks.values()):
            self._kick(desk)
        self._sweeper = self._clock.call_later(self._config.sweep_s, self._sweep)

    async def stop(self, timeout_s: float = 2.0) -> None:
        """Send what can be sent at once, at most for `timeout_s`; the rest stays in its rows."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._writer.flush()  # what waits for that may be sent then
                await self._crew.rest()
        self._running = False
        await self.replays.stop()
        if self._sweeper is not None:
            self._sweeper.cancel()
        await self._crew.end()
        for desk in self._desks.values():
            desk.lane.close()
        self._desks.clear()

    def _desk(self, domain_id: int, address: str) -> _Desk:
        return self._desks.get((domain_id, address)) or self._new_desk(domain_id, address)

    def _new_desk(self, domain_id: int, address: str) -> _Desk:
        desk: _Desk
        lane = Lane(
            domain_id,
            self._clock,
            lambda: self._kick(desk),
            self._config.lane,
            self._tally,
            address=address,
            spilled=not self._running,
        )
        desk = self._desks[domain_id, address] = _Desk(lane)
        return desk

    def _kick(self, desk: _Desk) -> None:
        """See to it that what can be sent is being sent, and what must be read is being read."""
        if not self._running:
            return
        lane = desk.lane
        if lane.wants_rows and not desk.reading:
            desk.reading = True
            self._crew.do(partial(self._read, desk))
        while desk.starting < lane.in_line and desk.workers < self._config.at_once:
            desk.workers += 1
            desk.starting += 1
            self._crew.do(partial(self._work, desk))
        if lane.idle:
            desk.given_up = 0

    async def _work(self, desk: _Desk) -> None:
        """Send what is in line, until nothing is."""
        desk.starting -= 1
        try:
            while self._running and (command := desk.lane.take()) is not None:
                began = self._clock.now()
                answer = await self._sender.send(command)
                took_s = self._clock.now() - began
                if answer.fate == State.LEFT_OUT:
                    desk.lane.leave_out(command)
                    self._done_with(desk, command, answer, State.LEFT_OUT, took_s)
                elif answer.taken:
                    self._on_taken(desk, command, answer, took_s)
                else:
                    self._on_refused(desk, command, answer, took_s)
        finally:
            desk.workers -= 1
            self._kick(desk)

    async def _send_again(self, command: Command) -> Answer:
        """Send a command of the replays: nothing is late of what somebody asked for."""
        return await self._sender.send(command, late=True)

    def _on_taken(self, desk: _Desk, command: Command, answer: Answer, took_s: float) -> None:
        if desk.lane.taken(command):
            self._log_back(desk)
        self._done_with(desk, command, answer, answer.fate or State.TAKEN, took_s)

    def _done_with(
        self, desk: _Desk, command: Command, answer: Answer, state: str, took_s: float
    ) -> None:
        command.taken = True
        note(command, answer, state=state, now=self._clock.time(), took_s=took_s, next_s=None)
        writes = self.record.changed(command)
        if command.is_row:
            writes.append(self._store.delete(command))
        self._writer.submit(writes)
        if desk.lane.wants_rows:
            self._kick(desk)

    def _on_refused(self, desk: _Desk, command: Command, answer: Answer, took_s: float) -> None:
        lane = desk.lane
        was_troubled = lane.troubled
        given_up = not lane.refused(command)
        if lane.troubled and not was_troubled:
            log.warning(
                "the CRM does not take commands, they are kept and tried again",
                **_place(lane),
                reason=answer.reason,
            )
        if given_up:
            if not desk.given_up:
                log.error(
                    "a command to the CRM is given up",
                    **_place(lane),
                    cmd=command.fields["cmd"],
                    callid=command.callid,
                    reason=answer.reason,
                )
            desk.given_up += 1
        now = self._clock.time()
        state = State.FAILED if given_up else State.WAITING
        next_s = None if given_up else lane.pause_s(command)
        note(command, answer, state=state, now=now, took_s=took_s, next_s=next_s)
        tried = self._store.tried(command, now, answer.reason, given_up=given_up)
        self._writer.submit([tried, *self.record.changed(command)])
        if lane.wants_rows:
            self._kick(desk)

    def _log_back(self, desk: _Desk) -> None:
        log.info(
            "the CRM takes commands again",
            **_place(desk.lane),
            waiting=desk.lane.kept,
            more_in_database=desk.lane.spilled,
            given_up=desk.given_up,
        )
        desk.given_up = 0

    async def _read(self, desk: _Desk) -> None:
        """Read rows back that were not kept in memory, as many as there is room for."""
        lane = desk.lane
        try:
            newest_id = lane.newest_id
            await self._writer.flush()
            limit = max(1, min(self._config.lane.refill, lane.room))
            commands = await self._store.read(lane.domain_id, lane.address, lane.last_id, limit)
            for command in commands:  # a clock that was set must not make them older
                age_s = max(0.0, self._clock.steady() - self._store.made_at(command.id))
                command.since = self._clock.now() - age_s
        except Exception as error:
            log.warning("the outbox cannot be read", error=type(error).__name__)
            self._clock.call_later(_READ_AGAIN_S, lambda: self._read_again(desk))
            return
        desk.reading = False
        lane.take_rows(commands, newest_id=newest_id, all_read=len(commands) < limit)

    def _read_again(self, desk: _Desk) -> None:
        desk.reading = False
        self._kick(desk)

    def _sweep(self) -> None:
        if self._running:
            if not self._sweeping:  # a database that is away is not asked twice
                self._sweeping = True
                self._crew.do(self._sweep_rows)
            self._sweeper = self._clock.call_later(self._config.sweep_s, self._sweep)

    async def _sweep_rows(self) -> None:
        """Give up rows that waited too long to be read back even once, and forget old failures.

        Those in memory are given up when their own next try fails, so they get a little longer.
        """
        now = self._clock.time()
        try:
            given_up = await self._store.sweep(
                given_up_before=(
                    self._clock.steady() - self._config.lane.keep_trying_s - self._config.sweep_s
                ),
                forget_before=now - self._config.failed_kept_s,
            )
            await self.record.sweep(now - self._config.log_kept_s)
        except Exception as error:
            log.warning("the outbox cannot be looked through", error=type(error).__name__)
            return
        finally:
            self._sweeping = False
        if given_up:
            log.error("commands to CRMs are given up", number=given_up)


def _place(lane: Lane) -> dict[str, Any]:
    """Say in a log line whose CRM it is."""
    return {"domain_id": lane.domain_id, "address": lane.address}
