"""History: queries over the calls that are over, and their recordings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import func, select

from vpbx.db import Database, Prepared, Row
from vpbx.events import CallInfo, Direction
from vpbx.frozen import dataclass
from vpbx.history import query as queries
from vpbx.history.notes import Notes
from vpbx.history.query import Kind, Query
from vpbx.history.recordings import PDF, Encoding, RecordingLinks, recording_path
from vpbx.history.rows import Shapes
from vpbx.history.tables import (
    NO_RECORD,
    RECORD_ENCODING,
    RECORD_FAILED,
    RECORD_FAX,
    call_history,
    call_journal,
)
from vpbx.history.written import CaughtUp, Written

PAGE = 150
"""Rows read and written at a time: what is between two turns of other tasks, about 0.5 ms."""

_LOOK_AGAIN_S = 0.25
_ROW_SOON_S = 0.02
_ROW_WAIT_S = 2.0
_MAX_CALLID = (1 << 63) - 1
_LONGER_IDS = 10**15
_KNOWN_KINDS = 200


class _Frame(NamedTuple):
    """What stands before all rows, between two pages of them, and after all."""

    opening: str
    between: str
    closing: str


_ARRAY = _Frame("[", ",", "]")
_LINES = _Frame("", "", "")


@dataclass(frozen=True, slots=True)
class Recording:
    """A call's recording, or the fax it brought: `ready` when `path` is complete, else it is
    still being made."""

    callid: str
    domain_id: int
    path: Path
    ready: bool


class History:
    """The face of history for the API and for the start of the server.

    `encoding` is the one the node's HistoryRecorder tells of recordings in the making.
    `caught_up`: as `Written` has it.
    """

    def __init__(
        self,
        database: Database,
        links: RecordingLinks,
        records_dir: Path,
        encoding: Encoding,
        caught_up: CaughtUp | None = None,
    ) -> None:
        self._database = database
        self._reader = database.reader
        self._prepared: dict[Kind, Prepared] = {}
        self.links = links
        self.notes = Notes(database)
        self._records_dir = records_dir
        self._encoding = encoding
        self._written = Written(caught_up)

    def external_json(self, query: Query) -> AsyncIterator[bytes]:
        """Return the external calls asked for, newest first, as pieces of one JSON array, UTF-8.

        This and its three sisters raise InvalidQuery at once, before the first piece.
        """
        return self._pages(
            queries.external(query), query, self._shapes(query).external_json, _ARRAY
        )

    def inner_json(self, query: Query) -> AsyncIterator[bytes]:
        """Return the calls between employees asked for, like `external_json`."""
        return self._pages(queries.inner(query), query, self._shapes(query).inner_json, _ARRAY)

    def external_csv(self, query: Query) -> AsyncIterator[bytes]:
        """Return the external calls asked for as pieces of CSV (RFC 4180, no header, UTF-8)."""
        return self._pages(queries.external(query), query, self._shapes(query).external_csv, _LINES)

    def inner_csv(self, query: Query) -> AsyncIterator[bytes]:
        """Return the calls between employees asked for as pieces of CSV, like `external_csv`."""
        return self._pages(queries.inner(query), query, self._shapes(query).inner_csv, _LINES)

    def _shapes(self, query: Query) -> Shapes:
        return Shapes(
            self.links,
            query.domain_id,
            query.domain,
            has_ratings=query.has_ratings,
            link_base=query.link_base,
        )

    async def _pages(
        self, kind: Kind, query: Query, shape: Callable[[Sequence[Row]], str], frame: _Frame
    ) -> AsyncIterator[bytes]:
        """Yield pages, none empty; no connection is held while the caller deals with one."""
        await self._written.wait()
        prepared = self._prepared.get(kind)
        if prepared is None:
            if len(self._prepared) >= _KNOWN_KINDS:
                self._prepared.clear()
            prepared = self._prepared[kind] = self._reader.prepare(queries.statement(kind))
        values = queries.values(query)
        left = query.limit if query.limit is not None else _MAX_CALLID
        before, between = frame.opening, ""
        while True:
            values["page"] = size = min(PAGE, left)
            rows = await self._reader.read(prepared, values)
            left = left - size if len(rows) == size else 0
            text = (
                before + (between + shape(rows) if rows else "") + ("" if left else frame.closing)
            )
            if text:
                yield text.encode()
            if not left:
                return
            before, between = "", frame.between
            values["last_ms"], values["last_callid"] = rows[-1][:2]

    async def has(self, domain_id: int, callid: str) -> bool:
        """Say whether a call of a company is over and in history."""
        await self._written.wait()
        columns = call_history.c
        wanted = select(columns.callid).where(
            columns.domain_id == domain_id, columns.callid == int(callid)
        )
        async with self._database.connect() as connection:
            return await connection.scalar(wanted) is not None

    async def recording(self, callid: str, *, wait_s: float = 0.0) -> Recording | None:
        """Return the recording of a call; None when there is none, or no such call.

        While it is being turned into MP3 this waits, at most `wait_s` seconds; for the row of a
        call that has just ended always, at most `_ROW_WAIT_S`.
        """
        deadline = time.monotonic() + wait_s
        row_deadline = time.monotonic() + _ROW_WAIT_S
        found = await self._recording(callid)
        while found is None and self._encoding.knows(callid) and time.monotonic() < row_deadline:
            await asyncio.sleep(_ROW_SOON_S)  # the CRM was quicker than the database
            found = await self._recording(callid)
        while found is not None and not found.ready:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            if self._encoding.knows(callid):
                await self._encoding.wait(callid, left)
                if found.path.exists():  # the row says so a moment later
                    return Recording(callid, found.domain_id, found.path, True)
            else:  # another node is at it
                await asyncio.sleep(min(_LOOK_AGAIN_S, left))
            found = await self._recording(callid)
        return found

    async def _recording(self, callid: str) -> Recording | None:
        number = _number(callid)
        if number is None:
            return None
        columns = call_history.c
        statement = select(columns.domain_id, columns.started_ms, columns.record).where(
            columns.callid == number
        )
        async with self._database.connect() as connection:
            row = (await connection.execute(statement)).one_or_none()
        if row is None or row.record in (NO_RECORD, RECORD_FAILED):
            return None
        path = recording_path(self._records_dir, row.domain_id, callid, row.started_ms / 1000)
        if row.record == RECORD_FAX:  # there already, unless a crash came between
            path = path.with_suffix(PDF)
            return Recording(callid, row.domain_id, path, not self._encoding.knows(callid))
        return Recording(callid, row.domain_id, path, row.record != RECORD_ENCODING)

    async def last_callid(self) -> int:
        """Return the greatest id of the calls that are over or open, of all nodes; 0: none.

        Ids of before, longer than the 15 digits there are now, do not count.
        """
        found = 0
        async with self._database.connect() as connection:
            for column in (call_history.c.callid, call_journal.c.callid):
                last = select(func.max(column)).where(column < _LONGER_IDS)
                found = max(found, (await connection.execute(last)).scalar() or 0)
        return found

    async def last_talks(self, domain_id: int, logins: Mapping[str, int]) -> dict[str, float]:
        """Return when the last external call of employees ended; who had none is left out.

        Each login with the moment (ms since 1970) from which on it is theirs; 0: always was.
        """
        columns = call_history.c
        found = {}
        async with self._database.connect() as connection:
            for login, since_ms in logins.items():
                last = (
                    select(columns.ended_ms)
                    .where(
                        columns.domain_id == domain_id,
                        columns.account == login,
                        columns.is_inner == 0,
                        columns.answered_ms.is_not(None),
                        columns.started_ms >= since_ms,
                    )
                    .order_by(columns.started_ms.desc(), columns.callid.desc())
                    .limit(1)
                )
                ended_ms = (await connection.execute(last)).scalar()
                if ended_ms is not None:
                    found[login] = ended_ms / 1000
        return found

    async def recordings_in_the_making(self, node: int) -> list[CallInfo]:
        """Return the calls whose recordings `node` had not yet turned into MP3 when it stopped.

        Whoever recovers them publishes RecordingReady for each, `ok` or not.
        """
        columns = call_history.c
        statement = (
            select(
                *(columns.callid, columns.domain_id, columns.direction, columns.started_ms),
                *(columns.client, columns.diversion, columns.telnum_name),
            )
            .where(columns.record == RECORD_ENCODING, columns.node == node)
            .order_by(columns.callid)
        )
        async with self._database.connect() as connection:
            rows = (await connection.execute(statement)).all()
        calls: list[CallInfo] = []
        for callid, domain_id, direction, started_ms, client, diversion, name in rows:
            self._encoding.begin(str(callid))
            started_at = started_ms / 1000
            way = Direction(direction)
            calls.append(
                CallInfo(str(callid), domain_id, "", way, started_at, client, diversion, name)
            )
        return calls


def _number(callid: str) -> int | None:
    """The key of a callid, or None where no call can have it (as in a link made up)."""
    if not callid.isascii() or not callid.isdigit() or len(callid) > 19:
        return None
    number = int(callid)
    return number if number <= _MAX_CALLID and str(number) == callid else None
