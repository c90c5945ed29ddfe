"""Callers that are refused (crm-api §10), and how often they were."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.dialects.postgresql import insert

from vpbx.db import Write, Writer
from vpbx.directory import tables
from vpbx.directory.errors import Invalid, NotFound
from vpbx.directory.model import DomainConfig
from vpbx.directory.numbering import read_number, visible
from vpbx.directory.store import Store
from vpbx.directory.values import Values

MAX_ENTRIES = 10_000
_RANGE = re.compile(r"[0-9]{1,15}\*")
_hits = tables.blacklist_hits
_new_hit = insert(_hits).values(calls=1)
_COUNT = _new_hit.on_conflict_do_update(
    index_elements=["domain_id", "telnum", "day"], set_={"calls": _hits.c.calls + 1}
)


@dataclass(frozen=True, slots=True)
class BlackListEntry:
    """A number or range; week and year: calls blocked in the last 7 and 365 days."""

    telnum: str
    comment: str
    week: int = 0
    year: int = 0


class BlackLists:
    """Operations on a domain's black list."""

    def __init__(self, store: Store, writer: Writer) -> None:
        self._store = store
        self._writer = writer

    async def list(
        self, domain: DomainConfig, *, statistics: bool = False
    ) -> tuple[BlackListEntry, ...]:
        """Return the entries by number, with counts if asked."""
        current = await self._store.current(domain)
        entries = current.settings.blacklist.entries
        counts: Mapping[str, tuple[int, int]] = await self._counts(current) if statistics else {}
        return tuple(
            BlackListEntry(telnum, comment, *counts.get(telnum, (0, 0)))
            for telnum, comment in entries.items()
        )

    async def add(self, domain: DomainConfig, entries: Iterable[Mapping[str, Any]]) -> None:
        """Add numbers or ranges (`7900800*`): [{telnum*, comment}].

        One that is there already gets the new comment.
        """
        blacklist = tables.blacklist
        async with self._store.edit(domain) as tx:
            reader = Values({"": list(entries)}, country=tx.domain.country)
            wanted: dict[str, str] = {}
            for item in reader.objects("", max_items=MAX_ENTRIES):
                telnum = _read_telnum(item, tx.domain.country)
                wanted[telnum] = item.text("comment")
            before = {row.telnum for row in await tx.all(blacklist)}
            if len(before | wanted.keys()) > MAX_ENTRIES:
                reader.wrong("limits", f"the list may have at most {MAX_ENTRIES} entries")
            reader.done()
            for telnum in wanted.keys() & before:
                await tx.update(blacklist, blacklist.c.telnum == telnum, comment=wanted[telnum])
            await tx.insert_many(
                blacklist,
                [{"telnum": t, "comment": c} for t, c in wanted.items() if t not in before],
            )

    async def delete(self, domain: DomainConfig, telnums: Iterable[str]) -> None:
        """Delete entries; NotFound, and nothing deleted, when one is not in the list."""
        blacklist = tables.blacklist
        async with self._store.edit(domain) as tx:
            wanted = {_spelled(telnum, tx.domain.country) for telnum in telnums}
            if not wanted:
                raise Invalid.one("telnum", "is required")
            if await tx.delete(blacklist, blacklist.c.telnum.in_(wanted)) < len(wanted):
                raise NotFound("not in the list")

    async def set_block_anonymous(self, domain: DomainConfig, state: bool) -> None:
        """Refuse callers that hide their number, or not."""
        async with self._store.edit(domain) as tx:
            await tx.set_domain(block_anonymous=state)

    def blocked(self, domain: DomainConfig, entry: str) -> None:
        """Count a call refused by `entry` (of `BlackList.entry_for`); never waits."""
        if entry:
            day = self._today(domain)
            params = {"domain_id": domain.id, "telnum": entry, "day": day}
            self._writer.submit([Write(_COUNT, params, (domain.id, entry, day))])

    async def _counts(self, domain: DomainConfig) -> dict[str, tuple[int, int]]:
        today = self._today(domain)
        week, year = today - timedelta(days=6), today - timedelta(days=364)
        counts: dict[str, tuple[int, int]] = {}
        async with self._store.look(domain) as tx:
            for row in await tx.all(_hits, _hits.c.day >= year):
                of_week, of_year = counts.get(row.telnum, (0, 0))
                recent = row.calls if row.day >= week else 0
                counts[row.telnum] = (of_week + recent, of_year + row.calls)
        return counts

    def _today(self, domain: DomainConfig) -> date:
        now = datetime.fromtimestamp(self._store.clock.time(), UTC)
        return now.astimezone(domain.zone).date()


def _read_telnum(item: Values, country: str) -> str:
    text = item.text("telnum", required=True)
    if not text.endswith("*"):
        return item.phone("telnum")
    digits = _range(text, country)
    if not _RANGE.fullmatch(digits):
        item.wrong("telnum", "a range must be digits and one * at the end, like 7900800*")
    return digits


def _range(text: str, country: str) -> str:
    """Return a range as prefix and `*`, both of a number with its country code.

    What begins with 89 in Russia is a mobile after the trunk prefix: no country code is 89.
    """
    plain = visible(text)
    digits = re.sub(r"[\s()\[\]./-]|[\u2010-\u2015\u2212]", "", plain)
    if digits.startswith("+"):
        return digits[1:]
    if country in ("RU", "KZ") and digits.startswith("89"):
        return "7" + digits[1:]
    return digits.removeprefix("00")


def _spelled(telnum: str, country: str) -> str:
    text = str(telnum).strip()
    if text.endswith("*"):
        return _range(text, country)
    try:
        return read_number(text, country).digits
    except Invalid:
        raise NotFound("not in the list") from None
