"""What is due stands in the database: it goes out once, whatever happens in between."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from vpbx.db import Database, Write
from vpbx.directory import Directory, DomainConfig, Invalid, NotFound
from vpbx.mail.tables import mail_queue
from vpbx.reporting import ReportMails

START = datetime(2026, 11, 26, 12, 0, tzinfo=UTC).timestamp()
DAY = 86_400.0


class Office:
    """A company, its reports, and a clock that a test sets."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = START
        self.directory = Directory(database)
        self.mails = ReportMails(database, lambda: self.now)

    async def company(self, name: str = "acme.example") -> DomainConfig:
        await self.directory.refresh()
        return (await self.directory.companies.add(name, timezone="Europe/Moscow")).domain

    async def due(self) -> list[Any]:
        return await self.mails.due(self.directory.domain_by_id)


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


def letter() -> Write:
    values = dict.fromkeys((column.name for column in mail_queue.columns), "")
    values |= dict.fromkeys(("domain_id", "made_ms", "next_ms", "attempts", "status"), 0)
    del values["id"]
    return Write(insert(mail_queue), values)


async def letters(office: Office) -> int:
    async with office.database.connect() as connection:
        return int(await connection.scalar(select(func.count()).select_from(mail_queue)) or 0)


async def test_a_report_goes_out_once_also_after_a_restart(office: Office) -> None:
    company = await office.company()
    made = await office.mails.add(company, {"to": "a@acme.example, b@acme.example"})
    assert (made.every, made.at, made.by, made.recipients) == (
        *("day", "08:00", "hour"),
        ("a@acme.example", "b@acme.example"),
    )
    assert await office.due() == []
    office.now = START + DAY  # the server was down at eight
    again = Office(office.database)
    again.now = office.now
    await again.directory.refresh()
    [due], [same] = await again.due(), await office.due()
    assert due == same
    assert due.times == (made.due_at,)
    assert await again.mails.take(due, company, [letter(), letter()])
    assert not await office.mails.take(same, company, [letter(), letter()]), "it has gone out"
    assert await letters(office) == 2
    assert await again.due() == []
    [after] = await again.mails.list(company)
    assert (after.due_at, after.sent_at) == (made.due_at + DAY, office.now)


async def test_reports_of_a_company_that_another_process_has_just_added_stay(
    office: Office,
) -> None:
    await office.company("first.example")
    elsewhere = Office(office.database)
    company = await elsewhere.company()
    made = await elsewhere.mails.add(company, {"to": "a@acme.example"})
    assert await office.due() == []  # which does not know the company yet
    assert await elsewhere.mails.list(company) == [made]


async def test_it_follows_the_company_to_another_time_zone(office: Office) -> None:
    company = await office.company()
    made = await office.mails.add(company, {"to": "a@acme.example"})
    await office.directory.companies.edit(company, {"timezone": "Asia/Vladivostok"})
    assert await office.due() == []
    [moved] = await office.mails.list(company)
    assert moved.due_at == made.due_at - 7 * 3600


async def test_a_clock_that_ran_ahead_keeps_up_no_report(office: Office) -> None:
    company = await office.company()
    made = await office.mails.add(company, {"to": "a@acme.example"})
    office.now += 1000 * DAY
    [due] = await office.due()
    assert len(due.times) == 7
    assert await office.mails.take(due, company, [])
    office.now = START
    assert await office.due() == []
    [back] = await office.mails.list(company)
    assert back.due_at == made.due_at


async def test_reports_go_with_their_company(office: Office) -> None:
    company, other = await office.company(), await office.company("globex.example")
    made = await office.mails.add(company, {"to": "a@acme.example"})
    for act in (office.mails.get, office.mails.remove, office.mails.send_now):
        with pytest.raises(NotFound):
            await act(other, made.id)
    with pytest.raises(NotFound):
        await office.mails.edit(other, made.id, {"at": "09:00"})
    await office.directory.companies.delete(company)
    office.now += 2 * DAY
    assert await office.due() == []
    assert await office.mails.next_at() is None


async def test_another_time_is_reckoned_anew_and_other_changes_are_not(office: Office) -> None:
    company = await office.company()
    made = await office.mails.add(company, {"to": "a@acme.example"})
    kept = await office.mails.edit(company, made.id, {"to": "b@acme.example", "by": "employee"})
    assert (kept.due_at, kept.recipients, kept.by) == (
        *(made.due_at, ("b@acme.example",)),
        "employee",
    )
    moved = await office.mails.edit(company, made.id, {"at": "9:30"})
    assert (moved.at, moved.due_at) == ("09:30", made.due_at + 5400)
    await office.mails.send_now(company, made.id)
    [due] = await office.due()
    assert await office.mails.take(due, company, [])
    [after] = await office.mails.list(company)
    assert after.due_at == moved.due_at, "besides when it is due"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "to"),
        ({"to": ""}, "to"),
        ({"to": "nobody"}, "to"),
        ({"to": "a@b.example\r\nBcc: c@d.example"}, "to"),
        ({"to": " ".join(f"a{n}@b.example" for n in range(11))}, "to"),
        ({"to": "a@b.example", "every": "hour"}, "every"),
        ({"to": "a@b.example", "at": "24:00"}, "at"),
        ({"to": "a@b.example", "at": "8"}, "at"),
        ({"to": "a@b.example", "by": "moon"}, "by"),
        ({"to": "a@b.example", "group": "g_none"}, "group"),
        ({"to": "a@b.example", "in_time": "-1"}, "in_time"),
    ],
)
async def test_bad_values_are_named(
    sqlite_database: Database, values: dict[str, str], field: str
) -> None:
    office = Office(sqlite_database)
    company = await office.company()
    with pytest.raises(Invalid) as wrong:
        await office.mails.add(company, values)
    assert {error.field for error in wrong.value.errors} == {field}
    assert await office.mails.list(company) == []


async def test_there_is_an_end_to_them(sqlite_database: Database) -> None:
    office = Office(sqlite_database)
    company = await office.company()
    for _ in range(20):
        await office.mails.add(company, {"to": "a@b.example"})
    with pytest.raises(Invalid):
        await office.mails.add(company, {"to": "a@b.example"})
