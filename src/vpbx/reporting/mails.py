"""Reports by e-mail as companies set them, and which of them are due.

What is due stands in the database: a report that was due while the server was down goes out
after its start, and one that went out does not go again. `take` moves a report on and puts its
letters on their way in one transaction.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, delete, exists, func, insert, or_, select, update

from vpbx.db import Database, Write
from vpbx.directory import DomainConfig, Invalid, NotFound, tables
from vpbx.directory.values import Values
from vpbx.reporting.tables import report_mails
from vpbx.reporting.times import LONGEST_S, missed, next_due

__all__ = ["EVERY", "Due", "ReportMail", "ReportMails"]

EVERY = ("day", "week", "month")
BY = ("day", "hour", "employee", "department")
_MOST = 20
_MOST_RECIPIENTS = 10
_MOST_LATE = 7
"""So many reports of a kind go out after the server was down; older ones nobody wants to read."""
_AT_ONCE = 20
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::00)?")
_C = report_mails.c


@dataclass(frozen=True, slots=True)
class ReportMail:
    """A report that goes out of itself. `at`: HH:MM by the company's clocks.

    every: day, week (on Monday) or month (on the first), of the one before. `group`: of one
    department. `due_at`, `sent_at`: epoch seconds; 0: never yet.
    """

    id: int
    domain_id: int
    every: str
    at: str
    by: str
    group: str
    in_time_s: int
    recipients: tuple[str, ...]
    due_at: float
    sent_at: float

    @property
    def at_minute(self) -> int:
        hour, _, minute = self.at.partition(":")
        return int(hour) * 60 + int(minute)


@dataclass(frozen=True, slots=True)
class Due:
    """A report that has to go out, and the times it was due at (epoch seconds), oldest first."""

    mail: ReportMail
    times: tuple[float, ...]


class ReportMails:
    """Operations on the reports of companies, and what the sender asks.

    `changed` is called when something may be due sooner than was thought.
    """

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self.changed: Callable[[], None] = lambda: None

    async def list(self, domain: DomainConfig) -> list[ReportMail]:
        """Return a company's reports, the oldest first."""
        query = select(report_mails).where(_C.domain_id == domain.id).order_by(_C.id)
        async with self._database.connect() as connection:
            return [_mail(row) for row in await connection.execute(query)]

    async def get(self, domain: DomainConfig, mail_id: int) -> ReportMail:
        """Return one of a company's reports; NotFound."""
        for mail in await self.list(domain):
            if mail.id == mail_id:
                return mail
        raise NotFound("no such report")

    async def add(self, domain: DomainConfig, values: Mapping[str, Any]) -> ReportMail:
        """Add a report: to* (addresses, with commas or spaces between), every (day), at (08:00),
        by (hour for a day's, else day), group, in_time (20). Raises Invalid."""
        wanted = _read(domain, values, None)
        due = next_due(wanted["every"], wanted["at_minute"], domain.zone, self._now())
        row = {**wanted, "domain_id": domain.id, "zone": domain.timezone, "sent_ms": 0}
        row["due_ms"] = round(due * 1000)
        async with self._database.begin() as connection:
            count = select(func.count()).where(_C.domain_id == domain.id)
            if (await connection.scalar(count.select_from(report_mails)) or 0) >= _MOST:
                raise Invalid.one("limits", f"there may be at most {_MOST} reports by e-mail")
            added = await connection.execute(insert(report_mails).values(row))
            mail_id = int((added.inserted_primary_key or (0,))[0])
        self.changed()
        return await self.get(domain, mail_id)

    async def edit(
        self, domain: DomainConfig, mail_id: int, values: Mapping[str, Any]
    ) -> ReportMail:
        """Change what is given, as `add` has it. Raises Invalid and NotFound."""
        before = await self.get(domain, mail_id)
        wanted = _read(domain, values, before)
        if (wanted["every"], wanted["at_minute"]) != (before.every, before.at_minute):
            due = next_due(wanted["every"], wanted["at_minute"], domain.zone, self._now())
            wanted |= {"due_ms": round(due * 1000), "zone": domain.timezone}
        async with self._database.begin() as connection:
            await connection.execute(_of(domain, mail_id).values(wanted))
        self.changed()
        return await self.get(domain, mail_id)

    async def remove(self, domain: DomainConfig, mail_id: int) -> ReportMail:
        """Remove a report; NotFound."""
        gone = await self.get(domain, mail_id)
        async with self._database.begin() as connection:
            await connection.execute(
                delete(report_mails).where(_C.id == mail_id, _C.domain_id == domain.id)
            )
        return gone

    async def send_now(self, domain: DomainConfig, mail_id: int) -> ReportMail:
        """Let a report go out at once, besides when it is due; NotFound."""
        mail = await self.get(domain, mail_id)
        async with self._database.begin() as connection:
            now_ms = round(self._now() * 1000)
            await connection.execute(_of(domain, mail_id).values(due_ms=now_ms))
        self.changed()
        return mail

    # What the sender asks

    async def due(self, zone_of: Callable[[int], Awaitable[DomainConfig | None]]) -> Sequence[Due]:
        """Return what has to go out now. `zone_of` gives a company by its id.

        Reports of companies that are gone are removed, and reports move with their company's
        time zone and with a clock that is set back.
        """
        await self._follow(zone_of)
        now = self._now()
        query = (
            select(report_mails)
            .where(_C.due_ms <= round(now * 1000))
            .order_by(_C.due_ms)
            .limit(_AT_ONCE)
        )
        async with self._database.connect() as connection:
            mails = [_mail(row) for row in await connection.execute(query)]
        found = []
        for mail in mails:
            domain = await zone_of(mail.domain_id)
            if domain is not None:
                times = missed(
                    mail.every, mail.at_minute, domain.zone, mail.due_at, now, _MOST_LATE
                )
                found.append(Due(mail, tuple(times)))
        return found

    async def take(self, due: Due, domain: DomainConfig, letters: Sequence[Write]) -> bool:
        """Move a report on, and put its letters on their way, together; False: it has changed
        or gone meanwhile, and nothing was put."""
        mail, now = due.mail, self._now()
        after = next_due(mail.every, mail.at_minute, domain.zone, max(now, due.times[-1]))
        moved = (
            update(report_mails)
            .where(_C.id == mail.id, _C.due_ms == round(mail.due_at * 1000))
            .values(due_ms=round(after * 1000), zone=domain.timezone)
        )
        if letters:
            moved = moved.values(sent_ms=round(now * 1000))
        async with self._database.begin() as connection:
            if (await connection.execute(moved)).rowcount != 1:
                return False
            for letter in letters:
                values = letter.params() if callable(letter.params) else letter.params
                await connection.execute(letter.statement, values)
        return True

    async def next_at(self) -> float | None:
        """Return when the next report is due (epoch seconds); None: there is none."""
        async with self._database.connect() as connection:
            due_ms = await connection.scalar(select(func.min(_C.due_ms)))
        return None if due_ms is None else due_ms / 1000

    async def _follow(self, zone_of: Callable[[int], Awaitable[DomainConfig | None]]) -> None:
        now = self._now()
        zones = select(_C.domain_id, _C.zone).distinct()
        too_far = or_(
            *(
                and_(_C.every == every, _C.due_ms > round((now + longest) * 1000))
                for every, longest in LONGEST_S.items()
            )
        )
        ahead = select(_C.domain_id).where(too_far).distinct()
        async with self._database.connect() as connection:
            known = (await connection.execute(zones)).all()
            wrong = set((await connection.execute(ahead)).scalars())
        for domain_id, zone in known:
            domain = await zone_of(domain_id)
            if domain is None:  # gone, or not known here yet
                there = exists().where(tables.domains.c.id == domain_id)
                async with self._database.begin() as connection:
                    await connection.execute(
                        delete(report_mails).where(_C.domain_id == domain_id, ~there)
                    )
            elif domain.timezone != zone or domain_id in wrong:
                await self._reckon(domain, zone, now)

    async def _reckon(self, domain: DomainConfig, zone: str, now: float) -> None:
        """Find anew when a company's reports are due; what is due already stays so."""
        for mail in await self.list(domain):
            due = mail.due_at
            if due > now:
                due = next_due(mail.every, mail.at_minute, domain.zone, now)
            async with self._database.begin() as connection:
                await connection.execute(
                    _of(domain, mail.id)
                    .where(_C.due_ms == round(mail.due_at * 1000))
                    .values(due_ms=round(due * 1000), zone=domain.timezone)
                )


