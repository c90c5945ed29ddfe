"""The log of the integration: what was sent to a company's CRM, and what came of it.

A row a command (or question who calls), kept for `keep_days`. It is made when the command is
put and written with the writer's next transaction, by when a quick CRM has taken it: then it is
written once. Rows are numbered as they are written, in the order of transactions, so whoever
reads on from the last number it has seen misses none. The token is not in it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import bindparam, exists, func, select

from vpbx.crm.client import Answer
from vpbx.crm.lane import Command
from vpbx.crm.tables import crm_log
from vpbx.db import Database, Values, Write, insert_or_ignore
from vpbx.events import epoch_ms
from vpbx.frozen import dataclass
from vpbx.jsontext import compact

__all__ = ["Asked", "CommandLog", "Entry", "State", "note"]

_C = crm_log.c
_INSERT = insert_or_ignore(crm_log, ["id"])
_OUTCOME = (
    *("state", "format", "attempts", "status", "latency_ms", "answer", "error", "tries"),
    *("done_ms", "next_ms"),
)
_UPDATE = (
    crm_log.update()
    .where(_C.id == bindparam("key"))
    .values({name: bindparam(name) for name in _OUTCOME})
)
_COLUMNS = [column for column in crm_log.columns if column.name not in ("node", "domain_id")]
_NODE_BITS, _SEQUENCE_BITS = 10, 12
_MAX_ERROR = 200
_MAX_TRIES = 20
_SWEEP = 5000
_PAGE = 200
MAX_KEPT = 2048
"""Bytes of an answer that are kept."""


class State:
    """How a command stands."""

    WAITING = "waiting"
    TAKEN = "taken"
    FAILED = "failed"
    """Given up."""
    LEFT_OUT = "left out"
    """Not sent: an event that was late."""
    KEPT = "kept"
    """No address to send it to: it is here to be fetched."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which entries are wanted. `after` None: the newest ones."""

    domain_id: int
    after: int | None = None
    limit: int = 100
    callid: str = ""
    cmd: str = ""
    state: str = ""
    since_ms: int = 0
    ids: tuple[int, ...] = ()
    addresses: tuple[str, ...] = ()
    """Names of addresses; empty: all."""
    originals: bool = False
    """Nothing that was itself sent once more…"""
    unreplayed: bool = False
    """…and nothing that was since sent once more, and taken, or waits to be."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row, as people and the API see it. Times are epoch milliseconds."""

    id: int
    callid: str
    cmd: str
    fields: dict[str, Any]
    state: str
    format: str
    created_ms: int
    done_ms: int | None
    next_ms: int | None
    attempts: int
    status: int
    latency_ms: int
    answer: str
    error: str
    tries: list[list[Any]]
    replay_of: int | None
    address: str

    def shown(self) -> dict[str, Any]:
        """Return it as JSON has it: ids as text, times as ISO 8601."""
        return {
            "id": str(self.id),
            "cmd": self.cmd,
            "callid": self.callid,
            "address": self.address,
            "time": _iso(self.created_ms),
            "command": self.fields,
            "state": self.state,
            "format": self.format,
            "attempts": self.attempts,
            "status": self.status,
            "latency_ms": self.latency_ms,
            "answer": self.answer,
            "error": self.error,
            "done": _iso(self.done_ms),
            "next_try": _iso(self.next_ms),
            "tries": [
                {"time": _iso(at), "status": status, "latency_ms": latency, "error": error}
                for at, status, latency, error in self.tries
            ],
            "replay_of": "" if self.replay_of is None else str(self.replay_of),
        }


