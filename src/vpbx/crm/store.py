"""The outbox as rows: what is written for a command's fate, and what can be read back."""

from __future__ import annotations

import json
from functools import partial

from sqlalchemy import bindparam, func, select

from vpbx.crm.commands import Fields
from vpbx.crm.lane import Command
from vpbx.crm.record import CommandLog
from vpbx.crm.tables import FAILED, PENDING, REPLAY, crm_outbox
from vpbx.db import Database, Values, Write, insert_or_ignore
from vpbx.directory import MAIN
from vpbx.frozen import dataclass
from vpbx.jsontext import compact

_C = crm_outbox.c
_INSERT = insert_or_ignore(crm_outbox, ["id"])
_DELETE = crm_outbox.delete().where(_C.id == bindparam("key"))
_TRIED = (
    crm_outbox.update()
    .where(_C.id == bindparam("key"))
    .values(
        status=bindparam("new_status"),
        attempts=bindparam("new_attempts"),
        tried_ms=bindparam("new_tried_ms"),
        error=bindparam("new_error"),
    )
)
_NODE_BITS, _SEQUENCE_BITS = 10, 12
_MAX_ERROR = 200


def _first_id(at: float) -> int:
    """Return the least id that can be made `at` a time of the steady clock."""
    return max(0, int(at * 1000)) << (_NODE_BITS + _SEQUENCE_BITS)


@dataclass(frozen=True, slots=True)
class Stuck:
    """A command the CRM has not taken, as support sees it. Times are epoch seconds."""

    callid: str
    cmd: str
    fields: Fields
    created_at: float
    tried_at: float | None
    attempts: int
    error: str
    address: str = MAIN


@dataclass(frozen=True, slots=True)
class Counts:
    """Commands of a domain that wait, and that were given up."""

    pending: int
    failed: int