def _of(domain: DomainConfig, mail_id: int) -> Any:
    return update(report_mails).where(_C.id == mail_id, _C.domain_id == domain.id)


def _read(
    domain: DomainConfig, values: Mapping[str, Any], before: ReportMail | None
) -> dict[str, Any]:
    """Return the columns that somebody set; what they did not say stays, or is the default."""
    reader = Values(values)
    every = reader.choice("every", EVERY, before.every if before else "day")
    usual = "hour" if every == "day" else "day"
    group = reader.text("group", before.group if before else "")
    if group and reader.has("group") and group not in domain.departments:
        reader.wrong("group", "there is no such department")
    in_time_s = before.in_time_s if before else 20
    row = {
        "every": every,
        "at_minute": _minute(reader, before.at_minute if before else 8 * 60),
        "by": reader.choice("by", BY, before.by if before else usual),
        "group_id": group,
        "in_time_s": reader.integer("in_time", in_time_s, low=0, high=3600),
        "recipients": " ".join(_recipients(reader, before.recipients if before else ())),
    }
    reader.done()
    return row


def _minute(reader: Values, default: int) -> int:
    text = reader.text("at")
    if not text:
        return default
    found = _TIME.fullmatch(text)
    if found:
        return int(found[1]) * 60 + int(found[2])
    reader.wrong("at", "must be a time of day as 08:00")
    return default


def _recipients(reader: Values, before: tuple[str, ...]) -> tuple[str, ...]:
    if not reader.has("to"):
        if not before:
            reader.wrong("to", "is required")
        return before
    text = reader.text("to", required=True, max_length=2000)
    found = tuple(dict.fromkeys(text.replace(",", " ").replace(";", " ").split()))
    if len(found) > _MOST_RECIPIENTS:
        reader.wrong("to", f"must be at most {_MOST_RECIPIENTS} addresses")
    for each in found:
        one = Values({"to": each})
        one.email("to")
        if one.errors:
            reader.wrong("to", f"'{each[:60]}' is not an e-mail address")
            break
    return found


def _mail(row: Any) -> ReportMail:
    return ReportMail(
        row.id,
        row.domain_id,
        row.every,
        f"{row.at_minute // 60:02}:{row.at_minute % 60:02}",
        row.by,
        row.group_id,
        row.in_time_s,
        tuple(row.recipients.split()),
        row.due_ms / 1000,
        row.sent_ms / 1000,
    )
