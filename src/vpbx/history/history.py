"""History: queries over the calls that are over, and their recordings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Select, select

from vpbx.db import Database
from vpbx.events import CallInfo, Direction
from vpbx.history import query as queries
from vpbx.history.query import Query
from vpbx.history.recordings import Encoding, RecordingLinks, recording_path
from vpbx.history.rows import JsonRow, Row, Shapes, json_text
from vpbx.history.tables import NO_RECORD, RECORD_ENCODING, RECORD_FAILED, call_history

PAGE = 500
"""Rows read and written at a time: what is between two turns of other tasks."""

_LOOK_AGAIN_S = 0.25
_ROW_SOON_S = 0.02
_MAX_CALLID = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Recording:
    """A call's recording: `ready` when `path` is complete, else it is still being made."""

    callid: str
    domain_id: int
    path: Path
    ready: bool


class History:
    """The face of history for the API and for the start of the server.

    `encoding` is the one the node's HistoryRecorder tells of recordings in the making.
    """

    def __init__(
        self, database: Database, links: RecordingLinks, records_dir: Path, encoding: Encoding
    ) -> None:
        self._database = database
        self.links = links
        self._records_dir = records_dir
        self._encoding = encoding

    def external(self, query: Query) -> AsyncIterator[list[JsonRow]]:
        """Return the external calls asked for, newest first, in pages of JSON rows.

        This and its three sisters raise InvalidQuery at once, before the first page.
        """
        return _shaped(
            self._pages(queries.external(query), query), self._shapes(query).external_json
        )

    def inner(self, query: Query) -> AsyncIterator[list[JsonRow]]:
        """Return the calls between employees asked for, like `external`."""
        return _shaped(self._pages(queries.inner(query), query), self._shapes(query).inner_json)

    def external_json(self, query: Query) -> AsyncIterator[bytes]:
        """Return the same as the pieces of one JSON array, UTF-8."""
        return _as_array(self.external(query))

    def inner_json(self, query: Query) -> AsyncIterator[bytes]:
        """Return the same as the pieces of one JSON array, UTF-8."""
        return _as_array(self.inner(query))

    def external_csv(self, query: Query) -> AsyncIterator[bytes]:
        """Return the external calls asked for as pieces of CSV (RFC 4180, no header, UTF-8)."""
        shape = self._shapes(query).external_csv
        return _as_bytes(_shaped(self._pages(queries.external(query), query), shape))

    def inner_csv(self, query: Query) -> AsyncIterator[bytes]:
        """Return the calls between employees asked for as pieces of CSV, like `external_csv`."""
        shape = self._shapes(query).inner_csv
        return _as_bytes(_shaped(self._pages(queries.inner(query), query), shape))

    def _shapes(self, query: Query) -> Shapes:
        return Shapes(self.links, query.domain_id, query.domain)

    async def _pages(self, statement: Select[Any], query: Query) -> AsyncIterator[list[Row]]:
        """Yield rows in pages; no connection is held while the caller deals with one."""
        left = query.limit if query.limit is not None else _MAX_CALLID
        last_ms, last_callid = query.period.until_ms, 0
        while left > 0:
            size = min(PAGE, left)
            key = queries.page_key(last_ms, last_callid, size)
            async with self._database.connect() as connection:
                rows = (await connection.execute(statement, key)).all()
            if rows:
                yield list(rows)
            if len(rows) < size:
                return
            left -= size
            last_ms, last_callid = rows[-1][0], rows[-1][1]

    async def recording(self, callid: str, *, wait_s: float = 0.0) -> Recording | None:
        """Return the recording of a call; None when there is none, or no such call.

        While it is being turned into MP3 this waits, at most `wait_s` seconds.
        """
        found = await self._recording(callid)
        deadline = time.monotonic() + wait_s
        while found is None and self._encoding.knows(callid) and time.monotonic() < deadline:
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
        return Recording(callid, row.domain_id, path, row.record != RECORD_ENCODING)

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


async def _shaped(
    pages: AsyncIterator[list[Row]], shape: Callable[[list[Row]], Any]
) -> AsyncIterator[Any]:
    async for page in pages:
        yield shape(page)


async def _as_bytes(texts: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async for text in texts:
        yield text.encode()


async def _as_array(pages: AsyncIterator[list[JsonRow]]) -> AsyncIterator[bytes]:
    before = "["
    async for page in pages:
        yield (before + json_text(page)).encode()
        before = ","
    yield b"]" if before == "," else b"[]"
