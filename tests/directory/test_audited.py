"""The log of changes says what each change was, whoever else changes the company meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from vpbx.accounts.audit import Audit
from vpbx.acting import Actor, acting
from vpbx.db import Database
from vpbx.directory import Directory, DomainConfig


@pytest.fixture
async def behind(database: Database, acme: DomainConfig) -> AsyncIterator[Directory]:
    """A process that has loaded the company, and does not look for others' changes by itself."""
    opened = Directory(database, poll_s=3600)
    await opened.start()
    await opened.domain(acme.name)
    yield opened
    await opened.stop()


async def test_a_change_just_after_another_process_changed_the_company_is_told_in_full(
    database: Database, directory: Directory, behind: Directory, acme: DomainConfig
) -> None:
    audit = Audit(database, behind)
    await directory.users.add(acme, {"name": "Ann", "login": "ann", "position": "Cook"})
    with acting(Actor("admin", "console")):
        await behind.users.add(acme, {"name": "Bob", "login": "bob"})
    assert [(e.what, e.after) for e in await audit.find(acme.id)] == [("employees.bob", "Bob bob")]
    await directory.users.edit(acme, "ann", {"position": "Chef"})
    with acting(Actor("admin", "console")):
        await behind.users.edit(acme, "ann", {"position": "Baker"})
    newest = (await audit.find(acme.id))[0]
    assert (newest.what, newest.before, newest.after) == ("employees.ann.position", "Chef", "Baker")
