"""Who follows the live page is shown no more than they may see now."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.requests import Request

from vpbx.accounts import Accounts, Session
from vpbx.clock import LoopClock
from vpbx.console.pages.live import still_sees
from vpbx.console.services import ConsoleServices
from vpbx.console.texts import texts
from vpbx.console.visit import Visit
from vpbx.db import Database
from vpbx.directory import Directory

TAKEN = ("head", "group", "role", "company", "session")


@pytest.mark.parametrize("what", ["nothing", *TAKEN])
async def test_a_stream_ends_with_the_right_to_it(sqlite_database: Database, what: str) -> None:
    directory = Directory(sqlite_database)
    await directory.refresh()
    accounts = Accounts(sqlite_database, directory, LoopClock())
    company = (await directory.companies.add("acme.example")).domain
    for login, role in (("head", "group_head"), ("ann", "user")):
        await directory.users.add(company, {"name": login, "login": login, "role": role})
    group = await directory.groups.add(company, {"name": "Sales"})
    await directory.groups.change_users(company, group.id, {"add": ["head", "ann"]})
    company = await directory.current(company)
    invited = await accounts.invite(company, "head")
    account = await accounts.accept(invited.token, "correct horse staple")
    token = await accounts.open(account, pending=False, address="::1", agent="")
    session = await accounts.session(token)
    services = cast(ConsoleServices, SimpleNamespace(accounts=accounts, directory=directory))
    visit = Visit(
        Request({"type": "http", "headers": []}),
        services,
        cast(Any, None),
        texts("en"),
        token,
        cast(Session, session),
        company,
        company.employees["head"],
    )
    if what == "head":
        await directory.users.delete(company, "head")
    elif what == "group":
        await directory.groups.change_users(company, group.id, {"remove": ["head"]})
    elif what == "role":
        await directory.users.edit(company, "head", {"role": "user"})
    elif what == "company":
        await directory.companies.switch(company, False)
    elif what == "session":
        await accounts.end_others(account, 0)
    assert await still_sees(visit) is (what == "nothing")