class CommandLog:
    """The rows of one node (0 to 1023)."""

    def __init__(self, database: Database, node: int) -> None:
        self._database = database
        self._node = node
        self._followers: dict[int, set[asyncio.Event]] = {}
        self._last = 0

    async def start(self) -> None:
        """Go on after the ids of earlier runs."""
        statement = select(func.max(_C.id)).where(_C.node == self._node)
        async with self._database.connect() as connection:
            last = (await connection.execute(statement)).scalar()
        self._last = max(self._last, (last or 0) >> _NODE_BITS)

    def number(self, command: Command) -> int:
        """Return the number of a command's row, which it gets when it is first written."""
        if command.log_id is None:
            command.log_id = self._new_id(command.created_at)
        return command.log_id

    def _new_id(self, now: float) -> int:
        self._last = max(int(now * 1000) << _SEQUENCE_BITS, self._last + 1)
        return (self._last & ((1 << 53) - 1)) << _NODE_BITS | self._node

    # -- writes

    def opened(self, command: Command) -> Write:
        """The command was put. The row says what had come of it when it goes out."""
        news = partial(self._news, command.domain_id)
        return Write(_INSERT, partial(self._row, command), ("log", command.id), news)

    def _row(self, command: Command) -> Values:
        return {
            "id": self.number(command),
            "node": self._node,
            "domain_id": command.domain_id,
            "callid": command.callid,
            "cmd": command.fields["cmd"],
            "fields": compact(command.fields),
            "created_ms": epoch_ms(command.created_at),
            "replay_of": command.replay_of,
            "address": command.address,
            **_outcome(command),
        }

    def changed(self, command: Command) -> list[Write]:
        """Something has come of the command; nothing, while its row is still to be written."""
        if command.log_id is None:
            return []
        values = {"key": command.log_id, **_outcome(command)}
        return [Write(_UPDATE, values, ("log", command.id))]

    # -- reads

    async def find(self, asked: Asked) -> list[Entry]:
        """Return what is asked for, in the order of numbers."""
        wanted = [_C.domain_id == asked.domain_id]
        if asked.after is not None:
            wanted.append(_C.id > asked.after)
        if asked.since_ms:
            wanted.append(_C.id >= first_id(asked.since_ms))
        if asked.ids:
            wanted.append(_C.id.in_(asked.ids))
        for column, value in ((_C.callid, asked.callid), (_C.cmd, asked.cmd)):
            if value:
                wanted.append(column == value)
        if asked.state:
            wanted.append(_C.state == asked.state)
        if asked.addresses:
            wanted.append(_C.address.in_(asked.addresses))
        if asked.originals or asked.unreplayed:
            wanted.append(_C.replay_of.is_(None))
        if asked.unreplayed:
            again = crm_log.alias()
            done = again.c.state.in_((State.TAKEN, State.WAITING))
            wanted.append(~exists().where(again.c.replay_of == _C.id, done))
        order = _C.id.desc() if asked.after is None else _C.id
        statement = select(*_COLUMNS).where(*wanted).order_by(order).limit(asked.limit)
        async with self._database.connect() as connection:
            rows = (await connection.execute(statement)).all()
        found = [_entry(row) for row in rows]
        return found[::-1] if asked.after is None else found

    async def follow(
        self, domain_id: int, after: int, idle_s: float, addresses: tuple[str, ...] = ()
    ) -> AsyncIterator[list[Entry]]:
        """Give what is written after a number, as it is written; nothing new for a while: []."""
        news = asyncio.Event()
        followers = self._followers.setdefault(domain_id, set())
        followers.add(news)
        try:
            while True:
                news.clear()
                found = await self.find(
                    Asked(domain_id, after=after, limit=_PAGE, addresses=addresses)
                )
                if found:
                    after = found[-1].id
                    yield found
                    continue
                try:
                    async with asyncio.timeout(idle_s):
                        await news.wait()
                except TimeoutError:
                    yield []
        finally:
            followers.discard(news)
            if not followers:
                self._followers.pop(domain_id, None)

    def _news(self, domain_id: int) -> None:
        for follower in self._followers.get(domain_id, ()):
            follower.set()

    async def sweep(self, before: float) -> int:
        """Forget what is older, a few rows at a time, so that nobody waits long."""
        swept = 0
        while True:
            old = select(_C.id).where(_C.id < first_id(round(before * 1000))).limit(_SWEEP)
            async with self._database.begin() as connection:
                gone = await connection.execute(crm_log.delete().where(_C.id.in_(old)))
            swept += gone.rowcount
            if gone.rowcount < _SWEEP:
                return swept


def first_id(ms: int) -> int:
    """Return the smallest number a row of that moment can have."""
    return max(0, ms) << _SEQUENCE_BITS << _NODE_BITS


def note(
    command: Command, answer: Answer, *, state: str, now: float, took_s: float, next_s: float | None
) -> None:
    """Keep with the command what an attempt came to."""
    command.state = state
    command.format = answer.format
    command.status, command.error = answer.status, "" if answer.taken else answer.reason
    command.latency_ms = max(0, round(took_s * 1000))
    command.answer = answer.body[:MAX_KEPT].decode("utf-8", "replace").replace("\0", "")
    command.done_ms = None if state == State.WAITING else epoch_ms(now)
    command.next_ms = None if next_s is None else epoch_ms(now + next_s)
    if not answer.taken or command.tries:
        tried = [epoch_ms(now), answer.status, command.latency_ms, command.error[:_MAX_ERROR]]
        command.tries = [*command.tries[-_MAX_TRIES + 1 :], tried]


def _outcome(command: Command) -> Values:
    return {
        "state": command.state,
        "format": command.format,
        "attempts": command.attempts + (command.state in (State.TAKEN,)),
        "status": command.status,
        "latency_ms": command.latency_ms,
        "answer": command.answer,
        "error": command.error[:_MAX_ERROR],
        "tries": compact(command.tries) if command.tries else "[]",
        "done_ms": command.done_ms,
        "next_ms": command.next_ms,
    }


def _entry(row: Any) -> Entry:
    kept = row._mapping
    return Entry(**{**kept, "fields": json.loads(row.fields), "tries": json.loads(row.tries)})


def _iso(ms: int | None) -> str:
    if ms is None:
        return ""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
