"""Counts the days that are over before anybody asks, so that long reports are read at once.

A day is counted when it is over, and again when its history has changed since; larger pieces
are put together of smaller ones. It works for a fraction of the time only, newest days first, and
without pauses for a company somebody waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import chain
from zoneinfo import ZoneInfo

import structlog

from vpbx.history.report_store import SPANS, Lines, ReportStore, Stored, kinds_of, plan_of, summed
from vpbx.history.report_sums import DAY_MS, LocalClock

__all__ = ["ReportAhead"]

log = structlog.get_logger("vpbx.history")

_LOOK_S = 600.0
_REST = 4.0
"""So many times as long as it worked it rests, where nobody waits."""
_BATCH = 8
"""Days, or pieces, that are written at once."""

Companies = Callable[[], Awaitable[Sequence[tuple[int, ZoneInfo]]]]


class ReportAhead:
    """Fills the store, for each company, in the background."""

    def __init__(self, store: ReportStore, companies: Companies, now: Callable[[], float]) -> None:
        """`companies`: the ids and zones of all; `now`: epoch seconds."""
        self._store = store
        self._companies = companies
        self._now = now
        self._wanted: set[int] = set()
        self._wake = asyncio.Event()
        self._failing = False
        self._full: dict[int, tuple[str, int, int]] = {}
        """Companies with nothing to count: zone, day and versions of when it was so."""

    def hurry(self, domain_id: int) -> None:
        """Somebody waits for a company's report."""
        self._wanted.add(domain_id)
        self._wake.set()

    async def run(self) -> None:
        """Count until cancelled."""
        while True:
            self._wake.clear()
            try:
                await self._look()
                self._failing = False
            except Exception as error:  # the database is away, say: told once, tried again
                if not self._failing:
                    log.warning("reports cannot be counted ahead", why=repr(error)[:200])
                self._failing = True
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _look(self) -> None:
        """Count for all companies, those that somebody waits for first."""
        zones = dict(await self._companies())
        left = dict.fromkeys(zones)
        self._full = {each: full for each, full in self._full.items() if each in zones}
        while left or self._wanted:
            domain_id = next(iter(self._wanted), None)
            if domain_id is None:
                domain_id = next(iter(left))
            if domain_id not in zones or await self.fill(domain_id, zones[domain_id]):
                left.pop(domain_id, None)
                self._wanted.discard(domain_id)

    async def fill(self, domain_id: int, zone: ZoneInfo) -> bool:
        """Count what is missing of a company's days that are over; False: another one is waited
        for, go on later."""
        today = int(self._now() * 1000) // DAY_MS
        versions = await self._store.versions(domain_id, 0, today - 1)
        full = (zone.key, today, sum(versions.values()))
        if not versions or self._full.get(domain_id) == full:
            return True
        kinds = list(dict.fromkeys(kinds_of(zone.key).values()))
        days = range(min(versions), today)
        held = {kind: await self._store.held(domain_id, kind, days) for kind in kinds}
        plans = [plan_of(days, held[kind], versions) for kind in kinds]
        days_of = chain.from_iterable(chain.from_iterable(plan.missing) for plan in plans)
        missing = sorted({day for day in days_of if day in versions}, reverse=True)
        clock = LocalClock(zone)
        for batch in (missing[at : at + _BATCH] for at in range(0, len(missing), _BATCH)):
            rows: list[tuple[str, Stored, int, Lines]] = []
            for day in batch:
                started = asyncio.get_running_loop().time()
                counted = await self._store.count(domain_id, day, clock)
                rows += [
                    (kind, Stored(day, 1), versions[day], lines)
                    for kind, lines in zip(kinds, counted, strict=True)
                ]
                await self._rest(domain_id, started)
            await self._store.write(domain_id, rows)
            for kind, piece, version, _ in rows:
                held[kind][piece] = version
            if self._wanted and domain_id not in self._wanted:
                return False
        for span in reversed(SPANS[:-1]):
            for kind in kinds:
                await self._gather(domain_id, kind, span, days, versions, held[kind])
        await self._store.forget(domain_id, kinds)
        self._full[domain_id] = full
        return True

    async def _rest(self, domain_id: int, started: float) -> None:
        worked = asyncio.get_running_loop().time() - started
        await asyncio.sleep(0 if domain_id in self._wanted else min(1.0, worked * _REST))

    async def _gather(
        self,
        domain_id: int,
        kind: str,
        span: int,
        days: range,
        versions: Mapping[int, int],
        held: dict[Stored, int],
    ) -> None:
        """Put pieces of `span` days together of smaller ones, where they are missing."""
        rows: list[tuple[str, Stored, int, Lines]] = []
        for at in range(-(-days.start // span) * span, days.stop - span + 1, span):
            whole, piece = range(at, at + span), Stored(at, span)
            version = sum(versions.get(day, 0) for day in whole)
            if not version or held.get(piece) == version:
                continue
            plan = plan_of(whole, held, versions)
            found = await self._store.read(domain_id, kind, [part for part, _ in plan.stored])
            holding = [
                found[part][1]
                for part, wanted in plan.stored
                if part in found and found[part][0] == wanted
            ]
            if plan.missing or len(holding) < len(plan.stored):
                continue  # it changed meanwhile: the next time
            rows.append((kind, piece, version, await asyncio.to_thread(summed, holding)))
            if len(rows) >= _BATCH:
                await self._write(domain_id, rows, held)
        await self._write(domain_id, rows, held)

    async def _write(
        self,
        domain_id: int,
        rows: list[tuple[str, Stored, int, Lines]],
        held: dict[Stored, int],
    ) -> None:
        """Write rows of a kind, and forget them."""
        if rows:
            await self._store.write(domain_id, rows)
            held.update({piece: version for _, piece, version, _ in rows})
            rows.clear()