class Store:
    """The rows of one node (0 to 1023) of those that share the database."""

    def __init__(self, database: Database, node: int) -> None:
        self._database = database
        self._node = node
        self._last = 0

    def new_id(self, now: float) -> int:
        """Return an id greater than all before it on this node, and used on no other.

        `now` is by the steady clock, and can be read from the id again (`made_at`).
        """
        self._last = max(int(now * 1000) << _SEQUENCE_BITS, self._last + 1)
        return (self._last & ((1 << 53) - 1)) << _NODE_BITS | self._node

    @staticmethod
    def made_at(command_id: int) -> float:
        """Return when a command was made, by the steady clock; at the latest, where a clock
        that was set back between two runs had ids run ahead."""
        return (command_id >> (_NODE_BITS + _SEQUENCE_BITS)) / 1000

    # -- writes

    def insert(self, command: Command) -> Write:
        """The command exists and waits; unless it is taken before this write goes out."""
        return Write(_INSERT, partial(self._row, command), command.id)

    def _row(self, command: Command) -> Values | None:
        if command.taken and not command.is_row:
            return None
        command.is_row = True
        return {
            "id": command.id,
            "node": self._node,
            "domain_id": command.domain_id,
            "callid": command.callid,
            "cmd": command.fields["cmd"],
            "fields": compact(command.fields),
            "created_ms": round(command.created_at * 1000),
            "status": PENDING,
            "attempts": 0,
            "tried_ms": None,
            "error": "",
            "log_id": command.log_id,
            "address": command.address,
        }

    def replay(self, command: Command, record: CommandLog) -> list[Write]:
        """The command is to be sent once more, when there is time."""
        record.number(command)
        row = {**(self._row(command) or {}), "status": REPLAY}
        return [record.opened(command), Write(_INSERT, row, command.id)]

    def delete(self, command: Command) -> Write:
        """The CRM took it."""
        return Write(_DELETE, {"key": command.id}, command.id)

    def tried(self, command: Command, now: float, error: str, *, given_up: bool) -> Write:
        """The CRM did not take it."""
        values = {
            "key": command.id,
            "new_status": FAILED if given_up else PENDING,
            "new_attempts": command.attempts,
            "new_tried_ms": round(now * 1000),
            "new_error": error[:_MAX_ERROR],
        }
        return Write(_TRIED, values, command.id)

    # -- reads

    async def recover(self) -> list[tuple[int, str]]:
        """Return the domains and addresses with commands that an earlier run left.

        Ids go on after theirs.
        """
        mine = _C.node == self._node
        async with self._database.connect() as connection:
            last = (await connection.execute(select(func.max(_C.id)).where(mine))).scalar()
        self._last = max(self._last, (last or 0) >> _NODE_BITS)
        return await self._lanes(PENDING)

    async def _lanes(self, status: str) -> list[tuple[int, str]]:
        mine = _C.node == self._node, _C.status == status
        statement = select(_C.domain_id, _C.address).where(*mine).distinct()
        async with self._database.connect() as connection:
            return [(row[0], row[1]) for row in await connection.execute(statement)]

    async def read(
        self, domain_id: int, address: str, after_id: int, limit: int, status: str = PENDING
    ) -> list[Command]:
        """Return the next pending commands to an address after `after_id`, in order."""
        statement = (
            select(_C.id, _C.callid, _C.fields, _C.created_ms, _C.attempts, _C.log_id)
            .where(
                _C.node == self._node,
                _C.domain_id == domain_id,
                _C.address == address,
                _C.status == status,
                _C.id > after_id,
            )
            .order_by(_C.id)
            .limit(limit)
        )
        async with self._database.connect() as connection:
            rows = (await connection.execute(statement)).all()
        return [
            Command(
                row_id,
                domain_id,
                callid,
                json.loads(fields),
                created_ms / 1000,
                attempts,
                is_row=True,
                address=address,
                log_id=log_id,
            )
            for row_id, callid, fields, created_ms, attempts, log_id in rows
        ]

    async def read_replays(
        self, domain_id: int, address: str, after_id: int, limit: int
    ) -> list[Command]:
        """Return the next commands to be sent to an address once more, in order."""
        return await self.read(domain_id, address, after_id, limit, REPLAY)

    async def replaying(self) -> list[tuple[int, str]]:
        """Return the domains and addresses with commands to be sent once more."""
        return await self._lanes(REPLAY)

    async def sweep(self, *, given_up_before: float, forget_before: float) -> int:
        """Give up what has waited since before the one time (by the steady clock), forget what
        failed before the other (by the time of day).

        Returns how many were given up: these were never in memory for long enough to be tried.
        """
        mine = _C.node == self._node
        stale = crm_outbox.update().where(
            mine, _C.status == PENDING, _C.id < _first_id(given_up_before)
        )
        old = crm_outbox.delete().where(
            mine, _C.status == FAILED, _C.created_ms < round(forget_before * 1000)
        )
        async with self._database.begin() as connection:
            given_up = await connection.execute(stale.values(status=FAILED))
            await connection.execute(old)
        return given_up.rowcount

    async def counts(self, domain_id: int) -> Counts:
        """Return how many commands of a domain wait, and how many were given up."""
        statement = (
            select(_C.status, func.count()).where(_C.domain_id == domain_id).group_by(_C.status)
        )
        async with self._database.connect() as connection:
            rows = (await connection.execute(statement)).all()
        found = {row[0]: row[1] for row in rows}
        return Counts(found.get(PENDING, 0), found.get(FAILED, 0))

    async def stuck(self, domain_id: int, *, failed: bool, limit: int) -> list[Stuck]:
        """Return commands of a domain that were given up, or that wait, newest first."""
        statement = (
            select(crm_outbox)
            .where(_C.domain_id == domain_id, _C.status == (FAILED if failed else PENDING))
            .order_by(_C.id.desc())
            .limit(limit)
        )
        async with self._database.connect() as connection:
            rows = (await connection.execute(statement)).all()
        return [
            Stuck(
                callid=row.callid,
                cmd=row.cmd,
                fields=json.loads(row.fields),
                created_at=row.created_ms / 1000,
                tried_at=None if row.tried_ms is None else row.tried_ms / 1000,
                attempts=row.attempts,
                error=row.error,
                address=row.address,
            )
            for row in rows
        ]
